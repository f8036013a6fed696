"""Patterns of text fields: compiled once from JavaScript, run so that none holds the process.

Plain patterns (see `pattern_judge`) run on `re`, at once. All others, and long texts, run in one
helper process with a time limit; after it ran out, the helper is killed and started again.
"""

from __future__ import annotations

import json
import os
import re
import select
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from bakend import executable
from bakend.errors import PatternError
from bakend.structs import Struct

if TYPE_CHECKING:
    import subprocess

LIMIT_S: Final = 0.1
"""Most seconds that one check may compute in the helper, which ends itself then."""
_PATIENCE: Final = 20
"""How many times the limit an answer is waited for: a helper that gets a twentieth of a core still
finishes in time, and one that hangs for another reason holds up a request for 2 s."""
_START_S: Final = 10.0
"""Most seconds until the helper is ready; it takes 20 ms where nothing else runs."""


class Pattern(Struct):
    """A pattern of a definition."""

    source: str
    """As the definition has it, in JavaScript's syntax."""
    compiled: re.Pattern[str] | None
    """For Python, to be searched for in UTF-16 units; None where it could not be translated."""
    slowness: str = ""
    """Why it runs in the helper, naming the part and its place; empty for a plain pattern."""
    fault: str = ""
    """Why it could not be translated."""

    @property
    def is_plain(self) -> bool:
        """Whether it is fast on every text of up to 10,000 units, and runs at once."""
        return self.compiled is not None and not self.slowness


def compile_pattern(source: str) -> Pattern:
    """Translate and judge a JavaScript pattern.

    Raises:
        PatternError: It is no JavaScript, or Python's `re` has no word for it; names the place.
    """
    from bakend.collections import pattern_judge, pattern_syntax

    tree = pattern_syntax.parse(source)
    try:
        compiled = re.compile(pattern_syntax.to_python(tree), re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        # What is left to Python to refuse: a look-behind whose width varies.
        place = max(source.find("(?<"), 0)
        raise PatternError(f"not possible in Python ({error})", place) from error
    verdict = pattern_judge.judge(tree)
    if verdict.culprit is None:
        return Pattern(source, compiled)
    part = verdict.culprit
    shown = pattern_syntax.units(source)[part.at : part.end]
    shown = shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(shown) > 60:
        shown = shown[:59] + "…"
    slowness = f'"{shown}" at character {part.at + 1} {verdict.reason}'
    return Pattern(source, compiled, slowness)


def uncheckable(source: str, fault: str) -> Pattern:
    """Stand in for a pattern of an old definition that cannot be translated: it never matches."""
    return Pattern(source, None, fault=fault)


class PatternRunner:
    """Runs patterns; owner of the helper process, which starts when it is first needed.

    Thread: any; the helper serves one at a time.
    """

    def __init__(self, *, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        """Guards everything below, and the conversation with the helper."""
        self._helper: subprocess.Popen[bytes] | None = None
        self._is_closed = False

    def matches(self, pattern: Pattern, text: str) -> bool | None:
        """Say whether a pattern is found in a text; None when that could not be said in time."""
        if pattern.compiled is None:
            return None
        from bakend.collections import pattern_judge, pattern_syntax

        text = pattern_syntax.units(text)
        if pattern.is_plain and len(text) <= pattern_judge.MAX_TEXT:
            return pattern.compiled.search(text) is not None
        request = json.dumps([pattern.compiled.pattern, text], ensure_ascii=False) + "\n"
        with self._lock:
            return self._ask(request.encode("utf-8", "surrogatepass"))

    def close(self) -> None:
        """End the helper; what needs it is answered with None from now on."""
        with self._lock:
            self._is_closed = True
            self._stop()

    def _ask(self, request: bytes) -> bool | None:
        for _attempt in range(2):
            helper = self._helper or self._start()
            if helper is None or helper.stdin is None or helper.stdout is None:
                return None
            try:
                helper.stdin.write(request)
                helper.stdin.flush()
            except OSError:  # somebody ended it since the last check
                self._stop()
                continue
            answer = _read(helper.stdout.fileno(), self._limit_s * _PATIENCE)
            if answer in (b"1\n", b"0\n"):
                return answer == b"1\n"
            break
        self._stop()
        return None

    def _start(self) -> subprocess.Popen[bytes] | None:
        if self._is_closed:
            return None
        import subprocess

        import importlib_resources

        source = importlib_resources.files("bakend.collections") / "pattern_worker.py"
        self._helper = helper = subprocess.Popen(
            [
                *(executable.PYTHON, "-I", "-S", "-c", source.read_text(encoding="utf-8")),
                str(self._limit_s),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the server, which then ends the helper
        )
        if helper.stdout is None or _read(helper.stdout.fileno(), _START_S) != b"ready\n":
            self._stop()
        return self._helper

    def _stop(self) -> None:
        helper, self._helper = self._helper, None
        if helper is None:
            return
        helper.kill()
        helper.wait()
        for pipe in (helper.stdin, helper.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was not sent yet can't be any more
                    pipe.close()


def _read(descriptor: int, limit_s: float) -> bytes:
    """Return what a pipe holds once it holds something, nothing when it closed or time ran out."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return os.read(descriptor, 16) if waiting.poll(limit_s * 1000) else b""
