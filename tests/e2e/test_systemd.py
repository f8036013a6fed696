"""A server that systemd started: what it is told, and the port that it was given."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakend.database.migrations import NEWEST

import original
from manager import manager
from processes import bak, make_project, running_server, start_server, wait_until

pytestmark = pytest.mark.e2e

WATCHED_S = 4


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    """Yield a socket for both families, as systemd opens `ListenStream=PORT`."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as sock:
        yield sock


def port_of(sock: socket.socket) -> int:
    return int(sock.getsockname()[1])


def test_it_says_when_it_serves_and_when_it_stops(tmp_path: Path) -> None:
    """READY comes when it answers, signs of life come while it does, STOPPING comes before its end."""
    make_project(tmp_path / "app")
    with manager(tmp_path / "n") as systemd:
        environ = {
            "NOTIFY_SOCKET": systemd.address,
            "WATCHDOG_USEC": str(WATCHED_S * 1_000_000),
        }
        with start_server(tmp_path / "app", environ=environ) as server:
            systemd.wait_for("READY=1")
            with server.client() as client:
                assert client.get("/health").status == 200
            systemd.wait_for(f"STATUS=Serving on port {server.port}")
            systemd.wait_for("WATCHDOG=1", count=2)
            assert "STOPPING=1" not in systemd.lines
            assert server.stop() == 0

            assert "STOPPING=1" in systemd.lines


def test_a_migration_is_told_and_gets_its_time(tmp_path: Path) -> None:
    """Its status says from which schema to which, and more time is asked for before anything is done."""
    (tmp_path / "app").mkdir()
    original.make_project(tmp_path / "app")
    with manager(tmp_path / "n") as systemd:
        environ = {"NOTIFY_SOCKET": systemd.address}
        with running_server(tmp_path / "app", environ=environ):
            systemd.wait_for("READY=1")
        lines = systemd.lines
    migrating = lines.index(f"STATUS=Database: migrating from schema 3 to {NEWEST}")
    copied = next(n for n, line in enumerate(lines) if line.startswith("STATUS=Database: copied"))

    assert migrating < copied < lines.index("READY=1")
    assert "EXTEND_TIMEOUT_USEC=30000000" in lines
    assert "WATCHDOG=1" not in lines  # nobody waits for it


def test_a_start_without_a_migration_asks_for_no_time(tmp_path: Path) -> None:
    """A module of the project that hangs on import must run into the limit of the unit."""
    make_project(tmp_path / "app")
    with manager(tmp_path / "n") as systemd:
        with running_server(tmp_path / "app"):
            pass  # makes the database
        with running_server(tmp_path / "app", environ={"NOTIFY_SOCKET": systemd.address}):
            systemd.wait_for("READY=1")
        lines = systemd.lines

    assert not [line for line in lines if line.startswith("EXTEND")]


def test_a_socket_that_was_passed_is_served(tmp_path: Path) -> None:
    """Nothing else is opened, clients of IPv4 keep their address, and the log says where it listens."""
    make_project(tmp_path / "app")
    with listening() as sock:
        port = port_of(sock)
        with running_server(tmp_path / "app", port=port, sockets=[sock]) as server:
            with server.client() as client:
                assert client.get("/api/nothing").status == 404
            assert f"port {port}" in server.log
            assert "::ffff:" not in server.log
            assert "settings say" not in server.log


def test_another_port_than_that_of_the_settings_is_told(tmp_path: Path) -> None:
    """The socket decides; what `bak health` asks is another port then."""
    make_project(tmp_path / "app")
    with listening() as sock, start_server(tmp_path / "app", sockets=[sock]) as server:
        wait_until(lambda: "the settings say" in server.log, 30, what="a warning")
        assert str(port_of(sock)) in server.log


def test_a_restart_keeps_the_port_open(tmp_path: Path) -> None:
    """Who connects between two processes waits for the second, and is answered."""
    make_project(tmp_path / "app")
    with listening() as sock:
        port = port_of(sock)
        with running_server(tmp_path / "app", port=port, sockets=[sock]):
            pass
        with socket.create_connection(("127.0.0.1", port), timeout=60) as early:
            early.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            with running_server(tmp_path / "app", port=port, sockets=[sock]):
                assert early.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_UNIX, socket.SOCK_STREAM),
        (socket.AF_INET, socket.SOCK_DGRAM),
        (socket.AF_INET, socket.SOCK_STREAM),
    ],
    ids=["unix", "datagrams", "not listening"],
)
def test_a_socket_of_another_kind_is_refused(
    tmp_path: Path, family: socket.AddressFamily, kind: socket.SocketKind
) -> None:
    """It ends with code 78, which systemd does not try again, and a sentence that names the unit."""
    make_project(tmp_path / "app")
    with (
        socket.socket(family, kind) as sock,
        start_server(tmp_path / "app", sockets=[sock]) as server,
    ):
        assert server.wait() == 78
        assert "bakend.socket" in server.log
        assert "Traceback" not in server.log


def test_sockets_of_another_process_are_left_alone(tmp_path: Path) -> None:
    """LISTEN_PID says whom they are for: a child of whoever got them opens its own port."""
    make_project(tmp_path / "app")
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1"}
    with running_server(tmp_path / "app", environ=environ) as server:
        assert f"port {server.port}" in server.log


def test_a_short_command_tells_nobody_anything(tmp_path: Path) -> None:
    """`bak settings` of a service is not the service."""
    make_project(tmp_path / "app")
    with manager(tmp_path / "n") as systemd:
        done = bak(tmp_path / "app", "settings", environ={"NOTIFY_SOCKET": systemd.address})

        assert (done.returncode, systemd.lines) == (0, [])
