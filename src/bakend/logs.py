"""The log: one line per record on stderr, in an optional file, and the last ones in memory.

    [2026-11-23T16:05:05.853Z] INFO Listening on :8080

Whoever may choose a part of a message (a path, a name, a file's text) can forge no line with it:
control characters are written as escapes, and the lines of a traceback are indented. Access
tokens are masked. Nothing that goes wrong here reaches the caller: not a full disk, not a closed
terminal, not a message that cannot be formatted.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import traceback
from collections import deque
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Final, Literal, Protocol, TextIO, TypeAlias, get_args

from bakend.clock import Clock, to_text
from bakend.structs import Struct

Level: TypeAlias = Literal["DEBUG", "INFO", "WARN", "ERROR"]
LEVELS: Final[tuple[Level, ...]] = get_args(Level)
"""From the lowest to the highest."""

Format: TypeAlias = Literal["text", "json"]

request_id: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)
"""Id of the request that this thread answers."""

# As the original: what /api/admin/logs can look back on, and the size of a part of the file.
RECENT_LINES: Final = 500
ROTATE_BYTES: Final = 5 * 1024 * 1024

# A message is the product's own sentence; only a part of it may be somebody else's.
_LONGEST_MESSAGE: Final = 8_192
_LONGEST_TRACEBACK_LINES: Final = 200
# One line a minute says that the file fails; a full disk under load must not fill stderr too.
_COMPLAIN_EVERY_S: Final = 60.0

_NUMBERS: Final[dict[str, int]] = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}

# Both as texts, which `re` compiles when a line first needs it.
# Control characters, line and paragraph separators, marks that turn the direction of writing,
# and lone surrogates, which no file can hold.
_UNPRINTABLE: Final = (
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_ESCAPES: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TOKENS: Final = r"""(?i)([?&;](?:access_|refresh_)?token=|\bBearer\s+)[^\s&#;,"'<>]+"""


class Line(Struct):
    """One record as it was logged; `text` may have indented lines of a traceback after the first.

    As JSON it is {"seq", "timestamp", "level", "message"}.
    """

    seq: int
    """Its number: greater than that of each line before, those before a restart included."""
    timestamp: str
    level: Level
    message: str
    logger: str = ""
    """`bakend.api`, or a library's."""
    request_id: str | None = None
    """Of the request that was being answered, if one was."""

    @property
    def json(self) -> str:
        """The line as an object, for programs; it has no line breaks."""
        return json.dumps(
            {
                "time": self.timestamp,
                "level": self.level,
                "message": self.message,
                "logger": self.logger,
                "requestId": self.request_id,
            },
            ensure_ascii=False,
        )

    @property
    def text(self) -> str:
        """The line as stderr and the file have it, without the end of line."""
        return f"[{self.timestamp}] {self.level} {self.message}"


class Recent(Protocol):
    """How one asks for lines that are still in memory: `Logs.recent`, or `none_kept`."""

    def __call__(
        self, limit: int, level: Level, *, search: str, after: int | None
    ) -> Sequence[Line]:
        """Return lines, oldest first."""
        ...


def none_kept(*_: object, **__: object) -> Sequence[Line]:
    """Return no lines, where there is no log: in a short command."""
    return ()


class Logs:
    """The log as it was set up; `close` puts back what was there before.

    Thread:
        Any thread. One lock orders the lines: it is held while a line is written.
    """

    def __init__(self, sink: _Sink, level: Level) -> None:
        self._sink = sink
        self._ours = logging.getLogger("bakend")
        self._others = logging.getLogger()
        self._before = (self._ours.level, self._ours.propagate)
        self._is_closed = False
        self._ours.setLevel(_NUMBERS[level])
        self._ours.propagate = False
        self._ours.addHandler(sink)
        # Libraries: their warnings only, as their information is not about this product.
        self._guest = _Guest(sink)
        self._others.addHandler(self._guest)

    def recent(
        self,
        limit: int = 100,
        level: Level = "DEBUG",
        *,
        search: str = "",
        after: int | None = None,
    ) -> list[Line]:
        """Return lines that are still in memory, oldest first.

        Args:
            limit: Most lines to return.
            level: The lowest level.
            search: A part of the message, whatever its case.
            after: The number of a line: the first ones that came after it, so that whoever goes on
                from the last one of them misses none. Without it, the last lines there are.
        """
        lowest, wanted = _NUMBERS[level], search.casefold()
        found = [
            line
            for line in self._sink.lines()
            if _NUMBERS[line.level] >= lowest
            and (after is None or line.seq > after)
            and wanted in line.message.casefold()
        ]
        if limit <= 0:
            return []
        return found[-limit:] if after is None else found[:limit]

    def close(self) -> None:
        """Stop logging and close the file; calling it again does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        level, self._ours.propagate = self._before
        self._ours.setLevel(level)
        self._ours.removeHandler(self._sink)
        self._others.removeHandler(self._guest)
        self._guest.close()
        self._sink.close()


def configure(
    *,
    level: Level,
    clock: Clock,
    log_file: Path | None = None,
    stream: TextIO | None = None,
    form: Format = "text",
) -> Logs:
    """Send the loggers under "bakend", and warnings of libraries, to stderr and to a file.

    Args:
        log_file: Absolute; its folder is made. When it cannot be written, stderr says so.
        stream: Instead of `sys.stderr`, which is looked up for each line.
        form: Of a line there; those in memory have all their parts anyway.
    """
    return Logs(_Sink(clock, log_file, stream, form), level)


def printable(text: str) -> str:
    """Return a text on one line, with escapes for what a terminal or a file would obey."""
    if text.isascii() and text.isprintable():  # nearly every line, at a tenth of the cost
        return text
    return re.sub(_UNPRINTABLE, _escape, text)


def masked(text: str) -> str:
    """Return a text without the access tokens in it."""
    lower = text.lower()
    if "token=" not in lower and "bearer" not in lower:  # as above
        return text
    return re.sub(_TOKENS, r"\1***", text)


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    code = ord(letter)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class _Sink(logging.Handler):
    """Writes each record to the ring, to stderr and to the file; its lock orders them."""

    def __init__(
        self, clock: Clock, log_file: Path | None, stream: TextIO | None, form: Format
    ) -> None:
        super().__init__()
        self._form = form
        self._clock = clock
        self._stream = stream
        self._file = None if log_file is None else _File(log_file)
        # Read from request threads while others append.
        self._ring: deque[Line] = deque(maxlen=RECENT_LINES)
        self._ring_lock = threading.Lock()
        self._last_seq = 0
        self._complained_at: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        line = self._keep(_level(record.levelno), _message(record), record.name, request_id.get())
        if self._file is not None:
            failure = self._file.write(self._written(line))
            if failure is not None:
                self._complain(self._file.path, failure)

    def lines(self) -> list[Line]:
        with self._ring_lock:
            return list(self._ring)

    def close(self) -> None:
        self.acquire()
        try:
            if self._file is not None:
                self._file.close()
        finally:
            self.release()
        super().close()

    def _written(self, line: Line) -> str:
        return line.json if self._form == "json" else line.text

    def _keep(
        self, level: Level, message: str, logger: str = "bakend.logs", request: str | None = None
    ) -> Line:
        """Put a line into the ring and onto stderr."""
        now = self._clock.now()
        # Counted from the clock, so that numbers of an earlier run are never met again.
        self._last_seq = max(self._last_seq + 1, int(now.timestamp() * 1_000))
        line = Line(self._last_seq, to_text(now), level, message, logger, request)
        with self._ring_lock:
            self._ring.append(line)
        self._write(self._written(line))
        return line

    def _write(self, text: str) -> None:
        # None where there is no stderr; OSError when its reader is gone; ValueError when closed.
        stream = sys.stderr if self._stream is None else self._stream
        try:
            if stream is not None:
                stream.write(text + "\n")
                stream.flush()
        except (OSError, ValueError):
            pass

    def _complain(self, path: Path, failure: OSError) -> None:
        now = self._clock.monotonic()
        if self._complained_at is None or now - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            message = f"Cannot write the log file {path}: {failure.strerror or failure}"
            self._keep("WARN", printable(message))


class _Guest(logging.Handler):
    """Hands warnings of other libraries to the sink, with the library's name."""

    def __init__(self, sink: _Sink) -> None:
        super().__init__(logging.WARNING)
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        self._sink.handle(record)


class _File:
    """A file that is appended to and turned over at 5 MiB into `.1` and `.2`.

    Every line looks at the name first, so that a line goes on into the right file after another
    process or logrotate has moved it away.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        # True when the disk took only a part of the last line.
        self._is_torn = False

    def write(self, text: str) -> OSError | None:
        """Append a line; return what went wrong instead of raising it."""
        failure: OSError | None = None
        try:
            try:
                self._turn_over()
            except OSError as error:
                failure = error  # an old part that cannot be moved must not cost new lines
            descriptor = self._open()
            content = ("\n" if self._is_torn else "") + text + "\n"
            encoded = content.encode("utf-8", "backslashreplace")
            written = os.write(descriptor, encoded)
            if written < len(encoded):
                self._is_torn = True
                os.write(descriptor, encoded[written:])  # raises what stopped the first
            self._is_torn = False
        except OSError as error:
            failure = error
        return failure

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _turn_over(self) -> None:
        try:
            is_full = self.path.stat().st_size >= ROTATE_BYTES
        except FileNotFoundError:
            return
        if is_full:
            first = self.path.with_name(self.path.name + ".1")
            if first.exists():
                first.replace(self.path.with_name(self.path.name + ".2"))
            self.path.replace(first)

    def _open(self) -> int:
        """Return a descriptor of the file that has the name now."""
        if self._descriptor is not None:
            try:
                if os.path.samestat(self.path.stat(), os.fstat(self._descriptor)):
                    return self._descriptor
            except FileNotFoundError:
                pass
            self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        self._descriptor = os.open(self.path, flags, 0o640)
        return self._descriptor


def _level(number: int) -> Level:
    if number < logging.INFO:
        return "DEBUG"
    if number < logging.WARNING:
        return "INFO"
    return "WARN" if number < logging.ERROR else "ERROR"


def _message(record: logging.LogRecord) -> str:
    """Return a record as one printable line, with its traceback indented below."""
    try:
        text = record.getMessage()
    except Exception:  # noqa: BLE001 - any __str__ may run here, and logging must not fail
        text = f"{record.msg!r:.200} (its arguments do not fit)"
    if record.name.partition(".")[0] != "bakend":
        text = f"{record.name}: {text}"
    text = printable(masked(text))
    if len(text) > _LONGEST_MESSAGE:
        text = f"{text[:_LONGEST_MESSAGE]}… ({len(text) - _LONGEST_MESSAGE} more characters)"
    return "\n    ".join([text, *_traceback_lines(record)])


def _traceback_lines(record: logging.LogRecord) -> list[str]:
    parts: list[str] = []
    if record.exc_info and record.exc_info[1] is not None:
        parts += traceback.format_exception(record.exc_info[1])
    if record.stack_info:
        parts.append(record.stack_info)
    lines = masked("".join(parts)).split("\n")
    plain = [printable(line)[:_LONGEST_MESSAGE] for line in lines if line.strip()]
    # The end says what happened.
    return plain[-_LONGEST_TRACEBACK_LINES:]
