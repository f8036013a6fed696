"""The composition root: every part is built here, once, and given what it needs.

The same graph serves the server, short commands and tests. A part is handed its parts; nothing is
looked up. Opening goes in the order of the layers, closing in the other.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from bakend.accounts.administration import Accounts
from bakend.accounts.ending import Ending
from bakend.accounts.first_admin import FirstAdmin
from bakend.api.answers import refusal
from bakend.api.app import Parts, WSGIApplication, create_wsgi_app
from bakend.api.cors import origins_of
from bakend.api.dashboard import assets
from bakend.api.errors import Headers
from bakend.api.health import Looks
from bakend.audit import Audit
from bakend.auth.parts import build
from bakend.auth.passwords import Passwords
from bakend.backups import swapping
from bakend.backups.replacement import Replacement
from bakend.clock import Clock
from bakend.collections.catalog import Catalog
from bakend.collections.editor import CollectionEditor
from bakend.collections.export import CollectionExport
from bakend.collections.files import CollectionFiles
from bakend.collections.patterns import PatternRunner
from bakend.database.connection import Database
from bakend.database.lock import UseLock
from bakend.database.migrations import migrate, require_readable
from bakend.errors import BakendError
from bakend.events.bus import Bus
from bakend.events.event import Draft
from bakend.events.log import EventLog
from bakend.housekeeping import Chore, Housekeeper
from bakend.logs import Recent, none_kept
from bakend.metrics import Metrics
from bakend.pruning import Pruning
from bakend.realtime.front import Realtime
from bakend.realtime.parts import Parts as RealtimeParts
from bakend.records.store import RecordStore
from bakend.server.serve import Server, Supervisor
from bakend.settings import Configured, Settings
from bakend.storage.blobs import Blobs
from bakend.storage.files import FileStore
from bakend.upkeep import Upkeep
from bakend.usercode.packages.folder import PackageFolder
from bakend.usercode.presence import are_there
from bakend.usercode.runs import Runs
from bakend.vitals import Vitals

if TYPE_CHECKING:
    from bakend.programs import Programs
    from bakend.usercode.watcher import Watcher

REALTIME_PATH: Final = "/api/realtime"
UPLOAD_PATH: Final = "/api/storage/upload"
FORM_BYTES: Final = 1024 * 1024
"""What a form may hold beside its file."""

_log: Final = logging.getLogger("bakend.app")


class App:
    """One project, running.

    Thread: `open`, `serve` and `close` on the main thread; `stop` on any, and in a signal handler.
    """

    def __init__(
        self,
        settings: Settings,
        project: Path,
        *,
        clock: Clock,
        config: Path | None = None,
        first_admin: str | None = None,
        passwords: Passwords | None = None,
        recent_lines: Recent = none_kept,
        configured: Configured | None = None,
        secrets: Mapping[str, str] = MappingProxyType({}),
        replacement: Replacement | None = None,
    ) -> None:
        """Build every part; nothing is opened or started yet.

        Args:
            settings: What is configured.
            project: The folder of `bakend.json`.
            clock: Where time comes from.
            config: The config file, if it is not `bakend.json` there.
            first_admin: Address that becomes an administrator by registering, while there is none.
            passwords: Hashes passwords in a cheaper way, in tests.
            recent_lines: Returns the last lines of the log, for administrators.
            configured: What is configured, for administrators, who may change some of it.
            secrets: The environment, as functions and jobs may ask for it.
            replacement: Takes the backup that is to be restored once this has ended; None where
                nobody would do it.
        """
        self._settings = settings
        self._recent_lines = recent_lines
        self._configured = configured
        self._secrets = secrets
        self.event_log = EventLog(
            clock=clock,
            retention_s=settings.events_retention_s,
            max_rows=settings.events_max_rows,
        )
        self.database = Database(
            settings.database,
            clock=clock,
            busy_timeout_s=settings.database_busy_timeout_s,
            synchronous=settings.database_synchronous,
            journal=self.event_log.append,
            committed=self._committed,
        )
        self.bus = Bus(self.database, self.event_log, clock)
        self.catalog = Catalog(self.database, clock=clock)
        self.collection_files = CollectionFiles(
            project / "collections", self.database, self.catalog
        )
        self.export = CollectionExport(project / "collections", self.database, self.catalog)
        self._editor = CollectionEditor(
            self.database,
            self.catalog,
            changed=self.export.write_back if settings.collections_write_back else None,
        )
        passwords = passwords or Passwords()
        auth = build(self.database, settings, passwords, clock=clock, first_admin=first_admin)
        self._users, self._sessions, self._throttle = auth.users, auth.sessions, auth.throttle
        self.authenticator, self._link_key = auth.authenticator, auth.link_key
        self.audit = Audit(
            self.database,
            self.event_log,
            clock=clock,
            retention_s=settings.audit_retention_s,
            email_of=self._users.email_of,
        )
        self._runs = Runs(clock=clock)
        self._patterns = PatternRunner()
        blobs = Blobs(settings.storage, clock=clock, grace_s=settings.storage_grace_time_s)
        self._use_lock = UseLock(settings.database)
        self.upkeep = Upkeep(
            self.database,
            blobs.open_kept,
            project=project,
            config=config or project / "bakend.json",
            settings=settings,
            configured=configured,
            clock=clock,
            replacement=replacement,
            end=self.stop,
        )
        self.files = FileStore(
            self.database,
            blobs,
            clock=clock,
            max_bytes=settings.storage_max_file_size_bytes,
            user_exists=self._users.exists,
        )
        self.pruning = Pruning(
            self.database,
            self.catalog,
            self.files,
            blobs,
            clock=clock,
            grace_s=settings.storage_grace_time_s,
        )
        self.records = RecordStore(
            self.database,
            self.catalog,
            clock=clock,
            matches=self._patterns.matches,
            user_exists=self._users.exists,
            find_file=self.files.find,
            list_max=settings.records_list_max,
        )
        self.accounts = Accounts(
            self.database,
            self._users,
            self._sessions,
            passwords,
            clock=clock,
            ending=Ending(
                self.catalog,
                self.records,
                self.files,
                policy=settings.auth_deleted_user_data,
                logs=(self.event_log.blank, self.audit.blank, self._runs.blank),
            ),
        )
        self.first_admin = FirstAdmin(
            self.database, self._users, self.accounts, passwords, self.authenticator
        )
        self._clock = clock
        self._origins = origins_of(settings.cors_origins)
        self._realtime = Realtime(
            RealtimeParts(
                clock=clock,
                database=self.database,
                event_log=self.event_log,
                bus=self.bus,
                catalog=self.catalog,
                identify=self.authenticator.holder,
                allows_origin=self._origins.allow,
                max_message_bytes=settings.realtime_max_message_bytes,
                ping_s=settings.realtime_ping_s,
                timeout_s=settings.realtime_timeout_s,
            ),
            max_connections=settings.realtime_max_connections,
        )
        self._metrics = Metrics()
        self._vitals = Vitals(
            self.database,
            self.event_log,
            settings.storage,
            self._metrics,
            clock=clock,
            programs=lambda: self._programs,
            sockets=self._sockets,
        )
        self._packages = PackageFolder(project)
        self._watchers: list[Watcher] = []
        self._programs: Programs | None = None
        self._housekeeper: Housekeeper | None = None
        self._project = project
        self._server: Server | None = None
        self._is_stopped = False
        self._programs_lock = threading.Lock()

    def open(self, *, writes: bool = True, report: Callable[[str], None] = _log.info) -> None:
        """Open the database, bring it to the newest schema, and repair what its collections lack.

        Args:
            writes: False for a command that only looks: a database of an older schema, which has
                the same collections, stays as it is.
            report: Takes a sentence about each step of a migration.

        Raises:
            SchemaTooNewError: A newer Bakend wrote it.
            NotWritableError: It cannot be written.
            SettingsError: It is not a database of Bakend.
            DatabaseBusyError: It is being replaced.
        """
        settings = self._settings
        if swapping.is_interrupted(settings.database) and swapping.finish_alone(settings.database):
            _log.warning("A restore that was interrupted has been brought to its end")
        self._use_lock.share(makes_file=writes)
        self.database.open()
        if require_readable(self.database) == 0 or writes:
            migrate(
                self.database,
                report=report,
                copies_to=settings.backup_folder if settings.backup_before_migration else None,
            )
            self.catalog.open()
            self.audit.register()

    def wsgi_app(self, *, develops: bool = False) -> WSGIApplication:
        """Return the HTTP application.

        Args:
            develops: Whether a rebuilt dashboard shows at once.
        """
        return create_wsgi_app(
            Parts(
                clock=self._clock,
                authenticator=self.authenticator,
                accounts=self.accounts,
                first_admin=self.first_admin,
                records=self.records,
                files=self.files,
                link_key=self._link_key,
                json_depth=self._settings.limits_json_depth,
                trusted_proxies=self._settings.server_trusted_proxies,
                dashboard=(assets(develops=develops) if self._settings.dashboard_enabled else None),
                origins=self._origins,
                database=self.database,
                event_log=self.event_log,
                audit=self.audit,
                programs=self.programs,
                upkeep=self.upkeep,
                editor=self._editor,
                file_words=self.collection_files.words,
                recent_lines=self._recent_lines,
                looks=Looks(
                    warnings=self._vitals.warnings,
                    check=self._vitals.check,
                    metrics=self._vitals.text,
                    token=token.reveal() if (token := self._settings.metrics_token) else None,
                ),
                metrics=self._metrics,
                show_settings=self._show_settings,
            )
        )

    def listen(
        self,
        *,
        develops: bool,
        sockets: Sequence[socket.socket] = (),
        supervisor: Supervisor | None = None,
    ) -> list[tuple[str, int]]:
        """Serve the project's collections and take the port; return the addresses.

        Args:
            develops: Whether changed definition files are applied as they are saved.
            sockets: What listens already, in place of the host and port of the settings.
            supervisor: Who is told that requests are answered.

        Raises:
            AddressInUseError: Another process has the port.
        """
        self.collection_files.serve(changes=develops)
        self._packages.put_on_path()
        problem = self._packages.problem()
        if problem is not None:
            _log.warning("%s", problem)
        settings = self._settings
        self._server = Server(
            self.wsgi_app(develops=develops),
            host=settings.host,
            port=settings.port,
            threads=settings.server_threads,
            max_connections=settings.server_max_connections,
            stop_timeout_s=settings.server_stop_timeout_s,
            body_limits={
                "/": settings.limits_json_body_bytes,
                UPLOAD_PATH: settings.storage_max_file_size_bytes + FORM_BYTES,
            },
            upgrades={REALTIME_PATH: self._realtime},
            max_upgraded=settings.realtime_max_connections,
            temporary=settings.storage / "tmp",
            error_response=self._refuse,
            clock=self._clock,
            sockets=sockets,
            supervisor=supervisor,
        )
        self._realtime.max_connections = self._server.max_upgraded
        self.files.clean()
        if develops:
            from bakend.usercode.watcher import Watcher  # a server in production has none

            for folder, pattern, changed in (
                ("collections", "*.json", lambda: self.collection_files.serve(changes=True)),
                ("functions", "**/*.py", self.programs().reload),
                ("jobs", "**/*.py", self.programs().reload),
            ):
                watcher = Watcher(self._project / folder, pattern, changed, clock=self._clock)
                self._watchers.append(watcher)
                watcher.start()
        with self.database.read() as snapshot:
            self._throttle.load(snapshot)
        self._housekeeper = Housekeeper(self._chores(), clock=self._clock)
        self._housekeeper.start()
        self.audit.start()
        self.upkeep.start()
        if develops or are_there(self._project, self.database, self._runs):
            self.programs().load()
            self.programs().start()
        if self._is_stopped:  # the signal came while the parts were being opened
            self._server.stop()
        return self._server.addresses

    def serve(self) -> None:
        """Answer requests until `stop`, then until those in flight are answered."""
        assert self._server is not None
        self._server.run()

    def stop(self) -> None:
        """Let `serve` end: no new connection, requests in flight are answered."""
        self._is_stopped = True
        if self._server is not None:
            self._server.stop()

    def close(self) -> None:
        """Stop what was started and close what was opened; calling it again does nothing."""
        while self._watchers:
            self._watchers.pop().stop()
        if self._programs is not None:
            try:
                self._programs.stop()
            except BakendError as error:  # what has run since the last note runs again
                _log.warning("How far functions are is not noted: %s", error.message)
            self._programs = None
        self._realtime.stop()
        self.upkeep.stop()
        self.audit.stop()
        if self._housekeeper is not None:
            self._housekeeper.stop()
            self._housekeeper = None
            try:
                self._throttle.keep(self.database)
            except BakendError as error:  # a full disk must not keep the rest from closing
                _log.warning("The counts of failed logins are not saved: %s", error.message)
        self._packages.take_off_path()
        self._patterns.close()
        self.database.close()
        self._use_lock.release()

    def programs(self) -> Programs:
        """Return the project's functions and jobs; made when they are first asked for."""
        with self._programs_lock:
            if self._programs is None:
                from bakend.programs import Programs  # most projects have none
                from bakend.usercode.context import Services
                from bakend.usercode.tasks import TaskQueue

                services = Services(
                    clock=self._clock,
                    database=self.database,
                    records=self.records,
                    files=self.files,
                    settings=self._settings,
                    secrets=self._secrets,
                    find_user=self._users.find,
                    tasks=TaskQueue(self._runs, clock=self._clock),
                )
                self._programs = Programs(
                    self._project,
                    self.database,
                    self.event_log,
                    self._runs,
                    services,
                    clock=self._clock,
                    settings=self._settings,
                    tell=self._tell,
                )
                self._packages.put_on_path()
                self.records.hooks = self._programs.before
            return self._programs

    def _show_settings(self) -> Mapping[str, object]:
        from bakend.settings.show import shown  # only when an administrator asks

        return {} if self._configured is None else shown(self._configured.loaded)

    def _refuse(self, error: BakendError, status: int) -> tuple[int, Headers, bytes]:
        self._metrics.refused(status)
        return refusal(error, status)

    def _sockets(self) -> dict[str, int]:
        sockets = {} if self._server is None else self._server.sockets()
        return {**sockets, "websocket": self._realtime.connections()}

    def _tell(self, draft: Draft) -> None:
        self._vitals.ran(draft)
        self._realtime.tell(draft)

    def _committed(self) -> None:
        self.bus.wake()
        if self._programs is not None:
            self._programs.engine.wake()

    def _chores(self) -> tuple[Chore, ...]:
        throttle, sessions, database = self._throttle, self._sessions, self.database
        return (
            Chore(name="saving the throttle", every_s=5, run=lambda: throttle.keep(database)),
            Chore(name="cleaning sessions", every_s=600, run=lambda: sessions.clean_all(database)),
            Chore(name="trimming the audit", every_s=3_600, run=self.audit.trim),
            Chore(name="emptying the trash", every_s=600, run=self.files.clean),
        )
