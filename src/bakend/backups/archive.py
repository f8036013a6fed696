"""The bytes of an archive: a `.tar.gz` that every `tar` unpacks, sealed by its checksum.

Gzip allows several streams one after the other. So what can't be made smaller, as photographs, is
stored in streams of its own: measured, deflate takes ten times as long as to store, for nothing. The
last stream is empty, and its comment holds the SHA-256 of all that is before it: no byte of the archive
can change without being noticed, also where the contents of members would not show it.

The reader trusts nothing: it takes plain files and folders, short names, and no more bytes than a
member's head has promised.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from bakend.errors import BackupError

PIECE: Final = 1024 * 1024
_BLOCK: Final = 512
_STORED, _FAST = 0, 1
"""Levels of deflate. Level 6 makes a database 7 per cent smaller than level 1, in twice the time."""
_SAMPLE: Final = 64 * 1024
_WORTH_IT: Final = 0.9
_NAME_MAX: Final = 4_096
_NOTE_MAX: Final = 64 * 1024
_NOTES: Final = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
"""What some kinds of `tar` write in front of a member: exact times, and owners."""
_PADDING_MAX: Final = 1024 * 1024
"""Of zeros behind the last member; `tar` writes 10 KiB."""

_SEAL_HEAD: Final = b"\x1f\x8b\x08\x10" + bytes(5) + b"\xff" + b"bakend sha256="
_SEAL_TAIL: Final = b"\0" + b"\x03\0" + bytes(8)
SEAL_BYTES: Final = len(_SEAL_HEAD) + 64 + len(_SEAL_TAIL)


def seal(sha256: str) -> bytes:
    """Return the last stream of an archive. Source: RFC 1952, with a comment and nothing in it."""
    return _SEAL_HEAD + sha256.encode() + _SEAL_TAIL


class Writer:
    """Writes an archive, member by member. Thread: one."""

    def __init__(self, target: BinaryIO) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self._level: int | None = None
        self._packer = zlib.compressobj(_STORED)

    def add(self, name: str, size_bytes: int, mtime: float, source: BinaryIO) -> str:
        """Write a member of exactly that size and return its SHA-256.

        Raises:
            EOFError: The source was shorter.
            OSError: It cannot be read, or the archive not be written.
        """
        sample = source.read(min(size_bytes, _SAMPLE))
        level = _STORED if _is_dense(sample) else _FAST
        head = tarfile.TarInfo(name)
        head.size, head.mtime, head.mode = size_bytes, int(mtime), 0o600
        self._write(head.tobuf(tarfile.GNU_FORMAT), level)
        found = hashlib.sha256()
        left, piece = size_bytes, sample
        while left:
            if not piece:
                raise EOFError(name)
            found.update(piece)
            self._write(piece, level)
            left -= len(piece)
            piece = source.read(min(left, PIECE)) if left else b""
        self._write(bytes(-size_bytes % _BLOCK), level)
        return found.hexdigest()

    def close(self) -> None:
        """Write the end of the archive, and seal it."""
        self._write(bytes(2 * _BLOCK), self._level or _STORED)
        self._put(self._packer.flush())
        self._target.write(seal(self._hash.hexdigest()))

    def _write(self, data: bytes, level: int) -> None:
        if level != self._level:
            if self._level is not None:
                self._put(self._packer.flush())
            self._level, self._packer = level, zlib.compressobj(level, zlib.DEFLATED, 31)
        self._put(self._packer.compress(data))

    def _put(self, packed: bytes) -> None:
        self._hash.update(packed)
        self._target.write(packed)


class Entry:
    """A member that is being read; `read` gives its bytes and then nothing."""

    def __init__(self, name: str, size_bytes: int, read: Callable[[int], bytes]) -> None:
        self.name = name
        self.size_bytes = size_bytes
        self.sha256 = hashlib.sha256()
        """Of what was read so far."""
        self._read = read
        self._left = size_bytes

    def read(self, count: int = PIECE) -> bytes:
        """Return the next bytes, at most so many; none at the end.

        Raises:
            BackupError: The archive is damaged here.
        """
        with damage_at(self.name):
            piece = self._read(min(count, self._left))
            if self._left and not piece:
                raise EOFError
        self._left -= len(piece)
        self.sha256.update(piece)
        return piece

    def skip(self) -> None:
        """Read what is left."""
        while self.read():
            pass


class Reader:
    """Reads an archive from its begin to its end. Thread: one."""

    def __init__(self, source: BinaryIO, size_bytes: int) -> None:
        self._source = _Watched(source, size_bytes)
        self._stream = gzip.GzipFile(
            fileobj=self._source,  # type: ignore[call-overload]  # reading forward needs no seek
            mode="rb",
        )

    def entries(self) -> Iterator[Entry]:
        """Yield each plain file, with its name without `./`; what is left of one is skipped.

        Raises:
            BackupError: The archive is damaged, or holds what no backup does.
        """
        after = "the begin"
        while True:
            with damage_at(f"behind {after}"):
                head = self._head()
            if head is None:
                break
            name = head.name.removeprefix("./")
            if head.isdir():
                continue
            if not head.isreg() or head.type == tarfile.GNUTYPE_SPARSE:
                raise BackupError(f"{name!r} in the archive is a link or a device")
            entry = Entry(name, head.size, self._stream.read)
            yield entry
            entry.skip()
            with damage_at(name):
                self._exactly(-head.size % _BLOCK)
            after = name
        with damage_at(f"behind {after}"):
            self._drain()

    def require_seal(self) -> None:
        """Compare the seal with what was read.

        Raises:
            BackupError: They differ.
        """
        if self._source.tail != seal(self._source.sha256.hexdigest()):
            raise BackupError("the archive's own bytes were changed: its seal does not fit")

    def close(self) -> None:
        """Close what this made, and leave the source open."""
        self._stream.close()

    def _head(self) -> tarfile.TarInfo | None:
        block = self._exactly(_BLOCK)
        long_name = None
        while True:
            if not block.strip(b"\0"):
                return None
            head = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            if head.size < 0:
                raise tarfile.HeaderError
            is_note = head.type in _NOTES
            if not is_note and head.type != tarfile.GNUTYPE_LONGNAME:
                break
            if head.size > (_NOTE_MAX if is_note else _NAME_MAX):
                raise BackupError("A name in the archive is far too long")
            content = self._exactly(head.size + -head.size % _BLOCK)[: head.size]
            if not is_note:
                long_name = content.rstrip(b"\0").decode("utf-8", "surrogateescape")
            elif b" path=" in content or b" size=" in content:
                raise BackupError("The archive has names or sizes that no backup has")
            block = self._exactly(_BLOCK)
        head.name = head.name if long_name is None else long_name
        return head

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._stream.read(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _drain(self) -> None:
        """Read what follows the last member: zeros, and the end of the last stream."""
        seen = 0
        while piece := self._stream.read(_PADDING_MAX):
            seen += len(piece)
            if piece.strip(b"\0") or seen > _PADDING_MAX:
                raise EOFError
        self._source.drain()


@contextmanager
def damage_at(place: str) -> Iterator[None]:
    """Name the place where an archive cannot be read on."""
    try:
        yield
    except (zlib.error, gzip.BadGzipFile, EOFError, tarfile.TarError) as error:
        raise BackupError(f"{place}: the archive is damaged here, or cut off") from error


class _Watched:
    """A file that knows the checksum of what was read of it, but for the place of the seal."""

    def __init__(self, source: BinaryIO, size_bytes: int) -> None:
        self._source = source
        self._hashed_left = max(0, size_bytes - SEAL_BYTES)
        self.sha256 = hashlib.sha256()
        self.tail = b""

    def read(self, count: int = -1) -> bytes:
        piece = self._source.read(PIECE if count < 0 else min(count, PIECE))
        self.sha256.update(piece[: self._hashed_left])
        self.tail = (self.tail + piece[self._hashed_left :])[: SEAL_BYTES + 1]
        self._hashed_left = max(0, self._hashed_left - len(piece))
        return piece

    def drain(self) -> None:
        while self.read():
            pass


def _is_dense(sample: bytes) -> bool:
    """Tell whether deflate would hardly make it smaller."""
    return bool(sample) and len(zlib.compress(sample, _FAST)) > _WORTH_IT * len(sample)
