"""How the server is: what `/health` and `/metrics` tell.

A deep look reads and writes, so it is taken at most once in `FRESH_S`, by one at a time, whoever asks: it
needs no protection, and a crowd that asks for it costs no more than one.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from bakend.clock import Clock
from bakend.database.connection import Database
from bakend.errors import BakendError
from bakend.events.event import Draft
from bakend.events.log import EventLog
from bakend.metrics import Metrics, Sample
from bakend.version import VERSION

if TYPE_CHECKING:
    from bakend.usercode.workers import Workers

GIVEN_UP_MANY: Final = 8
"""Threads of functions that never ended: twice as many as run by default, so that something is wrong."""

FRESH_S: Final = 5.0

DISK_LEAST_BYTES: Final = 64 * 1024 * 1024
"""As much as the write-ahead log may take; with less, the next burst of writes may fail."""

Sockets = Callable[[], Mapping[str, int]]
"""Returns how many `http` and `websocket` connections are open, and requests `waiting`."""


class Programs(Protocol):
    """What is asked of the functions and jobs of a project."""

    @property
    def given_up(self) -> Sequence[str]:
        """Names of runs that did not end."""
        ...

    @property
    def workers(self) -> Workers:
        """Their threads."""
        ...


class Vitals:
    """Thread: any."""

    def __init__(
        self,
        database: Database,
        event_log: EventLog,
        storage: Path,
        metrics: Metrics,
        *,
        clock: Clock,
        programs: Callable[[], Programs | None],
        sockets: Sockets,
    ) -> None:
        """Take the parts.

        Args:
            database: What is asked.
            event_log: Whose end is told.
            storage: The folder of uploaded files.
            metrics: What was counted.
            clock: Where time comes from.
            programs: Returns what runs functions and jobs, None where there are none.
            sockets: See its type.
        """
        self._database = database
        self._event_log = event_log
        self._storage = storage
        self._metrics = metrics
        self._clock = clock
        self._programs = programs
        self._sockets = sockets
        self._started_at = clock.now().timestamp()
        self._lock = threading.Lock()
        self._checks: dict[str, bool] = {}
        self._checked_at = -FRESH_S

    def warnings(self) -> list[str]:
        """Return what should be looked at; none of it keeps the server from its work."""
        given_up = self._given_up()
        if given_up < GIVEN_UP_MANY:
            return []
        return [f"{given_up} runs of functions never ended; their threads stay until a restart"]

    def check(self) -> dict[str, bool]:
        """Return whether the database reads and writes, the disk has room, and functions run."""
        with self._lock:
            now = self._clock.monotonic()
            if now - self._checked_at >= FRESH_S:
                self._checks = {
                    "read": self._can_read(),
                    "write": self._can_write(),
                    "disk": self._has_room(),
                    "functions": self._given_up() < GIVEN_UP_MANY,
                }
                self._checked_at = self._clock.monotonic()
            return self._checks

    def ran(self, draft: Draft) -> None:
        """Count a run of a function or job, as it is told when it begins and ends."""
        kind, _, result = draft.type.partition(".")
        if result != "started":
            self._metrics.ran(kind, result)

    def text(self) -> str:
        """Return all numbers in Prometheus' text format."""
        return self._metrics.text(self._samples())

    def _given_up(self) -> int:
        programs = self._programs()
        return 0 if programs is None else len(programs.given_up)

    def _can_read(self) -> bool:
        try:
            with self._database.read() as snapshot:
                return snapshot.one("SELECT 1 FROM _bakend_meta") is not None
        except BakendError:
            return False

    def _can_write(self) -> bool:
        try:
            with self._database.write() as tx:
                return tx.execute("UPDATE _bakend_meta SET value = value WHERE key = ?", _ROW) > 0
        except BakendError:
            return False

    def _has_room(self) -> bool:
        return all(free >= DISK_LEAST_BYTES for free in self._free().values())

    def _free(self) -> dict[str, int]:
        """Return the free bytes on the disk of the database and of the files."""
        found = {}
        for name, folder in (("database", self._database.path.parent), ("storage", self._storage)):
            while not folder.exists():  # the folder of files is made with the first of them
                folder = folder.parent
            found[name] = shutil.disk_usage(folder).free
        return found

    def _samples(self) -> Iterator[Sample]:
        yield Sample("bakend_info", "gauge", "The version.", 1, {"version": VERSION})
        sockets = self._sockets()
        for kind in ("http", "websocket"):
            yield Sample(
                "bakend_connections",
                "gauge",
                "Open connections.",
                sockets.get(kind, 0),
                {"kind": kind},
            )
        yield Sample(
            "bakend_http_requests_waiting",
            "gauge",
            "Requests that wait for a thread.",
            sockets.get("waiting", 0),
        )
        path = self._database.path
        yield Sample("bakend_database_bytes", "gauge", "Size of the database.", _size(path))
        log = path.with_name(f"{path.name}-wal")
        yield Sample("bakend_database_wal_bytes", "gauge", "Its write-ahead log.", _size(log))
        for name, free in self._free().items():
            yield Sample("bakend_disk_free_bytes", "gauge", "Free on the disk.", free, {"of": name})
        with self._database.read() as snapshot:
            last = self._event_log.end(snapshot)
            waiting = snapshot.value("SELECT count(*) FROM _runs WHERE status = 'waiting'")
        yield Sample("bakend_events_last", "counter", "Number of the last event.", last)
        yield Sample("bakend_runs_waiting", "gauge", "Runs that are to be tried again.", waiting)
        programs = self._programs()
        busy = 0 if programs is None else programs.workers.busy()
        yield Sample("bakend_runs_running", "gauge", "Runs in progress, or about to begin.", busy)
        yield Sample("bakend_runs_given_up", "gauge", "Runs that never ended.", self._given_up())
        yield from self._process()

    def _process(self) -> Iterator[Sample]:
        times = os.times()
        yield Sample(
            "process_cpu_seconds_total",
            "counter",
            "User and system time.",
            times.user + times.system,
        )
        yield Sample("process_start_time_seconds", "gauge", "Since the epoch.", self._started_at)
        pages = _first_words("/proc/self/statm")
        if len(pages) > 1:  # Linux
            resident = int(pages[1]) * os.sysconf("SC_PAGE_SIZE")
            yield Sample("process_resident_memory_bytes", "gauge", "Memory in use.", resident)
            count = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  only their number
            yield Sample("process_open_fds", "gauge", "Open files and sockets.", count)
        yield Sample("process_threads", "gauge", "Threads.", threading.active_count())


_ROW: Final = ("schema_version",)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _first_words(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").split()
    except OSError:
        return []
