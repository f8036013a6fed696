"""One process of several runs the functions and jobs of a project.

It holds a lock on a file beside the database. The system frees it when the process ends, however
that ends, so that the next one need not wait for a time to run out.

In the file stands what runs: the numbers of the events that handlers were given. A killed process
leaves them there, for the next one to know which of them may have killed it. It is not synced: what
a machine loses with its power was not ended by a handler.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

_BLOCK: Final = 4_096


class Lease:
    """The right to run functions and jobs. Thread: any; `note` and `noted` by its holder."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-runner")
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None

    def take(self) -> bool:
        """Take it, if no other process has it; return whether it is ours."""
        with self._lock:
            if self._file is not None:
                return True
            file = os.fdopen(
                os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600),
                "r+b",
                buffering=0,
            )
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            self._file = file
            return True

    def noted(self) -> set[int]:
        """Return the events that ran when the process before this one was killed."""
        assert self._file is not None
        words = os.pread(self._file.fileno(), _BLOCK, 0).partition(b"\n")[0].split()
        return {int(word) for word in words if word.isdigit()}

    def note(self, events: Collection[int]) -> None:
        """Note which events run from now on, before they do."""
        assert self._file is not None
        line = " ".join(map(str, sorted(events))).encode()
        os.pwrite(self._file.fileno(), line + b"\n", 0)  # what stands behind the line end is old

    def give_back(self) -> None:
        """Let another process have it."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
