"""Putting a backup in the place of a project, which nobody may use meanwhile.

Everything is unpacked beside its place, held against the manifest and opened before the first old file
is touched. Then old and new change places by renames, as `swapping` has it, and the old state is kept.

No number of an event is used twice: the restored log goes on behind the last number of the one that it
replaces. Where that cannot be known, it leaves a million of them out.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bakend.backups import manifest, names
from bakend.backups.archive import Entry
from bakend.backups.manifest import Manifest
from bakend.backups.owner import give_away
from bakend.backups.swapping import Move, finish, is_interrupted, swap
from bakend.backups.verifying import Progress, check_database, peek, quiet, unpack, walk
from bakend.clock import Clock
from bakend.database import copies
from bakend.database.connection import Database
from bakend.database.lock import UseLock
from bakend.database.migrations import migrate
from bakend.errors import BackupError, BakendError, ConflictError, StorageFullError
from bakend.events.event import OPERATOR, Actor, backup_handled
from bakend.events.log import EventLog
from bakend.settings.sources import read_config
from bakend.storage.failures import disk_errors
from bakend.structs import Struct

LEAP: Final = 1_000_000
"""Numbers that are left out where nobody knows which were used; there are 2^53."""


class Restored(Struct, kw_only=True):
    """What was put in place."""

    manifest: Manifest | None
    files: int
    kept: tuple[Path, ...]
    """Folders with the old state; none where there was none."""
    project: Path


class Place(Struct, kw_only=True):
    """Where the parts of a project are."""

    project: Path
    config: Path
    database: Path
    storage: Path

    @property
    def files(self) -> Path:
        """The folder of uploaded files."""
        return self.storage / "files"


def place_in(folder: Path) -> Place:
    """Return where everything goes in a folder for a whole new project."""
    return Place(
        project=folder,
        config=folder / manifest.CONFIG,
        database=folder / manifest.DATABASE,
        storage=folder / "storage",
    )


class Restoring:
    """One restore. Thread: one."""

    def __init__(
        self, place: Place, *, clock: Clock, is_new: bool = False, actor: Actor = OPERATOR
    ) -> None:
        """Say where to.

        Args:
            place: The project.
            clock: Where time comes from.
            is_new: Whether the place is a new folder, in which the paths of the config file do not
                hold.
            actor: Who restores.
        """
        self._place = place
        self._clock = clock
        self._is_new = is_new
        self._actor = actor
        self._database = place.database.with_name(f".{place.database.name}.restoring")
        self._files = place.storage / "restoring"
        self._own = place.project / ".restoring"
        self._stored: dict[str, str] = {}

    def run(
        self,
        archive: Path,
        *,
        replaces: bool,
        data_only: bool = False,
        progress: Progress = quiet,
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> Restored:
        """Restore an archive.

        Args:
            archive: The file.
            replaces: Whether what is there may be replaced.
            data_only: Leave the project's own files: definitions, functions, jobs.
            progress: Called now and then.
            is_stopped: Asked now and then, before anything is replaced; True ends it.

        Raises:
            BackupError: The archive is not whole, or no backup, or it was stopped; nothing was changed.
            ConflictError: There is a project, and it may not be replaced.
            DatabaseBusyError: Somebody uses the project.
            StorageFullError: There is no room; nothing was changed.
            SchemaTooNewError: A newer Bakend made it; nothing was changed.
        """
        place = self._place
        with disk_errors():
            place.database.parent.mkdir(parents=True, exist_ok=True)
        lock = UseLock(place.database)
        lock.take_alone()
        try:
            finish(place.database)
            if not replaces:
                self._require_nothing_there()
            self.require_room(archive)
            with self._staged():
                told = self._unpack(
                    archive, data_only=data_only, progress=progress, is_stopped=is_stopped
                )
                check_database(self._database, self._stored, told)
                self._prepare(archive.name)
                with disk_errors():
                    for path in (self._database, self._files, self._own):
                        give_away(path, place.project)
                    os.sync()  # thousands of files at once, rather than one after the other
                _go_on(is_stopped)
                kept = self._swap(with_own=told is not None and not data_only)
            found = copies.problems(place.database, deep=False)
            if found:
                raise BackupError(f"The restored database is damaged: {'; '.join(found)}")
        finally:
            lock.release()
        return Restored(
            manifest=told, files=len(self._stored), kept=kept, project=self._place.project
        )

    def _require_nothing_there(self) -> None:
        place = self._place
        has_files = place.files.is_dir() and any(place.files.iterdir())
        if _has_content(place.database) or has_files:
            raise ConflictError(
                "Target database or storage already exists. Re-run with --force to overwrite.",
                hint="what is there is kept in a folder of its own then",
            )
        if self._is_new and any(
            (place.project / name).exists()
            for name in (manifest.CONFIG, *manifest.FOLDERS, *manifest.PROJECT_FILES)
        ):
            raise ConflictError(
                f"There is a project in {place.project}",
                hint="name a new folder, or restore without --to in the project's own",
            )

    def require_room(self, archive: Path) -> None:
        """Refuse what would fill the disk.

        Raises:
            StorageFullError: It would.
            BackupError: The archive cannot be read.
        """
        told = peek(archive)
        needed = archive.stat().st_size if told is None else told.total_bytes
        with disk_errors():
            self._place.storage.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self._place.storage).free
        if needed > free:
            raise StorageFullError(
                f"The backup needs {needed / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free",
                hint=f"free space on the disk of {self._place.storage}",
            )

    @contextlib.contextmanager
    def _staged(self) -> Iterator[None]:
        """Make room beside the places; what is left there, by this restore or a killed one, goes."""
        self._unstage()
        with disk_errors():
            self._files.mkdir(parents=True)
            self._own.mkdir(mode=0o700, parents=True)
        try:
            yield
        finally:
            # Who comes next ends an interrupted swap, and needs what it was to put in place.
            if not is_interrupted(self._place.database):
                self._unstage()

    def _unstage(self) -> None:
        for folder in (self._files, self._own):
            shutil.rmtree(folder, ignore_errors=True)
        for suffix in ("", "-wal", "-shm", "-journal"):
            self._database.with_name(self._database.name + suffix).unlink(missing_ok=True)

    def _unpack(
        self,
        archive: Path,
        *,
        data_only: bool,
        progress: Progress,
        is_stopped: Callable[[], bool],
    ) -> Manifest | None:
        def take(name: str, entry: Entry) -> None:
            _go_on(is_stopped)
            if name == manifest.DATABASE:
                unpack(entry, self._database)
            elif name.startswith(manifest.FILES):
                file_id = name.removeprefix(manifest.FILES)
                unpack(entry, self._files / file_id)
                self._stored[file_id] = entry.sha256.hexdigest()
            elif not data_only:
                target = self._own / name
                with disk_errors():
                    target.parent.mkdir(parents=True, exist_ok=True)
                unpack(entry, target, mode=0o644)

        return walk(archive, take, progress=progress)

    def _prepare(self, name: str) -> None:
        """Bring the unpacked database to our schema, and let its log go on where the old one ended."""
        last = self._last_event_here()
        log = EventLog(clock=self._clock, retention_s=0, max_rows=0)
        database = Database(self._database, clock=self._clock, journal=log.append)
        database.open()
        try:
            migrate(database, report=lambda _text: None, copies_to=None)
            with database.write(actor=self._actor) as tx:
                end = log.end(tx)
                if last is not None and last >= end:
                    log.leap(tx, last)
                elif end:  # nothing is there to ask, or something that knows less than the backup
                    log.leap(tx, end + LEAP)
                tx.emit(backup_handled(name, "restored"))
        finally:
            database.close()

    def _last_event_here(self) -> int | None:
        """Return the last number that the database in place has used, None where nobody can know."""
        if not _has_content(self._place.database):
            return None
        log = EventLog(clock=self._clock, retention_s=0, max_rows=0)
        # As a server does: what a crash has left in the write-ahead log counts.
        database = Database(self._place.database, clock=self._clock)
        try:
            database.open()
            with database.read() as snapshot:
                return log.end(snapshot) if copies.has_table(snapshot, "_events") else 0
        except BakendError:
            return None
        finally:
            database.close()

    def _swap(self, *, with_own: bool) -> tuple[Path, ...]:
        place = self._place
        aside = f"before-restore-{names.in_name(self._clock.now())}"
        old: dict[Path, Path] = {
            place.database.with_name(place.database.name + suffix): Path(
                place.database.name + suffix
            )
            for suffix in ("", "-wal", "-shm")
        }
        old[place.files] = Path("storage", "files")
        moves = [Move(self._database, place.database), Move(self._files, place.files)]
        if with_own:
            for name in (*manifest.FOLDERS, *manifest.PROJECT_FILES):
                old[place.project / name] = Path(name)
            for folder in manifest.FOLDERS:
                (self._own / folder).mkdir(exist_ok=True)
            moves += [
                Move(each, place.project / each.name)
                for each in sorted(self._own.iterdir())
                if each.name != manifest.CONFIG
            ]
        if self._is_new or (with_own and not place.config.exists()):
            moves.append(Move(self._config(), place.config))
        kept = [
            Move(path, self._folder_for(path) / aside / name)
            for path, name in old.items()
            if os.path.lexists(path)
        ]
        swap(place.database, [*kept, *moves])
        folders = dict.fromkeys(self._folder_for(move.old) / aside for move in kept)
        return tuple(folders)

    def _folder_for(self, path: Path) -> Path:
        """Return where the old is kept: in the project, unless that is on another file system."""
        is_same = path.parent.stat().st_dev == self._place.project.stat().st_dev
        return self._place.project if is_same else path.parent

    def _config(self) -> Path:
        """Return the config file that is put in place; in a new folder with the paths of that one."""
        path = self._own / manifest.CONFIG
        root = read_config(path) or {}
        if self._is_new:
            for key, value in (("database", "./bakend.db"), ("storage", "./storage")):
                section = root.get(key)
                root[key] = {**section, "path": value} if isinstance(section, dict) else value
                root.pop(f"{key}.path", None)
            path.unlink(missing_ok=True)
            path.write_text(f"{json.dumps(root, indent=2, ensure_ascii=False)}\n", "utf-8")
        return path


def _go_on(is_stopped: Callable[[], bool]) -> None:
    if is_stopped():
        raise BackupError("The restore was stopped, and nothing was changed")


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
