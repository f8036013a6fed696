"""What holds for every page: no violation that axe finds, nothing said in the console, nothing too wide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from screens import DESKTOP, NOTES, PHONE, Screen, started, violations
from verify.hosts.browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(600)]

PAGES: Final = {
    "": "Overview",
    "collections": "Collections",
    "collections/notes": "note 1",
    "collections/notes/definition": "Who may do what",
    "collections/notes/api": "List records",
    "collections/notes?new": "New record of notes",
    "new": "New collection",
    "users": "New user",
    "files": "No files yet",
    "functions": "functions/broken.py",
    "jobs": "every 5 minutes",
    "events": "notes.created",
    "audit": "Audit",
    "logs": "INFO",
    "backups": "No backups yet",
    "settings": "storage.maxFileSize",
    "design": "Design",
    "nowhere": "There is no such page",
}
"""Each with something that can be seen when it is complete."""

FILES: Final = {
    "functions/broken.py": "x = (\n",
    "jobs/often.py": "schedule = '*/5 * * * *'\n\ndef run(ctx):\n    pass\n",
}

SHOTS: Final = os.environ.get("BAKEND_TEST_SHOTS")
"""A folder for pictures of every page, for whoever wants to look."""


@pytest.fixture(scope="module")
def screen(window: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with started(window, tmp_path_factory.mktemp("pages"), files=FILES) as opened:
        opened.log_in()
        with opened.server.client() as client:
            for number in range(3):
                client.post(f"/api/{NOTES['name']}", {"title": f"note {number}"})
        yield opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize(("path", "seen"), PAGES.items(), ids=[path or "home" for path in PAGES])
def test_a_page_is_whole(
    screen: Screen, axe: str, path: str, seen: str, size: tuple[int, int], scheme: str
) -> None:
    """At desktop and phone width, light and dark."""
    window = screen.window
    window.look(*size, scheme=scheme)
    screen.open(path)
    window.wait_for(seen)

    if SHOTS:
        name = f"{path.replace('/', '-').replace('?', '-') or 'home'}-{size[0]}-{scheme}.png"
        (Path(SHOTS) / name).write_bytes(window.picture())
    too_wide = window.run("return document.documentElement.scrollWidth - innerWidth")
    assert violations(window, axe) == []
    assert too_wide <= 0
    assert screen.complaints() == []


@pytest.mark.parametrize("path", ["", "collections/notes/definition", "users", "jobs"])
def test_a_page_speaks_german(screen: Screen, path: str) -> None:
    """Whoever chooses it has it on every page, and the browser is told."""
    window = screen.window
    window.look(*DESKTOP)
    window.run("localStorage['bakend.language'] = 'de'")
    try:
        screen.open(path)
        window.wait_for("Übersicht")
        assert window.run("return document.documentElement.lang") == "de"
    finally:
        window.run("localStorage['bakend.language'] = 'en'")
