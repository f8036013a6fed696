"""What keeps a project's backups: built from its settings when it is first asked for.

Most starts make no backup, so that what makes them is imported late.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from bakend.backups.replacement import Outcome, Replacement, Wish
from bakend.clock import Clock
from bakend.database.connection import Database
from bakend.database.lock import UseLock
from bakend.errors import BackupError, BakendError, ConflictError, SettingsError
from bakend.events.event import Actor, restore_failed
from bakend.settings import Settings

if TYPE_CHECKING:
    from bakend.backups.backups import Backups
    from bakend.backups.keeper import After, BackupKeeper
    from bakend.backups.restoring import Restoring

_log: Final = logging.getLogger("bakend.backups")


class Upkeep:
    """Thread: `start`, `stop` on the main thread; the rest on any."""

    def __init__(
        self,
        database: Database,
        open_blob: Callable[[str], BinaryIO | None],
        *,
        project: Path,
        config: Path,
        settings: Settings,
        clock: Clock,
        replacement: Replacement | None,
        end: Callable[[], None],
    ) -> None:
        """Take the parts.

        Args:
            database: What is backed up.
            open_blob: Returns the bytes of an uploaded file by its id.
            project: The folder of the project.
            config: Its config file.
            settings: What is configured.
            clock: Where time comes from.
            replacement: Takes what is to be restored; None where nobody would do it.
            end: Lets the server end, so that it is done.
        """
        self._database = database
        self._open_blob = open_blob
        self._project = project
        self._config = config
        self._settings = settings
        self._clock = clock
        self._replacement = replacement
        self._end = end
        self._keeper: BackupKeeper | None = None
        self._lock = threading.Lock()

    def backups(self) -> Backups:
        """Return what makes backups and knows those that there are."""
        from bakend.backups.backups import Backups

        return Backups(
            self._settings.backup_folder,
            self._database,
            self._open_blob,
            project=self._project,
            config=self._config,
            clock=self._clock,
        )

    def keeper(self) -> BackupKeeper:
        """Return who makes backups in the background.

        Raises:
            SettingsError: The schedule makes no sense.
        """
        with self._lock:
            if self._keeper is None:
                from bakend.backups.keeper import BackupKeeper

                self._keeper = BackupKeeper(
                    self.backups(),
                    self._database,
                    clock=self._clock,
                    keep=self._settings.backup_keep,
                    next_after=_schedule(self._settings.backup_schedule),
                )
            return self._keeper

    def restore(self, name: str, *, data_only: bool, actor: Actor) -> None:
        """Have a backup put in the place of the project, as soon as the server has ended.

        All of it is read before, so that nobody is cut off for a backup that is damaged.

        Raises:
            NotFoundError: There is none of that name.
            ConflictError: It cannot be restored, here or now.
            StorageFullError: There is no room for it.
        """
        if self._replacement is None:
            raise ConflictError(
                "This server cannot restore by itself: stop it, and use `bak backup restore --force`"
            )
        self._replacement.ask(lambda: self._looked_at(name, data_only=data_only, actor=actor))
        _log.info("The backup %s is about to be restored: the server ends for that", name)
        self._end()

    @property
    def restored(self) -> Outcome | None:
        """How the last restore went, since this process began."""
        return None if self._replacement is None else self._replacement.outcome

    def restoring(self, actor: Actor) -> Restoring:
        """Return what puts a backup in the place of the project, once nobody uses it."""
        from bakend.backups.restoring import Place, Restoring

        place = Place(
            project=self._project,
            config=self._config,
            database=self._settings.database,
            storage=self._settings.storage,
        )
        return Restoring(place, clock=self._clock, actor=actor)

    def _looked_at(self, name: str, *, data_only: bool, actor: Actor) -> Wish:
        from bakend.database.migrations import NEWEST

        keeper = self.keeper()
        path = keeper.find(name).path
        if keeper.running is not None:
            raise ConflictError(f"A backup is being made: {keeper.running}")
        if UseLock(self._settings.database).is_shared_with_others():
            raise ConflictError(
                "Another process uses the database: stop the other server or command first"
            )
        try:
            told = keeper.verify(name).manifest
        except BackupError as error:
            raise ConflictError(f"The backup cannot be restored: {error.message}") from error
        if told is not None and told.schema > NEWEST:
            raise ConflictError(
                f"The backup was made by a newer Bakend, {told.bakend}: its schema is {told.schema}, "
                f"and this one knows {NEWEST}"
            )
        self.restoring(actor).require_room(path)
        return Wish(name=name, path=path, data_only=data_only, actor=actor)

    def start(self) -> None:
        """Follow the schedule of backups, if there is one; tell of a restore that failed before.

        Raises:
            SettingsError: It makes no sense.
        """
        failed = None if self._replacement is None else self._replacement.take_untold()
        if failed is not None and failed.problem:
            try:
                with self._database.write(actor=failed.wish.actor) as tx:
                    tx.emit(restore_failed(failed.wish.name, failed.problem))
            except BakendError as error:
                _log.warning("The audit is not told of the restore: %s", error.message)
        if self._settings.backup_schedule is not None:
            self.keeper().start()

    def stop(self) -> None:
        """End what runs; calling it again does nothing."""
        with self._lock:
            keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()


def _schedule(text: str | None) -> After | None:
    if text is None:
        return None
    from bakend.jobs.schedule import Schedule

    try:
        return Schedule(text).after
    except ValueError as error:
        raise SettingsError([f"Invalid config: backup.schedule: {error}"]) from error
