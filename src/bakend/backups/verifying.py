"""Reading an archive from begin to end: is it whole, and would it open?"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from bakend.backups import manifest
from bakend.backups.archive import Entry, Reader, damage_at
from bakend.backups.manifest import MANIFEST_MAX_BYTES, Manifest
from bakend.database import copies
from bakend.database.migrations import version
from bakend.errors import BackupError, BakendError, NotWritableError
from bakend.storage.failures import disk_errors
from bakend.structs import Struct

Progress = Callable[[int, int], None]
"""Takes how many bytes are done, and of how many."""

DATABASE_SUFFIX: Final = ".db"
_ROOM: Final = ".bakend-verify-"


def quiet(_done: int, _total: int) -> None:
    """Show nothing."""


class Verified(Struct, kw_only=True):
    """A backup that is whole."""

    manifest: Manifest | None
    """None for one of the original."""
    files: int
    """How many uploaded files are in it."""
    size_bytes: int
    """Of the archive."""


Take = Callable[[str, Entry], None]
"""Takes the name of a member and reads it; what it leaves is skipped, and hashed all the same."""


@contextlib.contextmanager
def reading(archive: Path) -> Iterator[tuple[Reader, BinaryIO, int]]:
    """Open an archive.

    Raises:
        BackupError: It is not there, or not a plain file.
    """
    try:
        source = archive.open("rb")
    except FileNotFoundError:
        raise BackupError(f"Backup archive not found: {archive}") from None
    except OSError as error:
        raise BackupError(f"{archive} cannot be read: {error.strerror}") from error
    with source:
        size = os.fstat(source.fileno()).st_size
        reader = Reader(source, size)
        try:
            yield reader, source, size
        finally:
            reader.close()


def walk(archive: Path, take: Take, *, progress: Progress = quiet) -> Manifest | None:
    """Read an archive, hand each member on, and hold it against its manifest.

    An archive of the original has no manifest, and its members have other names: they are translated
    to ours. Returns the manifest, None for such a one.

    Raises:
        BackupError: Something differs; the member is named. What was handed on is worth nothing then.
    """
    with reading(archive) as (reader, source, size):
        entries = reader.entries()
        with damage_at("the begin"):
            first = next(entries, None)
        if first is None:
            raise BackupError(f"{archive.name} is an empty archive")
        if first.name != manifest.NAME:
            _walk_original(first, entries, take)
            return None
        told = manifest.decode(_read_all(first))
        for member in told.members:
            entry = next(entries, None)
            if entry is None or (entry.name, entry.size_bytes) != (member.name, member.size_bytes):
                raise BackupError(f"{member.name}: is not where the manifest has it")
            take(member.name, entry)
            entry.skip()
            if entry.sha256.hexdigest() != member.sha256:
                raise BackupError(f"{member.name}: its content was changed")
            progress(source.tell(), size)
        extra = next(entries, None)
        if extra is not None:
            raise BackupError(f"{extra.name!r} is in the archive and not in the manifest")
        reader.require_seal()
        return told


def peek(archive: Path) -> Manifest | None:
    """Return the manifest of an archive, without reading on; None for one of the original.

    Raises:
        BackupError: It cannot be read.
    """
    with reading(archive) as (reader, _source, _size), damage_at("the begin"):
        first = next(reader.entries(), None)
        if first is None or first.name != manifest.NAME:
            return None
        return manifest.decode(_read_all(first))


def verify(archive: Path, *, progress: Progress = quiet) -> Verified:
    """Read an archive, compare every checksum, and open its database.

    Raises:
        BackupError: Something is wrong with it, and what.
        StorageFullError: There is no room to unpack the database.
    """
    stored: dict[str, str] = {}
    with _room(archive.parent) as folder:
        database = folder / "verified.db"

        def take(name: str, entry: Entry) -> None:
            if name == manifest.DATABASE:
                unpack(entry, database)
            elif name.startswith(manifest.FILES):
                entry.skip()
                stored[name.removeprefix(manifest.FILES)] = entry.sha256.hexdigest()

        told = walk(archive, take, progress=progress)
        check_database(database, stored, told)
        return Verified(manifest=told, files=len(stored), size_bytes=archive.stat().st_size)


def check_database(database: Path, stored: dict[str, str], told: Manifest | None) -> None:
    """Open an unpacked database, and hold the files of its backup against its rows.

    Args:
        database: The file.
        stored: Id of each file that the backup has, to its checksum.
        told: What the manifest says is damaged or missing.

    Raises:
        BackupError: They do not fit together, or the database is damaged.
    """
    found = copies.problems(database)
    if found:
        raise BackupError(f"{manifest.DATABASE}: {'; '.join(found)}")
    try:
        with copies.opened(database) as snapshot:
            if version(snapshot) == 0:
                raise BackupError(f"{manifest.DATABASE}: is not a database of Bakend")
            columns = {row["name"] for row in snapshot.all("PRAGMA table_info(_files)")}
            sql = "SELECT id, sha256 FROM _files" if "sha256" in columns else ""
            rows = [tuple(row) for row in snapshot.all(sql)] if sql else []
    except BackupError:
        raise
    except BakendError as error:
        raise BackupError(f"{manifest.DATABASE}: {error.message}") from error
    known_bad = {*told.damaged, *told.missing} if told is not None else set()
    for file_id, sha256 in rows:
        if file_id in known_bad or (told is None and file_id not in stored):
            continue
        if file_id not in stored:
            raise BackupError(f"{manifest.FILES}{file_id}: is missing")
        if sha256 is not None and stored[file_id] != sha256:
            raise BackupError(f"{manifest.FILES}{file_id}: is not the file of its row")


def unpack(entry: Entry, target: Path, *, mode: int = 0o600) -> None:
    """Write a member to a new file that only its owner may read.

    Raises:
        StorageFullError: There is no room; what a head promises is not even begun then.
    """
    with disk_errors():
        if entry.size_bytes > shutil.disk_usage(target.parent).free:
            raise OSError(errno.ENOSPC, "No space left")
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            while piece := entry.read():
                file.write(piece)


def _walk_original(first: Entry, entries: Iterator[Entry], take: Take) -> None:
    """Hand on `<any>.db` and `storage/files/…`; the original packs nothing else."""
    has_database = False
    entry: Entry | None = first
    while entry is not None:
        is_top = "/" not in entry.name
        if is_top and entry.name.endswith(DATABASE_SUFFIX) and not has_database:
            has_database = True
            take(manifest.DATABASE, entry)
        elif entry.name.startswith(manifest.FILES) and manifest.is_allowed(entry.name):
            take(entry.name, entry)
        elif not is_top and not entry.name.startswith("storage/"):
            raise BackupError(f"{entry.name!r} does not belong into a backup")
        entry = next(entries, None)
    if not has_database:
        raise BackupError("Backup archive is missing database file: no *.db in it")


def _read_all(entry: Entry) -> bytes:
    if entry.size_bytes > MANIFEST_MAX_BYTES:
        raise BackupError("The manifest is far too large")
    return b"".join(iter(entry.read, b""))


@contextlib.contextmanager
def _room(beside: Path) -> Iterator[Path]:
    """Make a folder for the time of a check: beside the archive, or where the system has its own.

    It is held locked, so that `remove_rooms` knows which ones are left behind.
    """
    made: tempfile.TemporaryDirectory[str]
    try:
        made = tempfile.TemporaryDirectory(prefix=_ROOM, dir=beside)
    except OSError:
        try:
            made = tempfile.TemporaryDirectory(prefix=_ROOM)
        except OSError as error:
            raise NotWritableError(
                f"There is no folder to unpack the database in: {error.strerror}",
                hint="make the folder of the archive writable, or set TMPDIR",
            ) from error
    with made as name:
        descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(descriptor)


def remove_rooms(folder: Path) -> None:
    """Remove what checks have left in a folder that were killed."""
    for path in folder.glob(f"{_ROOM}*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)
