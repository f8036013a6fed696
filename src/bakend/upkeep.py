"""What keeps a project's backups: built from its settings when it is first asked for.

Most starts make no backup, so that what makes them is imported late.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from bakend.clock import Clock
from bakend.database.connection import Database
from bakend.errors import SettingsError
from bakend.settings import Settings

if TYPE_CHECKING:
    from bakend.backups.backups import Backups
    from bakend.backups.keeper import After, BackupKeeper


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
    ) -> None:
        """Take the parts.

        Args:
            database: What is backed up.
            open_blob: Returns the bytes of an uploaded file by its id.
            project: The folder of the project.
            config: Its config file.
            settings: What is configured.
            clock: Where time comes from.
        """
        self._database = database
        self._open_blob = open_blob
        self._project = project
        self._config = config
        self._settings = settings
        self._clock = clock
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

    def start(self) -> None:
        """Follow the schedule of backups, if there is one.

        Raises:
            SettingsError: It makes no sense.
        """
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
