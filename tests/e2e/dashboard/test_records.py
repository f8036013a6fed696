"""Records in the dashboard: made, changed, found wrong, seen live, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from screens import SIZES, Screen

from processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]


def notes_of(screen: Screen) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = screen.ask("GET", "/api/notes")["items"]
    return items


def make(screen: Screen, *titles: str) -> None:
    with screen.server.client() as client:
        for title in titles:
            assert client.post("/api/notes", {"title": title}).status == 201


@SIZES
def test_a_record_is_made_changed_and_duplicated(screen: Screen) -> None:
    """By the form at the side, and by a double click in the list."""
    window = screen.window
    screen.open("collections/notes")
    window.wait_for("No records yet")
    window.click("[data-new]")
    window.type("dialog .content input", "Water the plants")
    window.click_text("Create", "dialog")
    window.wait_for("The record is created.")

    window.run(
        "document.querySelectorAll('tbody td')[2]"
        ".dispatchEvent(new MouseEvent('dblclick', { bubbles: true }))"
    )
    window.click("td input.inline")
    window.press("Control+a", "Water the garden", "Enter")
    wait_until(lambda: notes_of(screen)[0]["title"] == "Water the garden", 20, what="the change")

    window.click("button.open")
    window.click_text("Duplicate", "dialog")
    window.wait_for("New record of notes")
    window.click_text("Create", "dialog")
    window.wait_for("2 records")
    assert [note["title"] for note in notes_of(screen)] == ["Water the garden"] * 2
    assert screen.complaints() == []


@SIZES
def test_what_is_wrong_stands_beside_its_field(screen: Screen) -> None:
    """The server's words for each field, and what is no number at once; nothing is lost."""
    window = screen.window
    screen.open("collections/notes?new")
    window.type("dialog .field:nth-of-type(1) input", "x")
    window.type("dialog .field:nth-of-type(2) input", "many")
    window.click_text("Create", "dialog")
    window.wait_for("This is no number")
    window.fill("dialog .field:nth-of-type(2) input", "9")
    window.click_text("Create", "dialog")
    window.wait_for('Field "stars" must be at most 5')
    window.wait_for('Field "title"')
    assert window.run("return document.activeElement.getAttribute('aria-invalid')") == "true"
    window.press("Escape")
    window.wait_for("Discard your changes?")
    window.click_text("Cancel", "dialog")
    assert window.run("return document.querySelector('dialog .field input').value") == "x"


def place_of(screen: Screen, title: str) -> int:
    """Return where a record stands on the screen, once that has come to rest."""
    found: int = screen.window.run(
        """
        const row = () => [...document.querySelectorAll("tbody tr")].find((each) =>
          each.innerText.includes(arguments[0]));
        return new Promise((done) => setTimeout(() =>
          requestAnimationFrame(() => done(Math.round(row().getBoundingClientRect().top))), 150));
        """.replace("arguments[0]", f"{title!r}")
    )
    return found


@SIZES
def test_a_record_of_another_client_arrives_by_itself(screen: Screen) -> None:
    """A new one above what is read moves nothing; a changed one shows its new value."""
    window = screen.window
    make(screen, *(f"note {number}" for number in range(120)))
    screen.open("collections/notes")
    window.wait_for("120 records")
    window.wait_for("live")
    window.run("document.querySelector('.scroll').scrollTop = 1900")
    window.wait_for("note 70")
    before = place_of(screen, "note 70")
    make(screen, "from elsewhere")
    window.wait_for("121 records")
    window.wait_for("1 new")
    assert place_of(screen, "note 70") == before
    by_title = {note["title"]: note["id"] for note in notes_of(screen)}
    for title in ("note 66", "note 118"):  # one below what is seen, one above
        screen.ask("DELETE", f"/api/notes/{by_title[title]}")
    window.wait_for("119 records")
    assert place_of(screen, "note 70") == before

    shown = next(note for note in notes_of(screen) if note["title"] == "note 70")
    screen.ask("PUT", f"/api/notes/{shown['id']}", {"title": "note seventy"})
    window.wait_for("note seventy")
    window.click_text("1 new")
    window.wait_for("from elsewhere")


@SIZES
def test_many_are_deleted_at_once(screen: Screen) -> None:
    """After a question that says how many; those that others delete go as well."""
    window = screen.window
    make(screen, *(f"note {number}" for number in range(5)))
    screen.open("collections/notes")
    window.wait_for("5 records")
    window.wait_for("live")
    for row in (1, 2, 3):
        window.click(f"tbody tr:nth-child({row}) input[type=checkbox]")
    window.wait_for("3 selected")
    window.click_text("Delete")
    window.wait_for("Delete 3 records?")
    window.click_text("Delete", "dialog")
    window.wait_for("2 records")
    left = notes_of(screen)
    assert [note["title"] for note in left] == ["note 1", "note 0"]
    screen.ask("DELETE", f"/api/notes/{left[0]['id']}")
    window.wait_for("1 record")


@SIZES
def test_a_file_is_dropped_into_a_record(screen: Screen) -> None:
    """It is uploaded, shown, and named by the record."""
    window = screen.window
    screen.open("collections/notes?new")
    window.type("dialog .field:nth-of-type(1) input", "with a picture")
    drop(screen, "dialog label.drop", "plant.png")
    window.wait_for("plant.png")
    window.click_text("Create", "dialog")
    window.wait_for("1 record")
    (file,) = screen.ask("GET", "/api/admin/storage")["items"]
    assert notes_of(screen)[0]["picture"] == file["id"]


@SIZES
def test_files_are_dropped_linked_and_deleted(screen: Screen) -> None:
    """The page of files: uploads, a link that opens one, and its end."""
    window = screen.window
    screen.open("files")
    window.wait_for("No files yet")
    drop(screen, "label.drop", "plant.png")
    window.click("button.tile")
    window.click_text("Make a link", "dialog")
    window.wait_for("Whoever has this link")
    address = window.run("return document.querySelector('dialog pre').innerText")
    with screen.server.client() as client:
        answer = client.get(address.removeprefix(screen.server.url))
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    window.wait_for("No record names it")
    window.click_text("Delete", "dialog")
    window.wait_for("Delete “plant.png”?")
    window.click("dialog .danger.primary")
    window.wait_for("No files yet")


@SIZES
def test_where_a_file_is_used_is_told_and_reached(screen: Screen) -> None:
    """However old the record is; and who deletes the file is told of it before."""
    window = screen.window
    screen.open("files")
    drop(screen, "label.drop", "plant.png")
    window.wait_for("plant.png")
    (file,) = screen.ask("GET", "/api/admin/storage")["items"]
    screen.ask("POST", "/api/notes", {"title": "the old one", "picture": file["id"]})
    (old,) = notes_of(screen)
    make(screen, *(f"note {number}" for number in range(1_100)))

    window.click("button.tile")
    window.wait_for("notes, picture:")
    window.click_text("Delete", "dialog")
    window.wait_for("1 record names it.")
    window.click_text("Cancel", "dialog")
    window.click_text(old["id"], "dialog")
    window.wait_for("Record of notes")
    window.run("", until="return document.querySelector('dialog input')?.value === 'the old one'")
    assert window.address().endswith("/_/collections/notes")
    assert screen.complaints() == []


def test_a_record_that_another_one_names_shows_by_its_name(screen: Screen) -> None:
    """In the list, with its id on demand; one that is gone shows as such, and is no fault."""
    window = screen.window
    make(screen, "the parent", "soon gone")
    ids = {note["title"]: note["id"] for note in notes_of(screen)}
    for title, parent in ids.items():
        screen.ask("POST", "/api/notes", {"title": f"child of {title}", "parent": parent})
    screen.ask("DELETE", f"/api/notes/{ids['soon gone']}")
    screen.open("collections/notes")
    window.wait_for("child of the parent")
    window.run("", until="return document.querySelector('td .gone') !== null", what="one is gone")
    shown = window.run(
        "return [...document.querySelectorAll('td span[title^=rec_], td .gone')]"
        ".map((each) => each.innerText)"
    )
    assert sorted(shown) == sorted([ids["soon gone"], "the parent"])


def drop(screen: Screen, selector: str, name: str) -> None:
    """Let a small picture fall on something."""
    screen.window.run(
        """
        const [selector, name] = arguments;
        const target = document.querySelector(selector);
        if (!target || target.dataset.dropped) return;
        target.dataset.dropped = "yes";
        const dot =
          "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
        const bytes = Uint8Array.from(atob(dot), (letter) => letter.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], name, { type: "image/png" }));
        target.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer }));
        """,
        selector,
        name,
        until=f"return !!document.querySelector({selector!r})?.dataset.dropped",
        what="a place to drop a file",
    )
