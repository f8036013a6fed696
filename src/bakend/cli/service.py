"""A start as a service of systemd: who is told, and which sockets are taken."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from bakend.app import App
from bakend.backups.replacement import Replacement
from bakend.clock import Clock
from bakend.database.connection import Database
from bakend.server.serve import Supervisor
from bakend.systemd.activation import passed_sockets
from bakend.systemd.notify import SIGNS_PER_WATCHDOG, Notifier

WITHOUT_WATCHDOG_S: Final = 20.0
"""Should the first answer fail, the next one says that we are ready."""

_log: Final = logging.getLogger("bakend.app")


class Service:
    """What a start does for systemd. Thread: the main one."""

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        """Take over what was passed.

        Raises:
            SettingsError: A socket that was passed cannot be used.
        """
        self._sockets = passed_sockets(environ)
        self._notifier = Notifier(environ, clock)
        self._is_ready = False
        self._where = ""

    def open(self, app: App) -> None:
        """Open the database; a migration may take as long as it takes."""
        self._notifier.status("Opening the database")
        try:
            app.open(report=self._report)
        finally:
            self._notifier.is_through()

    def _report(self, text: str) -> None:
        _log.info(text)
        self._notifier.status(text)
        self._notifier.takes_long()

    def listen(
        self, app: App, *, develops: bool, configured: int, replacement: Replacement
    ) -> list[tuple[str, int]]:
        """Take the sockets that were passed, or the port; return the addresses.

        Args:
            develops: As `App.listen` has it.
            configured: The port of the settings.
            replacement: Whether an end is one, or a restore comes next.
        """
        self._notifier.status("Loading the project")
        watchdog_s = self._notifier.watchdog_s
        addresses = app.listen(
            develops=develops,
            # The server closes its own; ours are for the one after a restore.
            sockets=[sock.dup() for sock in self._sockets],
            supervisor=Supervisor(
                answers=lambda: self._answers(app.database),
                every_s=(watchdog_s or WITHOUT_WATCHDOG_S) / SIGNS_PER_WATCHDOG,
                stops=lambda: self._stops(replacement),
            ),
        )
        ports = sorted({port for _, port in addresses})
        if configured not in ports:
            _log.warning(
                "systemd has opened port %d, the settings say %d: `bak health` asks the second, "
                "unless it is given --url",
                ports[0],
                configured,
            )
        self._where = f"port {', '.join(map(str, ports))}"
        return addresses

    def _stops(self, replacement: Replacement) -> None:
        """Tell what an end is for; on the loop, which feeds the watchdog no more."""
        if replacement.wish is None:
            self._notifier.stopping("Stopping: requests in progress are answered")
        else:  # it is none to systemd, which would kill us after it
            self._is_ready = False
            self._notifier.status(f"Restoring {replacement.wish.name}")
            self._notifier.takes_long()

    def _answers(self, database: Database) -> None:
        """Tell that requests are answered, if the database can be read; on a thread that answers them."""
        with database.read() as snapshot:
            snapshot.value("SELECT 1")
        if self._is_ready:
            self._notifier.alive()
        else:
            self._is_ready = True
            self._notifier.ready(f"Serving on {self._where}")
