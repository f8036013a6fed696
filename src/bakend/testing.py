"""The test kit: a project in a temporary folder, a clock that moves when told to, what was emitted.

Used by Bakend's own tests; nothing in the package imports it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from flask import Flask
from flask.testing import FlaskClient

from bakend.app import App
from bakend.auth.authenticator import Client
from bakend.auth.passwords import Cost, Passwords
from bakend.auth.user import User
from bakend.clock import Clock, SystemClock
from bakend.events.event import OPERATOR, Event
from bakend.logs import Recent, none_kept
from bakend.settings import Configured, Loaded, Secret, Settings
from bakend.settings.table import TABLE
from bakend.structs import Struct


class FakeClock:
    """A clock that stands still until it is advanced.

    Thread: any. `wait` and `pause` return when the clock was moved far enough, or, for `wait`, when
    the event is set or the condition notified.
    """

    def __init__(self, moment: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._began = moment
        self._elapsed_s = 0.0
        self._moved = threading.Condition()

    def now(self) -> datetime:
        """Return the moment that the clock shows."""
        return self._began + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Return how far the clock was advanced, in seconds."""
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        """Let time pass; whoever waited for this moment goes on."""
        with self._moved:
            self._elapsed_s += seconds
            self._moved.notify_all()

    def wait(self, condition: threading.Event | threading.Condition, timeout_s: float) -> bool:
        """Wait for an event or a held condition, or until the clock was moved past the timeout."""
        until = self._elapsed_s + timeout_s
        while self._elapsed_s < until:
            # A short real wait between looks: the event's own lock is not ours to wait on.
            if condition.wait(0.005):
                return True
        return isinstance(condition, threading.Event) and condition.is_set()

    def pause(self, seconds: float) -> None:
        """Wait until the clock was moved so far."""
        until = self._elapsed_s + seconds
        with self._moved:
            while self._elapsed_s < until:
                self._moved.wait()


PASSWORD: Final = "correct horse battery"  # noqa: S105  of everybody in a test
CHEAP: Final = Cost(log2_n=4, r=1, p=1)
"""Thousands of passwords a second, where tests need users."""


NOT_COPIED: Final = shutil.ignore_patterns(
    ".*", "*.db*", "storage", "backups", "__pycache__", "logs"
)
"""What of a project is data, or none of its own."""


class TestProject(Struct):
    """An opened project with a client that calls its API without a socket."""

    __test__ = False  # for pytest: not a test, though its name begins like one

    app: App
    client: FlaskClient
    folder: Path

    def sign_up(self, email: str, *, role: str = "authenticated") -> dict[str, str]:
        """Make a user who is logged in, and return the headers that say so."""
        return self.log_in(self.make_user(email, role=role).email)

    def make_user(self, email: str, *, role: str = "authenticated") -> User:
        """Make a user with the password `PASSWORD`."""
        return self.app.accounts.create(email, PASSWORD, role, OPERATOR)

    def log_in(self, email: str) -> dict[str, str]:
        """Log a user in, and return the headers that say so."""
        here = Client(address="127.0.0.1", user_agent="bakend.testing")
        login = self.app.authenticator.login(email, PASSWORD, here)
        return {"Authorization": f"Bearer {login.token}"}

    def write_file(self, path: str, text: str) -> None:
        """Write a file of the project, such as `functions/notify.py`."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def load_programs(self) -> None:
        """Load the functions and jobs of the project; what happens from now on reaches them."""
        programs = self.app.programs()
        programs.load()
        programs.engine.step()
        programs.scheduler.step()

    def run_pending(self, *, timeout_s: float = 20.0) -> None:
        """Let functions and jobs run until nothing is left that could run by now.

        Raises:
            TimeoutError: They have not come to an end in time.
        """
        programs, clock = self.app.programs(), SystemClock()
        until = clock.monotonic() + timeout_s
        quiet = 0
        while quiet < 2:  # what a step has written may be due only with the next one
            if clock.monotonic() >= until:
                raise TimeoutError("Functions or jobs have not come to an end")
            before = self.last_event()
            programs.engine.look_now()
            programs.engine.step()
            programs.scheduler.step()
            is_idle = programs.engine.is_idle and programs.scheduler.is_idle
            quiet = quiet + 1 if is_idle and before == self.last_event() else 0
            if not is_idle:
                clock.pause(0.002)

    def events(self, *, after: int = 0) -> list[Event]:
        """Return the events in the log behind a number."""
        with self.app.database.read() as snapshot:
            return self.app.event_log.since(snapshot, after, limit=10_000)

    def last_event(self) -> int:
        """Return the number of the last event."""
        with self.app.database.read() as snapshot:
            return self.app.event_log.end(snapshot)


@contextmanager
def temporary_project(
    collections: Sequence[Mapping[str, Any]] = (),
    *,
    settings: Mapping[str, Any] | None = None,
    clock: Clock | None = None,
    folder: Path | None = None,
    recent_lines: Recent = none_kept,
    first_admin: str | None = None,
    source: Path | None = None,
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[TestProject]:
    """Open a project in a new folder, and take it away afterwards.

    Args:
        collections: Definitions, written to `collections/` and served.
        settings: Fields of `Settings` that differ from their defaults.
        clock: The machine's, if none is given.
        folder: Take this folder instead, and leave it there.
        recent_lines: What administrators see of the log.
        first_admin: Address that becomes an administrator by registering.
        source: A project to begin with: its collections, functions, jobs and whatever else lies beside
            them are copied, its data is not.
        secrets: What functions and jobs find in `ctx.secrets`.
    """
    with tempfile.TemporaryDirectory(prefix="bakend-test-") as made:
        folder = Path(made) if folder is None else folder
        if source is not None:
            shutil.copytree(source, folder, ignore=NOT_COPIED, dirs_exist_ok=True)
        (folder / "collections").mkdir(exist_ok=True)
        for each in collections:
            (folder / "collections" / f"{each['name']}.json").write_text(json.dumps(each))
        configured = Settings(
            database=folder / "bakend.db",
            storage=folder / "storage",
            backup_folder=folder / "backups",
            auth_jwt_secret=Secret("a secret of tests, of no use to anybody"),
        ).replaced(**(settings or {}))
        app = App(
            configured,
            folder,
            clock=clock or SystemClock(),
            first_admin=first_admin,
            passwords=Passwords(CHEAP),
            recent_lines=recent_lines,
            configured=Configured(_loaded(configured, folder)),
            secrets=secrets,
        )
        try:
            app.open()
            app.collection_files.serve(changes=False)
            wsgi_app = app.wsgi_app()
            assert isinstance(wsgi_app, Flask)
            yield TestProject(app, wsgi_app.test_client(), folder)
        finally:
            app.close()


def _loaded(settings: Settings, folder: Path) -> Loaded:
    return Loaded(
        settings=settings,
        project=folder,
        config=folder / "bakend.json",
        sources={line.key: "default" for line in TABLE.values()},
        warnings=(),
        admin_email=None,
        admin_password=None,
        is_production=False,
        is_missing=False,
    )
