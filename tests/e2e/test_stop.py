"""A server that is told to stop answers what has begun, and then ends with 0."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import raw
from processes import (
    CLOCK,
    ServerProcess,
    make_project,
    running_server,
    start_server,
    wait_until,
)
from raw import Raw
from samples import LISTS

pytestmark = pytest.mark.e2e

SIGNALS = [signal.SIGTERM, signal.SIGINT]
CONNECTIONS = 100
PATIENT = {"database.busyTimeout": "30s"}


@contextlib.contextmanager
def _write_lock(folder: Path) -> Iterator[sqlite3.Connection]:
    """Hold the database as another process does in a long transaction, until a rollback."""
    with contextlib.closing(sqlite3.connect(folder / "bakend.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def _names(folder: Path) -> set[str]:
    """Return what is stored, of a database that must be whole."""
    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {row[0] for row in database.execute("SELECT name FROM lists")}


def _refuses_connections(server: ServerProcess) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def _signal_and_wait_refused(server: ServerProcess, number: int = signal.SIGTERM) -> None:
    server.signal(number)
    wait_until(lambda: _refuses_connections(server), 20, what="new connections are refused")


@pytest.mark.slow
def test_every_request_begun_before_the_signal_gets_its_whole_answer(tmp_path: Path) -> None:
    """100 connections, half of them in the middle of a body, are answered with Connection: close."""
    make_project(tmp_path, [LISTS], **PATIENT)
    bodies = [raw.body(f"list {number}") for number in range(CONNECTIONS)]
    with running_server(tmp_path) as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(Raw(server.port)) for _ in bodies]
        for connection in connections:
            first = connection.get("/health").answer()
            assert (first.status, first.headers["Connection"]) == (200, None)

        with _write_lock(tmp_path) as lock:  # whoever is whole has to wait for it
            for number, (connection, body) in enumerate(zip(connections, bodies, strict=True)):
                # Half are whole; a quarter has sent the head alone, a quarter a part of the body.
                sent = [len(body), 0, len(body), 7][number % 4]
                connection.send(raw.post_head("/api/lists", len(body)), body[:sent])
            _signal_and_wait_refused(server)
            signalled_at = CLOCK.monotonic()
            lock.rollback()

        for number, (connection, body) in enumerate(zip(connections, bodies, strict=True)):
            sent = [len(body), 0, len(body), 7][number % 4]
            if sent < len(body):  # between 0.5 and 3 s after the signal
                due = signalled_at + 0.5 + 2.5 * number / CONNECTIONS
                CLOCK.pause(max(0.0, due - CLOCK.monotonic()))
                connection.send(body[sent:])

        for connection in connections:
            answer = connection.answer("POST")
            assert (answer.status, answer.headers["Connection"]) == (201, "close")
            assert connection.is_closed()
        assert server.wait() == 0
        assert "INFO Shutting down" in server.log
        assert " ERROR " not in server.log

    assert _names(tmp_path) == {f"list {number}" for number in range(CONNECTIONS)}


@pytest.mark.parametrize("number", SIGNALS)
def test_an_idle_server_stops_at_once(tmp_path: Path, number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C end a server with code 0; idle connections are closed."""
    make_project(tmp_path, [LISTS])
    with running_server(tmp_path) as server, Raw(server.port) as idle:
        assert idle.get("/health").answer().status == 200

        server.signal(number)

        assert idle.is_closed()
        assert server.wait() == 0
        assert server.log.count("INFO Shutting down") == 1
        assert server.log.endswith("INFO Stopped\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_create_that_waits_for_another_process_is_answered(
    tmp_path: Path, number: signal.Signals
) -> None:
    """A write that waits for the lock when the signal comes is made once the lock is free."""
    make_project(tmp_path, [LISTS], **PATIENT)
    with running_server(tmp_path) as server, Raw(server.port) as connection:
        with _write_lock(tmp_path) as lock:
            connection.post("/api/lists", raw.body("late"))
            _signal_and_wait_refused(server, number)
            lock.rollback()

        answer = connection.answer("POST")
        assert (answer.status, answer.headers["Connection"]) == (201, "close")
        assert server.wait() == 0
    assert _names(tmp_path) == {"late"}


def test_a_create_that_waits_in_vain_is_told_so(tmp_path: Path) -> None:
    """Where the lock is never free, the client gets its 503 and the server ends all the same."""
    make_project(tmp_path, [LISTS], **{"database.busyTimeout": "1s"})
    with running_server(tmp_path) as server, Raw(server.port) as connection, _write_lock(tmp_path):
        connection.post("/api/lists", raw.body("never"))
        server.signal(signal.SIGTERM)

        answer = connection.answer("POST")
        assert (answer.status, answer.code) == (503, "unavailable")
        assert answer.headers["Retry-After"] is not None
        assert server.wait() == 0
    assert _names(tmp_path) == set()


def test_a_second_signal_changes_nothing(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C again does not cut off a request that is being answered."""
    make_project(tmp_path, [LISTS])
    body = raw.body("patient")
    with running_server(tmp_path) as server, Raw(server.port) as connection:
        connection.send(raw.post_head("/api/lists", len(body)), body[:5])
        _signal_and_wait_refused(server)
        for number in [*SIGNALS, *SIGNALS]:
            server.signal(number)

        connection.send(body[5:])

        answer = connection.answer("POST")
        assert (answer.status, answer.headers["Connection"]) == (201, "close")
        assert server.wait() == 0
        assert server.log.count("INFO Shutting down") == 1


def test_a_client_that_never_finishes_is_given_up(tmp_path: Path) -> None:
    """After `server.stopTimeout` the server ends with 0 and says that it cut somebody off."""
    make_project(tmp_path, [LISTS], **{"server.stopTimeout": "1s"})
    with running_server(tmp_path) as server, Raw(server.port) as connection:
        connection.get("/health").answer()
        connection.send(raw.post_head("/api/lists", 1_000), b'{"name": "')
        _signal_and_wait_refused(server)

        assert server.wait(20) == 0
        assert "took longer than the time to stop count=1" in server.log
        assert connection.is_closed()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to see an open file")
def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    """A server that is told to stop while it waits for the database ends with 0 and serves nobody."""
    make_project(tmp_path, [LISTS], **PATIENT)
    with running_server(tmp_path):
        pass
    make_project(tmp_path, [LISTS | {"name": "more"}], **PATIENT)  # the start has to write this

    with _write_lock(tmp_path) as lock, start_server(tmp_path) as server:
        wait_until(lambda: _has_open(server.pid, "bakend.db-wal"), 20, what="the database is open")
        server.signal(signal.SIGTERM)
        lock.rollback()

        assert server.wait() == 0
        assert " ERROR " not in server.log
    assert _names(tmp_path) == set()


@pytest.mark.slow
def test_a_signal_at_any_moment_of_the_start_leaves_a_project_that_starts(tmp_path: Path) -> None:
    """Told to stop before it can listen to signals it is ended by them; after that it ends with 0."""
    began = CLOCK.monotonic()
    with running_server(make_project(tmp_path / "measured", [LISTS])):
        start_s = CLOCK.monotonic() - began
    codes = []
    folder = make_project(tmp_path / "project", [LISTS])
    for step in range(20):
        with start_server(folder) as server:
            CLOCK.pause(start_s * step / 16)
            codes.append(server.stop(20))
            assert "Traceback" not in server.log

    assert set(codes) <= {0, -signal.SIGTERM}
    assert 0 in codes
    with running_server(folder) as server, server.client() as client:
        assert client.post("/api/lists", {"name": "works"}).status == 201
    assert _names(folder) == {"works"}


def _has_open(pid: int, name: str) -> bool:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            if os.readlink(descriptor).endswith(name):  # noqa: PTH115  also for "(deleted)"
                return True
    return False
