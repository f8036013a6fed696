"""A server that goes away and comes back, with the dashboard open."""

from __future__ import annotations

from pathlib import Path

import pytest
from screens import ADMIN, started
from verify.hosts.browser import Browser

from processes import running_server

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]


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


def test_what_could_not_be_saved_is_kept_and_saved_afterwards(
    window: Browser, tmp_path: Path
) -> None:
    """The form says that the server is away, and when it is back."""
    with started(window, tmp_path) as screen:
        screen.log_in()
        screen.open("collections/notes?new")
        window.type("dialog .content input", "Water the plants")
        port = screen.server.port
        screen.server.stop()
        window.click_text("Create", "dialog")
        window.run(
            "",
            until="return document.querySelector('dialog')?.innerText.includes('does not answer')",
            what="word in the form",
        )
        with running_server(tmp_path / "project", environ=ADMIN, port=port) as again:
            window.wait_for("It does again: try once more.")
            window.click_text("Create", "dialog")
            window.wait_for("The record is created.")
            with again.client() as client:
                (note,) = client.get("/api/notes").json["items"]
    assert note["title"] == "Water the plants"
