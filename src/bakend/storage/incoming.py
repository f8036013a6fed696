"""A file while it arrives: written, counted and hashed piece by piece, under a name of its own.

The file is held locked (`flock`) for as long as somebody writes it. So whoever cleans up knows what
a process has left that is gone, without asking how old it is: the lock ends with its holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from types import TracebackType
from typing import Final

from bakend.errors import InvalidInputError
from bakend.ids import new_id
from bakend.storage.failures import disk_errors

_UNITS: Final = (
    (10**9, "GB"),
    (2**30, "GB"),
    (10**6, "MB"),
    (2**20, "MB"),
    (10**3, "KB"),
    (2**10, "KB"),
)
"""The original says 10 MB to 10,485,760 bytes; so both kinds of units have the same name here."""


class Incoming:
    """One file that arrives. Thread: one.

    Leaving the block removes it, unless it was moved to its place.
    """

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        """Begin a new file in a folder that exists.

        Raises:
            StorageFullError: No space is left.
        """
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        """How much has arrived, also of what is too much to be kept."""
        with disk_errors():
            self.path, self._descriptor = _create_locked(folder)

    def __enter__(self) -> Incoming:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, data: bytes) -> int:
        """Take the next piece; beyond the limit it is counted and dropped.

        Raises:
            StorageFullError: No space is left.
        """
        self.size_bytes += len(data)
        if self.size_bytes <= self._max_bytes:
            self._hash.update(data)
            with disk_errors():
                _write_all(self._descriptor, data)
        return len(data)

    def seek(self, offset: int) -> int:
        """Do nothing: the parser of forms rewinds what it has written, and nobody reads it here."""
        return offset

    def require_fit(self) -> None:
        """Refuse what must not be kept.

        Raises:
            InvalidInputError: It is empty, or larger than allowed.
        """
        if self.size_bytes == 0:
            raise InvalidInputError("File cannot be empty")
        if self.size_bytes > self._max_bytes:
            raise InvalidInputError(
                f"File exceeds maximum size of {size_in_words(self._max_bytes)}"
            )

    def finish(self) -> str:
        """Bring all of it to the disk, and return its SHA-256 in hex."""
        with disk_errors():
            os.fsync(self._descriptor)
        return self._hash.hexdigest()

    def close(self) -> None:
        """Remove what was not moved away, and let go."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def remove_abandoned(path: Path) -> bool:
    """Remove a file that nobody writes any more; return whether it was such a one."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()  # while it is held: who is about to lock it finds it gone, and begins anew
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def size_in_words(size_bytes: int) -> str:
    """Write a size as the setting was written: `10 MB`, `1500 bytes`."""
    for unit, name in _UNITS:
        if size_bytes >= unit and size_bytes % unit == 0:
            return f"{size_bytes // unit} {name}"
    return f"{size_bytes} bytes"


def _create_locked(folder: Path) -> tuple[Path, int]:
    while True:
        path = folder / new_id("up")
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():
                return path, descriptor
        except BlockingIOError:
            pass  # somebody cleans up, and came between the two calls; he removes it, or has
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        os.close(descriptor)
        path.unlink(missing_ok=True)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
