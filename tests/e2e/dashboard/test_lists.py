"""What a list of records can do beside: columns, export, pointing at others; and the list of users."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from screens import EMAIL, PASSWORD, SIZES, Screen

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

HEADS = "return [...document.querySelectorAll('thead th')].map((each) => each.innerText).join(' ')"


ROWS = "return document.querySelectorAll('main tbody tr').length"

OPTIONS = "return document.querySelectorAll('dialog [role=option]').length"

CHOOSE = """
    const list = document.querySelector('main select');
    const [wanted] = arguments;
    list.value = [...list.options].find((each) => each.text === wanted)?.value;
    list.dispatchEvent(new Event('change', { bubbles: true }));
"""


def make(screen: Screen, *titles: str, who: str | None = None) -> None:
    with screen.server.client() as client:
        headers = {}
        if who:
            login = client.post("/api/auth/login", {"email": who, "password": PASSWORD})
            headers = {"Authorization": f"Bearer {login.json['token']}"}
        for title in titles:
            answer = client.request("POST", "/api/notes", {"title": title, "stars": 1}, headers)
            assert answer.status == 201


@pytest.mark.parametrize(
    ("page", "wanted", "first"),
    [("events", "notes.*", "notes.created"), ("audit", EMAIL, "notes.created")],
)
def test_a_list_with_a_filter_goes_back_to_its_begin(
    screen: Screen, page: str, wanted: str, first: str
) -> None:
    """Older ones of the wanted kind, page by page, until it is said that there are no more."""
    window = screen.window
    make(screen, *(f"note {number}" for number in range(450)), who=EMAIL)
    screen.ask("POST", "/api/admin/collections", {"name": "others", "fields": []})
    screen.open(page)
    window.wait_for("system.collection.created")
    window.run(CHOOSE, wanted)
    for rows in (400, 450):
        window.click_text("Show older ones", "main")
        window.run("", until=f"{ROWS} >= {rows}", what=f"{rows} rows")
    window.wait_for("These are the oldest that are kept.")
    assert first in window.run(
        "return document.querySelector('main tbody tr:last-child').innerText"
    )
    assert screen.complaints() == []


@SIZES
def test_columns_stay_as_they_were_chosen(screen: Screen) -> None:
    """Hidden and moved ones, after a reload as well."""
    window = screen.window
    screen.open("collections/notes")
    make(screen, "a note")
    window.wait_for("a note")
    window.click_text("Columns")
    window.click_text("picture", "dialog")
    window.click_text("Move stars up", "dialog")
    window.press("Escape")
    screen.open("collections/notes")
    window.wait_for("a note")
    assert window.run(HEADS).split() == ["id", "stars", "title", "parent", "createdAt"]


@SIZES
def test_what_is_shown_is_exported(screen: Screen) -> None:
    """As CSV, with what a spreadsheet would run made harmless."""
    window = screen.window
    make(screen, 'say "hello", twice', "=1+1")
    screen.open("collections/notes")
    window.wait_for("2 records")
    window.run(
        "window.texts = []; const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => {"
        "  blob.text().then((text) => texts.push(text)); return make(blob); }"
    )
    window.click_text("Export")
    window.click_text("All as CSV")
    window.run("", until="return texts.length > 0", what="the export")
    lines = window.run("return texts[0]").split("\r\n")
    assert lines[0] == "id,title,stars,picture,parent,createdAt"
    assert [line.split(",", 1)[1].rsplit(",", 4)[0] for line in lines[1:3]] == [
        "'=1+1",
        '"say ""hello"", twice"',
    ]


def test_a_record_is_found_to_point_at(screen: Screen) -> None:
    """By what it says, with the keyboard; what is stored is its id."""
    window = screen.window
    make(screen, "first", "second", "third")
    screen.open("collections/notes?new")
    window.type("dialog .field:nth-of-type(1) input", "the child")
    window.type("dialog [role=combobox]", "seco")
    window.run("", until="return document.querySelectorAll('dialog [role=option]').length === 1")
    window.press("Enter")
    window.wait_for("second")
    window.click_text("Create", "dialog")
    window.wait_for("4 records")
    notes = {note["title"]: note for note in screen.ask("GET", "/api/notes")["items"]}
    assert notes["the child"]["parent"] == notes["second"]["id"]


def fill(folder: Path, number: int) -> None:
    """Write so many notes past the server; the oldest is the needle."""
    with closing(sqlite3.connect(folder / "bakend.db")) as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO notes (id, created_at, updated_at, title)"
            " SELECT printf('rec_%08d-0000-4000-8000-000000000000', i),"
            " strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + i, 'unixepoch'),"
            " '2026-01-01T00:00:00.000Z', CASE i WHEN 1 THEN 'the needle' ELSE 'note ' || i END FROM n",
            (number,),
        )
        connection.commit()


@SIZES
def test_two_hundred_users_are_paged_and_searched(screen: Screen, tmp_path: Path) -> None:
    """A search begins at its first page; with a session that ends the focus is not lost."""
    window = screen.window
    with closing(sqlite3.connect(tmp_path / "project" / "bakend.db")) as connection:
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
            " INSERT INTO _users (id, email, password_hash, created_at)"
            " SELECT printf('usr_%08d-0000-4000-8000-000000000000', i),"
            " printf('user%03d@example.com', i), '',"
            " printf('2026-01-01T00:%02d:%02d.000Z', i / 60, i % 60) FROM n"
        )
        connection.commit()
    screen.open("users")
    window.wait_for("1 to 50 of 201")
    for seen in ("51 to 100 of 201", "101 to 150 of 201", "151 to 200 of 201", "201 to 201 of 201"):
        window.click_text("Older")
        window.wait_for(seen)
    window.type("main [type=search]", "user00")
    window.run("", until=f"{ROWS} === 9", what="those that fit")
    window.type("main [type=search]", "9")
    window.run("", until=f"{ROWS} === 1", what="the one that fits")
    window.type("main [type=search]", "x")
    window.wait_for("Nobody found")
    window.fill("main [type=search]", EMAIL)
    window.click_text(EMAIL, "main")
    window.wait_for("this one")
    screen.ask("GET", "/api/admin/stats")  # with a session of its own
    window.wait_for("unknown")
    window.click("tr:not(:has(.badge)) [data-session]")
    window.wait_for("The session has ended.")
    window.run("", until="return document.activeElement.id === 'sessions'", what="the focus")
    assert screen.complaints() == []


WATCH = """
    window.pages = []; window.flying = 0; window.most = 0; window.signals = [];
    window.held = new Promise((go) => (window.release = go));
    const real = fetch;
    window.fetch = async (address, options) => {
      const offset = Number(new URL(address, location).searchParams.get("offset") ?? -1);
      if (offset < 0) return real(address, options);
      pages.push(offset); signals.push(options.signal); most = Math.max(most, ++flying);
      try {
        if (offset > 3_000) await held;
        return await real(address, options);
      } finally { flying -= 1; }
    };
"""
"""Notes which pages of a list are read, and holds those behind the first ones back."""


@SIZES
def test_the_oldest_record_is_found_to_point_at(screen: Screen, tmp_path: Path) -> None:
    """All are looked through, no page twice and no two at once; typing on does not begin anew."""
    window = screen.window
    fill(tmp_path / "project", 25_000)
    screen.open("collections/notes?new")
    window.type("dialog .field:nth-of-type(1) input", "the child")
    window.run(WATCH)
    box = "dialog [role=combobox]"
    window.click(box)
    window.wait_for("The newest 50.")
    assert window.run("return pages") == [0]

    window.type(box, "need")
    window.wait_for("3,100 of 25,000 searched")
    window.type(box, "le")
    window.run("release()", until=f"{OPTIONS} === 1", what="the needle")
    assert window.run("return pages") == [0, *range(100, 25_000, 1_000)]
    assert window.run("return most") == 1

    window.press("Enter")
    window.wait_for("the needle")
    window.click_text("Create", "dialog")
    window.wait_for("25,001 records")
    (child,) = screen.ask("GET", "/api/notes?limit=1")["items"]
    assert child["parent"] == "rec_00000001-0000-4000-8000-000000000000"
    assert screen.complaints() == []


def test_a_search_ends_when_it_is_closed(screen: Screen, tmp_path: Path) -> None:
    """The page that is on its way is given up, and no other is asked for."""
    window = screen.window
    fill(tmp_path / "project", 10_000)
    screen.open("collections/notes?new")
    window.click("dialog [role=combobox]")
    window.wait_for("The newest 50.")
    window.run(WATCH)
    window.type("dialog [role=combobox]", "needle")
    window.wait_for("3,100 of 10,000 searched")
    window.press("Escape")
    assert window.run("return signals.at(-1).aborted") is True
    window.run("release()", until="return flying === 0", what="the end of the search")
    assert window.run("return pages") == [100, 1100, 2100, 3100]
    assert window.text("dialog h2") == "New record of notes"


@SIZES
def test_a_user_is_made_and_ended(screen: Screen) -> None:
    """With a role, another password, and the question what becomes of what is his."""
    window = screen.window
    screen.open("users")
    window.click("[data-new]")
    window.fill("dialog [name=email]", "bob@example.com")
    window.fill("dialog [name=password]", PASSWORD)
    window.click_text("Create user", "dialog")
    window.wait_for("bob@example.com has an account now.")
    window.click_text("bob@example.com", "main")
    window.wait_for("Not logged in anywhere.")
    window.run(
        "const role = document.querySelector('#role'); role.value = 'admin';"
        "role.dispatchEvent(new Event('change', { bubbles: true }))"
    )
    window.wait_for("The role is changed.")
    window.click_text("Delete user", "main")
    window.type("dialog [data-first]", "bob@example.com")
    window.click("dialog .danger.primary")
    window.wait_for("bob@example.com is deleted.")
    users = screen.ask("GET", "/api/admin/users")["items"]
    assert [user["email"] for user in users] == [EMAIL]
    assert screen.complaints() == []
