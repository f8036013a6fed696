"""The bytes of files on the disk.

    <storage>/files/<id>        as the original has them: flat, named by the id alone
    <storage>/tmp/uploads/…     while they arrive
    <storage>/trash/<id>        deleted ones, for a while

All three are on one disk, so that a file moves in one step and is in its place whole or not at all.
Which of them belong to a row is not known here.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from bakend.clock import Clock
from bakend.storage.failures import disk_errors
from bakend.storage.incoming import Incoming, remove_abandoned

_FILE_ID: Final = re.compile(r"fil_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Blobs:
    """The folders under `storage`. Thread: any."""

    def __init__(self, storage: Path, *, clock: Clock, grace_s: float) -> None:
        """Name the folders; they are made when something is put there.

        Args:
            storage: The setting of that name.
            clock: Where time comes from.
            grace_s: How long deleted bytes are kept.
        """
        self._files = storage / "files"
        self._incoming = storage / "tmp" / "uploads"
        self._trash = storage / "trash"
        self._clock = clock
        self._grace_s = grace_s

    def receive(self, *, max_bytes: int) -> Incoming:
        """Return a file to be written, nowhere yet; leaving its block removes it.

        Raises:
            StorageFullError: No space is left.
        """
        with disk_errors():
            self._incoming.mkdir(parents=True, exist_ok=True)
        return Incoming(self._incoming, max_bytes=max_bytes)

    def keep(self, incoming: Incoming, file_id: str) -> None:
        """Put a finished file in its place, so that not even a power cut takes it away."""
        with disk_errors():
            _make_lasting(self._files)
            incoming.path.rename(self._path(file_id))
            _sync(self._files)

    def open(self, file_id: str) -> BinaryIO | None:
        """Return the bytes of a file to read, None where there are none."""
        if not is_file_id(file_id):
            return None
        with disk_errors():
            try:
                # Unbuffered: the reader asks for large pieces, and may be one of a thousand.
                return self._path(file_id).open("rb", buffering=0)
            except (FileNotFoundError, IsADirectoryError):
                return None

    def open_kept(self, file_id: str) -> BinaryIO | None:
        """Return the bytes of a file, also of one that was deleted a short while ago."""
        stream = self.open(file_id)
        if stream is not None or not is_file_id(file_id):
            return stream
        with disk_errors(), contextlib.suppress(FileNotFoundError):
            return (self._trash / file_id).open("rb", buffering=0)
        return None

    def has(self, file_id: str) -> bool:
        """Tell whether there are bytes of that id."""
        return is_file_id(file_id) and self._path(file_id).is_file()

    def ids(self, *, older_than_s: float) -> Iterator[str]:
        """Yield the ids of all files that were written at least so long ago; 0 for all there are."""
        latest = self._clock.now().timestamp() - older_than_s if older_than_s else math.inf
        with (
            disk_errors(),
            contextlib.suppress(FileNotFoundError),
            os.scandir(self._files) as entries,
        ):
            for entry in entries:
                if not is_file_id(entry.name):
                    continue  # not ours: whatever a system or a person has put there
                with contextlib.suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime <= latest:
                        yield entry.name

    def remove(self, file_id: str) -> None:
        """Remove what was put in its place and did not come to be."""
        self._path(file_id).unlink(missing_ok=True)

    def discard(self, file_id: str) -> None:
        """Move the bytes of a deleted file to the trash: whoever copies all files may still read them."""
        if not is_file_id(file_id):
            return
        path = self._path(file_id)
        with disk_errors(), contextlib.suppress(FileNotFoundError):
            if self._grace_s <= 0:
                path.unlink()
                return
            now = self._clock.now().timestamp()
            os.utime(path, (now, now))  # its age in the trash; first, or it might go at once
            self._trash.mkdir(parents=True, exist_ok=True)
            path.rename(self._trash / file_id)

    def clean(self) -> None:
        """Remove what was deleted long enough ago, and what processes that are gone left unfinished."""
        latest = self._clock.now().timestamp() - self._grace_s
        for path in _plain_files(self._trash):
            with disk_errors(), contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= latest:
                    path.unlink()
        for path in _plain_files(self._incoming):
            remove_abandoned(path)

    def _path(self, file_id: str) -> Path:
        if not is_file_id(file_id):  # the last line of defence: no other name gets into a path
            raise ValueError("no id of a file")
        return self._files / file_id


def is_file_id(text: str) -> bool:
    """Tell whether a text is `fil_` and a UUID: only such a one becomes part of a path."""
    return _FILE_ID.fullmatch(text) is not None


def _plain_files(folder: Path) -> Iterator[Path]:
    with disk_errors(), contextlib.suppress(FileNotFoundError):
        yield from (path for path in folder.iterdir() if path.is_file() and not path.is_symlink())


def _make_lasting(folder: Path) -> None:
    """Make a folder where there is none, so that it is still there after a power cut."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for parent in (folder.parent, folder.parent.parent):
        _sync(parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
