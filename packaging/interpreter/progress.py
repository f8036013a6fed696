"""What the person at the terminal sees of a build: each step by name, and how long it took.

Everything goes to standard error; standard output belongs to the result.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator


class BuildError(Exception):
    """Raised when the build cannot go on; its text is for the person at the terminal."""


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Name a step while it runs, and tell its seconds when it ended.

    A log shows a line for each step; a terminal also shows the one that runs.
    """
    if sys.stderr.isatty():
        sys.stderr.write(f"  {name} …\r")
        sys.stderr.flush()
    start = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"  {name:<42} failed")
        raise
    say(f"  {name:<42} {time.monotonic() - start:6.1f} s")
