"""The folder of backups: made, listed, verified, removed.

A backup is one moment of the database, and exactly the files that the database of that moment names.
The database is copied in one step, so writes that go on cannot hold it up. A file that is deleted after
that lies in the trash for `storage.graceTime`, and is read from there.

An archive is written under a name of its own, brought to the disk, read and opened once more, and gets
its good name only then. The unfinished file is held locked, so that the next backup knows what a killed
one has left.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from bakend.backups import contents, manifest, names
from bakend.backups.archive import Writer
from bakend.backups.contents import Measured, Source
from bakend.backups.manifest import Manifest
from bakend.backups.names import Kind
from bakend.backups.owner import give_away
from bakend.backups.swapping import sync_folder
from bakend.backups.verifying import Progress, Verified, quiet, remove_rooms, verify
from bakend.clock import Clock, to_text
from bakend.database import copies
from bakend.database.connection import Database
from bakend.database.migrations import version
from bakend.database.transaction import Snapshot
from bakend.errors import BackupError, NotFoundError, StorageFullError
from bakend.storage.failures import disk_errors
from bakend.storage.incoming import remove_abandoned
from bakend.structs import Struct
from bakend.version import VERSION

ROUNDS: Final = 3
"""How often files are read anew that are changed meanwhile; uploaded ones never are."""

OpenBlob = Callable[[str], BinaryIO | None]


class Backup(Struct, kw_only=True):
    """An archive in the folder, as far as can be told without reading it."""

    name: str
    path: Path
    size_bytes: int
    created_at: str
    is_scheduled: bool

    def as_json(self) -> dict[str, object]:
        """Return `{"name", "size", "createdAt", "scheduled"}`."""
        return {
            "name": self.name,
            "size": self.size_bytes,
            "createdAt": self.created_at,
            "scheduled": self.is_scheduled,
        }


class Made(Struct, kw_only=True):
    """A backup that was just made and verified."""

    path: Path
    size_bytes: int
    manifest: Manifest
    files: int


class Backups:
    """Makes and keeps the backups of a project. Thread: any; processes may do so side by side."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        open_blob: OpenBlob,
        *,
        project: Path,
        config: Path,
        clock: Clock,
    ) -> None:
        """Take the parts.

        Args:
            folder: The setting `backup.folder`; made when it is needed.
            database: What is copied, open.
            open_blob: Returns the bytes of an uploaded file by its id.
            project: Where collections, functions and jobs are.
            config: The project's config file.
            clock: Where time comes from.
        """
        self.folder = folder
        self._database = database
        self._open_blob = open_blob
        self._project = project
        self._config = config
        self._clock = clock

    def create(
        self,
        target: Path | None = None,
        *,
        kind: Kind = "backup",
        progress: Progress = quiet,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Made:
        """Make a backup, verify it, and give it its name.

        Args:
            target: The archive, or a folder for it; one with that name is replaced. In the folder of
                backups, if none is given.
            kind: What its name says.
            progress: Called now and then.
            is_stopped: Asked now and then; True ends it.

        Raises:
            BackupError: What was written is not what it should be, or it was stopped.
            StorageFullError: No space is left; nothing is kept.
            NotWritableError: The folder cannot be written.
        """
        if target is None or target.is_dir():
            target = (target or self.folder) / names.new_name(kind, self._clock.now())
        with disk_errors():
            if not target.parent.exists():
                target.parent.mkdir(parents=True)
                give_away(target.parent, self._project)
            self.clean(target.parent)
        self._require_space(target.parent)
        with (
            _unfinished(target.with_name(f".{target.name}.db{names.UNFINISHED}")) as (copy, _),
            _unfinished(target.with_name(f".{target.name}{names.UNFINISHED}")) as (path, file),
        ):
            created_at = to_text(self._clock.now())
            self._database.copy_to(copy)
            with disk_errors():
                told = self._write(
                    copy,
                    file,
                    created_at,
                    lambda done, total: progress(done, 2 * total),
                    is_stopped,
                )
            verified = verify(path, progress=lambda done, total: progress(total + done, 2 * total))
            with disk_errors():
                give_away(path, target.parent)
                path.replace(target)
                sync_folder(target.parent)
        return Made(
            path=target, size_bytes=verified.size_bytes, manifest=told, files=verified.files
        )

    def entries(self) -> list[Backup]:
        """Return the archives in the folder, the newest first."""
        found = []
        with disk_errors(), contextlib.suppress(FileNotFoundError), os.scandir(self.folder) as all_:
            for entry in all_:
                if names.is_name(entry.name) and entry.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):
                        found.append(_backup(Path(entry.path)))
        return sorted(found, key=lambda backup: (backup.created_at, backup.name), reverse=True)

    def find(self, name: str) -> Backup:
        """Return the backup of that name in the folder.

        Raises:
            NotFoundError: There is none.
        """
        path = self.folder / name
        if not names.is_name(name) or path.is_symlink() or not path.is_file():
            raise NotFoundError("Backup not found")
        return _backup(path)

    def verify(self, name: str) -> Verified:
        """Read a backup from begin to end.

        Raises:
            NotFoundError: There is none of that name.
            BackupError: Something is wrong with it.
        """
        return verify(self.find(name).path)

    def remove(self, name: str) -> None:
        """Remove a backup.

        Raises:
            NotFoundError: There is none of that name.
        """
        with disk_errors():
            self.find(name).path.unlink()

    def prune(self, keep: int) -> list[str]:
        """Remove all scheduled backups but the newest ones; return their names."""
        old = [backup.name for backup in self.entries() if backup.is_scheduled][keep:]
        for name in old:
            with contextlib.suppress(NotFoundError):
                self.remove(name)
        return old

    def clean(self, folder: Path) -> None:
        """Remove what backups have left unfinished that were killed."""
        for path in folder.glob(f".*{names.UNFINISHED}"):
            if path.is_file() and not path.is_symlink():
                remove_abandoned(path)
        for path in folder.glob(f".*{names.UNFINISHED}-*"):  # SQLite's own, of a copy that is gone
            if not path.with_name(path.name.rpartition("-")[0]).exists():
                path.unlink(missing_ok=True)
        remove_rooms(folder)

    def _require_space(self, folder: Path) -> None:
        """Refuse at once what would fill the disk, on which the server may be writing, too."""
        with disk_errors():
            free = shutil.disk_usage(folder).free
            # The copy, and the copy that is opened in the end: it comes and goes inside the archive's.
            needed = 2 * self._database.path.stat().st_size
        with self._database.read() as snapshot:
            if copies.has_table(snapshot, "_files"):
                needed += snapshot.value("SELECT coalesce(sum(size), 0) FROM _files")
        if needed > free:
            raise StorageFullError(
                f"A backup may need {_megabytes(needed)}, and {_megabytes(free)} are free in {folder}",
                hint="free space, or name another disk with --output or the setting backup.folder",
            )

    def _write(
        self,
        copy: Path,
        file: BinaryIO,
        created_at: str,
        progress: Progress,
        is_stopped: Callable[[], bool],
    ) -> Manifest:
        with copies.opened(copy) as snapshot:
            stored = contents.stored_sources(snapshot, self._open_blob)
            schema, last_event = version(snapshot), _last_event(snapshot)
        sources = [
            Source(name=manifest.DATABASE, open=lambda: copy.open("rb")),
            *contents.project_sources(self._project, self._config),
            *stored,
        ]
        for number in range(ROUNDS):
            measured, missing, damaged = _measure(sources, reads=number > 0, is_stopped=is_stopped)
            told = Manifest(
                bakend=VERSION,
                schema=schema,
                created_at=created_at,
                last_event=last_event,
                damaged=tuple(damaged),
                missing=tuple(missing),
                members=tuple(each.member for each in measured),
            )
            if _pack(file, told, measured, progress, is_stopped):
                return told
        raise BackupError(
            "Files of the project are changed all the time, so that no backup can be made",
            hint="look for what writes into collections, functions or jobs",
        )


def _measure(
    sources: Sequence[Source], *, reads: bool, is_stopped: Callable[[], bool]
) -> tuple[list[Measured], list[str], list[str]]:
    """Return what there is, and the ids of files that have no bytes, or others than they should."""
    measured, missing, damaged = [], [], []
    for source in sources:
        _go_on(is_stopped)
        found = contents.measure(source, reads=reads)
        file_id = source.name.removeprefix(manifest.FILES)
        if found is not None:
            measured.append(found)
            if source.sha256 is not None and found.member.sha256 != source.sha256:
                damaged.append(file_id)
        elif file_id != source.name:
            missing.append(file_id)
    return measured, missing, damaged


def _pack(
    file: BinaryIO,
    told: Manifest,
    measured: Sequence[Measured],
    progress: Progress,
    is_stopped: Callable[[], bool],
) -> bool:
    """Write the archive; return whether everything was as it was measured."""
    file.seek(0)
    file.truncate()
    writer = Writer(file)
    encoded = told.encode()
    writer.add(manifest.NAME, len(encoded), 0, io.BytesIO(encoded))
    done, total = 0, told.total_bytes
    for each in measured:
        _go_on(is_stopped)
        stream = each.source.open()
        if stream is None:
            return False
        with stream:
            try:
                sha256 = writer.add(each.member.name, each.member.size_bytes, each.mtime, stream)
            except EOFError:
                return False
            if sha256 != each.member.sha256:
                return False
        done += each.member.size_bytes
        progress(done, total)
    writer.close()
    file.flush()
    os.fsync(file.fileno())
    return True


def _go_on(is_stopped: Callable[[], bool]) -> None:
    if is_stopped():
        raise BackupError("The backup was stopped, and nothing is kept of it")


def _last_event(snapshot: Snapshot) -> int:
    if not copies.has_table(snapshot, "_events"):
        return 0
    return snapshot.value("SELECT seq FROM sqlite_sequence WHERE name = '_events'") or 0


def _backup(path: Path) -> Backup:
    status = path.stat()
    moment = names.moment_of(path.name)
    return Backup(
        name=path.name,
        path=path,
        size_bytes=status.st_size,
        created_at=to_text(moment or datetime.fromtimestamp(status.st_mtime, UTC)),
        is_scheduled=names.is_scheduled(path.name),
    )


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Make a file that only its owner may read, held locked; what is left of it is removed.

    Raises:
        BackupError: Another backup writes it.
    """
    with disk_errors():
        descriptor = _locked(path)
    with os.fdopen(descriptor, "r+b") as file:
        try:
            with disk_errors():
                file.truncate()  # only now: it may have been another one's
            yield path, file
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise BackupError(f"Another backup to {path.parent} is being made") from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # somebody who cleans up came between the two calls


def _megabytes(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB"
