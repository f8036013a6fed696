"""What is said to systemd, and what is done where nobody listens."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from bakend.clock import SystemClock
from bakend.systemd.notify import EXTEND_EVERY_S, Notifier
from bakend.testing import FakeClock

from manager import manager
from processes import wait_until


def notifier(**environ: str) -> Notifier:
    return Notifier(environ, SystemClock())


@pytest.mark.parametrize("form", ["path", "abstract"])
def test_messages_are_those_of_sd_notify(tmp_path: Path, form: str) -> None:
    """Each arrives as one datagram, at a path and at an abstract name."""
    name = str(tmp_path / "n") if form == "path" else f"@bakend-test-{os.getpid()}"
    with manager(name) as systemd:
        told = notifier(NOTIFY_SOCKET=systemd.address, WATCHDOG_USEC="60000000")
        told.status("one\ntwo")
        told.ready("Serving")
        told.alive()
        told.stopping("Stopping")

        assert systemd.lines == [
            *("STATUS=one two", "READY=1", "STATUS=Serving"),
            *("WATCHDOG=1", "STOPPING=1", "STATUS=Stopping"),
        ]


def test_what_takes_long_asks_for_more_time_until_it_is_through(tmp_path: Path) -> None:
    """The first request goes out at once, and no thread stays behind."""
    with manager(tmp_path / "n") as systemd:
        told = notifier(NOTIFY_SOCKET=systemd.address)
        told.status("Migrating")
        told.takes_long()
        told.takes_long()
        systemd.wait_for("EXTEND_TIMEOUT_USEC=30000000")
        told.is_through()
        told.is_through()

        assert systemd.lines == [
            "STATUS=Migrating",
            "EXTEND_TIMEOUT_USEC=30000000",
            "STATUS=Migrating",
        ]


def test_what_takes_long_shows_that_it_lives(tmp_path: Path) -> None:
    """Its status says for how long already: an upgrade waits only as long as that changes."""
    clock = FakeClock()
    with manager(tmp_path / "n") as systemd:
        told = Notifier({"NOTIFY_SOCKET": systemd.address}, clock)
        told.status("Migrating")
        told.takes_long()

        def has_changed_twice() -> bool:
            clock.advance(EXTEND_EVERY_S)
            said = [line for line in systemd.lines if line.startswith("STATUS=Migrating (")]
            return len(set(said)) >= 2

        wait_until(has_changed_twice, 30, what="two times in the status")
        told.is_through()


def test_what_takes_long_feeds_the_watchdog(tmp_path: Path) -> None:
    """Twice in its time, however short that is: it is the only sign of life then."""
    clock = FakeClock()
    with manager(tmp_path / "n") as systemd:
        told = Notifier({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "4000000"}, clock)
        told.takes_long()
        for count in (1, 2, 3):
            systemd.wait_for("WATCHDOG=1", count=count)
            clock.advance(2.0)
        told.is_through()


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "vsock:2:1", "relative"])
def test_nobody_there_is_no_failure(address: str, caplog: pytest.LogCaptureFixture) -> None:
    """The server serves on; what could not be told is in the log."""
    caplog.set_level(logging.WARNING)

    told = notifier(NOTIFY_SOCKET=address)
    told.ready("Serving")
    told.alive()
    told.takes_long()
    told.is_through()

    assert bool(caplog.records) == bool(address)


@pytest.mark.parametrize(
    ("environ", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_a_watchdog_is_kept_if_it_is_ours(
    tmp_path: Path, environ: dict[str, str], watchdog_s: float | None
) -> None:
    """Signs of life are sent where somebody waits for those of this process."""
    with manager(tmp_path / "n") as systemd:
        told = notifier(NOTIFY_SOCKET=systemd.address, **environ)
        told.alive()

        assert told.watchdog_s == watchdog_s
        assert systemd.lines == (["WATCHDOG=1"] if watchdog_s else [])
