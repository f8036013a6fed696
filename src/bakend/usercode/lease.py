"""One process of several runs the functions and jobs of a project.

It holds a lock on a file beside the database. The system frees it when the process ends, however
that ends, so that the next one need not wait for a time to run out.
"""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path
from typing import IO


class Lease:
    """The right to run functions and jobs. Thread: any."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-runner")
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None

    def take(self) -> bool:
        """Take it, if no other process has it; return whether it is ours."""
        with self._lock:
            if self._file is not None:
                return True
            file = self._path.open("wb")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            self._file = file
            return True

    def give_back(self) -> None:
        """Let another process have it."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None
