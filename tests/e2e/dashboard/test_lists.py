"""What a list of records can do beside: columns, export, pointing at others; and the list of users."""

from __future__ import annotations

import pytest
from screens import EMAIL, PASSWORD, Screen

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

HEADS = "return [...document.querySelectorAll('thead th')].map((each) => each.innerText).join(' ')"


ROWS = "return document.querySelectorAll('main tbody tr').length"

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
