"""A long list and many changes of it: what the page holds and asks for stays small; bench has the times."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from screens import Screen, started
from verify.hosts.browser import Browser

from processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

MANY = 100_000
ROWS = 60
"""A window of 800 pixels shows less than 20; the rest is for what is about to be scrolled to."""

GROWTH_BYTES = 2**20
"""Of the heap, by 5,000 changes: usual is a fifth of that; to keep the events would take twice as much."""

COUNT_ROWS = "return document.querySelectorAll('tbody tr').length"
REQUESTS = """
return performance.getEntriesByType("resource").map((each) => new URL(each.name))
  .filter((each) => each.pathname === "/api/notes").map((each) => each.search);
"""


def test_a_long_list_is_asked_for_in_parts(window: Browser, tmp_path: Path) -> None:
    """100,000 records: one page of them for what is seen first, and whatever is scrolled to when it is."""
    with started(window, tmp_path) as screen:
        fill(tmp_path / "project")
        screen.log_in()
        screen.open("collections/notes")
        window.wait_for("100,000 records")
        window.wait_for(f"note {MANY - 1}")
        assert len(window.run(REQUESTS)) == 1
        assert window.run(COUNT_ROWS) < ROWS

        window.run(
            "const box = document.querySelector('.scroll'); box.scrollTop = box.scrollHeight"
        )
        window.wait_for("note 0 1")
        last = (
            "return [...document.querySelectorAll('tbody tr[aria-rowindex]')].at(-1).ariaRowIndex"
        )
        assert window.run(last) == str(MANY + 1)
        assert window.run(COUNT_ROWS) < ROWS
        window.run("document.querySelector('.scroll').scrollTop = 1_900_000")
        window.wait_for("note 49")
        assert window.run(COUNT_ROWS) < ROWS
        assert len(window.run(REQUESTS)) <= 5  # two for each place: it may lie where two pages meet


def test_a_burst_of_records_leaves_the_page_usable(screen: Screen) -> None:
    """Many live records in one go: the list keeps up, and holds no more rows than it shows."""
    window = screen.window
    screen.open("collections/notes")
    window.wait_for("live")
    with screen.server.client() as client:
        for number in range(1_500):
            client.post("/api/notes", {"title": f"note {number}"})
    window.wait_for("1,500 records")
    window.wait_for("note 1499")
    assert window.run(COUNT_ROWS) < ROWS


def test_thousands_of_changes_leave_the_page_as_large_as_it_was(screen: Screen) -> None:
    """5,000 changes of what is shown: the last values stand there, memory and document have not grown."""
    window = screen.window
    notes = [make(screen, f"note {number}") for number in range(10)]
    screen.open("collections/notes")
    window.wait_for("10 records")
    window.wait_for("live")
    change(screen, notes, 500)  # what is made once, is made now
    before = held(window)
    change(screen, notes, 5_000)
    after = held(window)
    assert after["heap"] - before["heap"] < GROWTH_BYTES, (before, after)
    assert after["nodes"] < 1.2 * before["nodes"], (before, after)
    assert after["listeners"] < 1.2 * before["listeners"], (before, after)
    assert screen.complaints() == []


def test_a_page_that_nobody_sees_does_not_hoard_what_it_is_told(screen: Screen) -> None:
    """Where the browser draws no frames, as in a tab behind others, events are taken all the same."""
    window = screen.window
    screen.open("collections/notes")
    window.wait_for("live")
    window.run("window.requestAnimationFrame = () => 1")
    for number in range(500):
        make(screen, f"note {number}")
    window.wait_for("500 records")


def test_what_is_typed_in_a_row_stays_with_its_record(screen: Screen) -> None:
    """The line that a row leaves behind is given to another: neither text nor focus goes with it."""
    window = screen.window
    ids = [make(screen, f"note {number}")["id"] for number in range(200)]
    screen.open("collections/notes")
    window.wait_for("200 records")
    window.run(
        "document.querySelectorAll('tbody td')[2]"
        ".dispatchEvent(new MouseEvent('dblclick', { bubbles: true }))"
    )
    window.click("td input.inline")
    window.press("Control+a", "typed")
    window.run("document.querySelector('.scroll').scrollTop = 4000")
    window.wait_for("note 90")
    assert window.run("return document.querySelectorAll('td input.inline').length") == 0
    titles = {
        note["id"]: note["title"] for note in screen.ask("GET", "/api/notes?limit=200")["items"]
    }
    expected = {each: f"note {number}" for number, each in enumerate(ids)}
    wait_until(
        lambda: screen.ask("GET", f"/api/notes/{ids[-1]}")["title"] == "typed",
        20,
        what="what was typed is saved, as it is when one goes on to something else",
    )
    assert {**titles, ids[-1]: "typed"} == {**expected, ids[-1]: "typed"}

    window.run("document.querySelector('tbody tr:nth-child(15) input').focus()")
    window.run("document.querySelector('.scroll').scrollTop = 0")
    window.wait_for("note 198")
    window.press("Space")
    assert "selected" not in window.text()


def fill(project: Path) -> None:
    """Write many records past the server, which would take a while."""
    with sqlite3.connect(project / "bakend.db") as database:
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


def make(screen: Screen, title: str) -> dict[str, Any]:
    """Create a record, as another client."""
    with screen.server.client() as client:
        made: dict[str, Any] = client.post("/api/notes", {"title": title}).json
    return made


def change(screen: Screen, notes: list[dict[str, Any]], count: int) -> None:
    """Change records again and again, as another client, and wait until the page shows the last values."""
    with screen.server.client() as client:
        for number in range(count):
            note = notes[number % len(notes)]
            note["title"] = f"change {number} of {count}"
            answer = client.put(f"/api/notes/{note['id']}", {"title": note["title"]})
            assert answer.status == 200, answer.body
    for note in notes:
        screen.window.wait_for(note["title"])


def held(window: Browser) -> dict[str, int]:
    """Return what the page holds, after the browser has thrown away what nothing needs."""
    for _ in range(3):  # what ends in one round is let go in the next
        window.tell("HeapProfiler.collectGarbage")
    counts = window.tell("Memory.getDOMCounters")
    heap = window.tell("Runtime.getHeapUsage")["usedSize"]
    return {"heap": int(heap), "nodes": counts["nodes"], "listeners": counts["jsEventListeners"]}
