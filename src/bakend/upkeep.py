"""What keeps a project's backups: built from its settings when it is first asked for.

Most starts make no backup, so that what makes them is imported late.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from bakend.backups.replacement import Outcome, Replacement, RestoreWish
from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.lock import UseLock
from bakend.errors import (
    BackupError,
    BakendError,
    ConflictError,
    Fault,
    InvalidInputError,
    SettingsError,
    ValidationError,
)
from bakend.events.event import Actor, restore_failed, settings_updated
from bakend.settings import Configured, Settings

if TYPE_CHECKING:
    from bakend.backups.backups import Backups
    from bakend.backups.keeper import After, BackupKeeper
    from bakend.backups.restoring import Restoring

SCHEDULE_KEY: Final = "backup.schedule"
KEEP_KEY: Final = "backup.keep"

SCHEDULE_MAX: Final = 200
"""Characters; the longest that a person writes has fewer."""

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
        configured: Configured | None,
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
            configured: Changes that; None where it cannot be changed.
            clock: Where time comes from.
            replacement: Takes what is to be restored; None where nobody would do it.
            end: Lets the server end, so that it is done.
        """
        self._database = database
        self._open_blob = open_blob
        self._project = project
        self._config = config
        self._settings = settings
        self._configured = configured
        self._planning = threading.Lock()
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

    def plan(self) -> dict[str, object]:
        """Return `{"schedule", "keep", "next", "source", "keepSource"}`.

        `next` is a moment, null where none comes; the sources are as the settings have them.
        """
        at = self.keeper().next_at()
        sources = {} if self._configured is None else self._configured.loaded.sources
        return {
            "schedule": self._settings.backup_schedule,
            "keep": self._settings.backup_keep,
            "next": None if at is None else to_text(at),
            "source": sources.get(SCHEDULE_KEY, "default"),
            "keepSource": sources.get(KEEP_KEY, "default"),
        }

    def change_plan(self, wanted: Mapping[str, object], actor: Actor) -> None:
        """Write a schedule into the config file, and follow it from now on.

        Args:
            wanted: `schedule`, null for none, and `keep`; what is left out stays.
            actor: Who does it.

        Raises:
            ValidationError: One of them makes no sense.
            ConflictError: Something else sets it, or the file cannot be changed.
            StorageFullError: There is no room to write it.
        """
        if self._configured is None:
            raise ConflictError("Settings cannot be changed here: there is no server with a file")
        values = _parsed(wanted)
        keeper = self.keeper()
        with self._planning:
            before = self._settings
            try:
                with self._database.write(actor=actor) as tx:
                    loaded = self._configured.change(
                        values,
                        ready=lambda changes: tx.emit(settings_updated(self._config.name, changes)),
                    )
                    self._settings = before.replaced(
                        backup_schedule=loaded.settings.backup_schedule,
                        backup_keep=loaded.settings.backup_keep,
                    )
            finally:  # what the file says holds, also where the commit fails that tells of it
                if self._settings is not before:
                    schedule, keep = self._settings.backup_schedule, self._settings.backup_keep
                    keeper.follow(_schedule(schedule), keep=keep)
                    _log.info("Backups by schedule: %s, %d are kept", schedule or "off", keep)

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

    def _looked_at(self, name: str, *, data_only: bool, actor: Actor) -> RestoreWish:
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
        return RestoreWish(name=name, path=path, data_only=data_only, actor=actor)

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


def _parsed(wanted: Mapping[str, object]) -> dict[str, object]:
    """Return key to value of what is given.

    Raises:
        InvalidInputError: Nothing is.
        ValidationError: It makes no sense.
    """
    from bakend.jobs.schedule import Schedule
    from bakend.settings.table import TABLE

    values: dict[str, object] = {}
    faults: list[Fault] = []
    for name, key, rule in (("schedule", SCHEDULE_KEY, "schedule"), ("keep", KEEP_KEY, "type")):
        if name not in wanted:
            continue
        raw = wanted[name]
        kind = TABLE[f"backup_{name}"].kind
        try:
            is_none = raw is None and name == "schedule"
            values[key] = value = None if is_none else kind.parse(raw)
            if isinstance(value, str):
                if len(value) > SCHEDULE_MAX:
                    raise ValueError
                Schedule(value)
        except ValueError as error:
            reason = str(error) or f"{name} must be {kind.expected}"
            faults.append(Fault(name, rule, reason[:1].upper() + reason[1:]))
    if faults:
        raise ValidationError(faults)
    if not values:
        raise InvalidInputError("schedule or keep is required")
    return values
