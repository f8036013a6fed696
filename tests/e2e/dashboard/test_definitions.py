"""Collections in the dashboard: made, changed by plan, deleted."""

from __future__ import annotations

import json

import pytest
from screens import NOTES, SIZES, Screen

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

NAMES = "return [...document.querySelectorAll('[data-field-name]')].map((e) => e.value).join()"
FOCUSED = "return document.activeElement.getAttribute('aria-label')"
NAME_OF_FIRST = "ol li:first-child [data-field-name]"


def add_note(screen: Screen, title: str) -> None:
    with screen.server.client() as client:
        assert client.post("/api/notes", {"title": title, "stars": 4}).status == 201


@SIZES
def test_a_field_is_renamed_with_data_in_it(screen: Screen) -> None:
    """The plan says so before anything is done, and the values are still there."""
    window = screen.window
    add_note(screen, "keep me")
    screen.open("collections/notes/definition")
    window.fill(NAME_OF_FIRST, "headline")
    window.wait_for("was title")
    window.click_text("Add field")
    window.type("ol li:last-child [data-field-name]", "done")
    window.click("form .btn.primary")
    window.wait_for('Field "title" is renamed to "headline"')
    window.wait_for('Field "done"')
    assert screen.ask("GET", "/api/notes")["items"][0]["title"] == "keep me"
    window.click_text("Apply", "dialog")
    window.wait_for("The collection is changed.")
    (note,) = screen.ask("GET", "/api/notes")["items"]
    assert (note["headline"], note["done"]) == ("keep me", None)
    assert screen.complaints() == []


@SIZES
def test_what_loses_values_is_confirmed_by_its_name(screen: Screen) -> None:
    """Without the name nothing can be pressed; with it the field goes."""
    window = screen.window
    add_note(screen, "a note")
    screen.open("collections/notes/definition")
    window.click("[aria-label='Remove stars']")
    window.click("form .btn.primary")
    window.wait_for("Stored values are lost, for good.")
    assert window.run("return document.querySelector('dialog [type=submit]').disabled")
    window.type("dialog [data-first]", "notes")
    window.click_text("Apply", "dialog")
    window.wait_for("The collection is changed.")
    assert "stars" not in screen.ask("GET", "/api/notes")["items"][0]


def test_what_the_server_refuses_is_said(screen: Screen) -> None:
    """All faults of a definition, a line each; and what stands in the way of a change."""
    window = screen.window
    screen.open("new")
    window.type("[name=collection]", "Not a name")
    window.click_text("Add field")
    window.type(NAME_OF_FIRST, "A b")
    window.click_text("Create collection")
    window.wait_for('"A b" must match')
    window.wait_for("Not a name")

    for _same in range(2):
        add_note(screen, "twice")
    window.open("about:blank")
    screen.open("collections/notes/definition")
    window.click("[aria-label='Options of title']")
    window.click(".options input[type=checkbox]")
    window.click("form .btn.primary")
    window.click_text("Apply", "dialog")
    window.wait_for("Nothing was changed.")
    assert (
        "unique" not in screen.ask("GET", "/api/admin/collections/notes")["definition"]["fields"][0]
    )


@SIZES
def test_a_definition_is_pasted_as_json(screen: Screen) -> None:
    """What was copied elsewhere becomes a collection; rules are as they stand there."""
    window = screen.window
    definition = {**NOTES, "name": "pages", "fields": NOTES["fields"][:2]}
    screen.open("new")
    window.click_text("Edit JSON")
    window.write(".cm-content", json.dumps(definition))
    window.click_text("Create collection")
    window.wait_for("The plan")
    window.click_text("Apply", "dialog")
    window.wait_for("No records yet")
    made = screen.ask("GET", "/api/admin/collections/pages")["definition"]
    assert made == definition


@SIZES
def test_a_collection_is_deleted_by_typing_its_name(screen: Screen) -> None:
    """And is out of the navigation afterwards."""
    window = screen.window
    add_note(screen, "gone soon")
    screen.open("collections/notes/definition")
    window.click_text("Delete collection")
    window.wait_for("This cannot be undone.")
    window.type("dialog [data-first]", "notes")
    window.click("dialog .danger.primary")
    window.wait_for("No collections yet")
    assert screen.ask("GET", "/api/admin/collections")["items"] == []


def test_unsaved_changes_are_not_lost_by_a_click(screen: Screen) -> None:
    """Whoever leaves the page is asked, and may stay."""
    window = screen.window
    screen.open("collections/notes/definition")
    window.fill(NAME_OF_FIRST, "headline")
    window.click_text("Users", "nav")
    window.wait_for("Discard your changes?")
    window.click_text("Cancel", "dialog")
    assert window.run("return document.querySelector('[data-field-name]').value") == "headline"
    window.click_text("Users", "nav")
    window.click_text("Discard", "dialog")
    window.wait_for("Whoever has an account")


def fields_of(screen: Screen) -> list[str]:
    definition = screen.ask("GET", "/api/admin/collections/notes")["definition"]
    return [field["name"] for field in definition["fields"]]


def save(screen: Screen) -> None:
    window = screen.window
    window.click("form .btn.primary")
    window.click_text("Apply", "dialog")
    window.wait_for("The collection is changed.")


def test_a_field_is_dragged_to_another_place(screen: Screen) -> None:
    """It stays there, on the server and after a reload; let go elsewhere, it goes back."""
    window = screen.window
    screen.open("collections/notes/definition")
    window.wait_for("required")
    window.drag("ol li:nth-child(3) .grip", "ol li:nth-child(1) .grip")
    moved = ["picture", "title", "stars", "parent"]
    window.run("", until=f"{NAMES} === {','.join(moved)!r}", what="the dragged order")
    window.drag("ol li:nth-child(1) .grip", "ol li:nth-child(4) .grip")
    moved = ["title", "stars", "parent", "picture"]
    window.run("", until=f"{NAMES} === {','.join(moved)!r}", what="the dragged order")
    window.drag("ol li:nth-child(2) .grip", "h1")
    window.run("", until="return !document.querySelector('li.dragged')", what="the end of it")
    save(screen)
    assert fields_of(screen) == moved
    screen.open("collections/notes/definition")
    window.wait_for("required")
    assert window.run(NAMES) == ",".join(moved)
    assert screen.complaints() == []


@SIZES
def test_a_field_is_moved_without_dragging(screen: Screen) -> None:
    """By buttons and by keys; the focus goes with it, and where it is now is said."""
    window = screen.window
    screen.open("collections/notes/definition")
    window.click("[aria-label='Move stars up']")
    window.run("", until=f"{NAMES} === 'stars,title,picture,parent'", what="stars before title")
    window.run("", until=f"{FOCUSED} === 'Move stars down'", what="the focus")
    window.press("Enter", "Enter", "Enter")
    window.run("", until=f"{NAMES} === 'title,picture,parent,stars'", what="stars at the end")
    window.run("", until=f"{FOCUSED} === 'Move stars up'", what="the focus")
    assert "stars is field 4 of 4 now." in window.run(
        "return [...document.querySelectorAll('main [role=status]')].map((e) => e.innerText)"
    )

    window.click("ol li:first-child [data-field-name]")
    window.press("Alt+Down", "Alt+Down", "Alt+Up", "Alt+Down")
    window.run("", until=f"{NAMES} === 'picture,parent,title,stars'", what="title behind parent")
    assert window.run(FOCUSED) == "Name of field 3"
    save(screen)
    assert fields_of(screen) == ["picture", "parent", "title", "stars"]
    assert screen.complaints() == []
