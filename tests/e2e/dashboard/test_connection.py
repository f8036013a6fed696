"""A server that goes away and comes back, with the dashboard open; and a long list."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from screens import ADMIN, NOTES, Screen, started
from verify.hosts.browser import Browser

from processes import make_project, running_server

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

MANY = 100_000


def test_a_server_that_is_gone_is_noticed_and_its_return_too(
    window: Browser, tmp_path: Path
) -> None:
    """The page says so, keeps what it shows, and afterwards catches up with what it missed."""
    with started(window, tmp_path) as screen:
        screen.log_in()
        screen.open("collections/notes")
        window.wait_for("No records yet")
        window.wait_for("live")
        port = screen.server.port
        screen.server.stop()
        window.wait_for("The server does not answer")
        with running_server(tmp_path / "project", environ=ADMIN, port=port) as again:
            with again.client() as client:
                client.post("/api/notes", {"title": "meanwhile"})
            window.wait_for("meanwhile")
            gone = "return !document.body.innerText.includes('does not answer')"
            window.run("", until=gone, what="the notice goes")
            with again.client() as client:
                client.post("/api/notes", {"title": "and live again"})
            window.wait_for("and live again")


def test_a_long_list_scrolls_to_its_end(window: Browser, tmp_path: Path) -> None:
    """100,000 records: the first rows come at once, the last ones when they are scrolled to."""
    make_project(tmp_path / "project", [NOTES])
    with started(window, tmp_path) as screen:
        with sqlite3.connect(tmp_path / "project" / "bakend.db") as database:
            database.executemany(
                "INSERT INTO notes (id, created_at, updated_at, title, stars) VALUES (?, ?, ?, ?, 1)",
                (
                    (f"rec_{number:06}", at, at, f"note {number}")
                    for number in range(MANY)
                    for at in [
                        f"2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}Z"
                    ]
                ),
            )
        database.close()
        screen.log_in()
        screen.open("collections/notes")
        window.wait_for("100,000 records")
        window.wait_for(f"note {MANY - 1}")
        rows = window.run("return document.querySelectorAll('tbody tr').length")
        assert rows < 100
        window.run(
            "const box = document.querySelector('.scroll'); box.scrollTop = box.scrollHeight"
        )
        window.wait_for("note 0 1")
        assert window.run("return document.querySelectorAll('tbody tr').length") < 100
        window.run("document.querySelector('.scroll').scrollTop = 1_900_000")
        window.wait_for("note 49")


def test_a_burst_of_changes_leaves_the_page_usable(screen: Screen) -> None:
    """Many live records in one go: the list keeps up, and holds no more rows than it shows."""
    window = screen.window
    screen.open("collections/notes")
    window.wait_for("live")
    with screen.server.client() as client:
        for number in range(1_500):
            client.post("/api/notes", {"title": f"note {number}"})
    window.wait_for("1,500 records")
    window.wait_for("note 1499")
    assert window.run("return document.querySelectorAll('tbody tr').length") < 100
