"""Code in the dashboard: JSON is edited and marked where it is wrong; what is read has colours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from screens import SIZES, THINGS, Screen, started
from verify.hosts.browser import Browser

from processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

EDITOR: Final = "dialog .cm-content"

FAULTS: Final = {
    '{"a": 1,}': (8, ",", "this comma is one too many"),
    '{"a": 1 "b": 2}': (9, '"', "a comma is missing"),
    '{"a" 1}': (6, "1", "a colon is missing"),
    "{a: 1}": (2, "a", "a name in double quotes belongs here"),
    "['x']": (2, "'x'", "texts stand in double quotes"),
    "[1, 02]": (5, "02", "this is no value"),
    "[1, 2": (5, "2", "the end is missing: ]"),
    '{"a": [1}': (9, "}", "“]” belongs here"),
    "[1] 2": (5, "2", "nothing may follow here"),
    '["x]': (2, '"x]', "this text has no closing quote"),
    r'["\x"]': (3, r"\x", "after \\ comes one of"),
    "[1] // one": (5, "//", "JSON has no comments"),
}
"""What is typed, and its fault: the column, what is underlined, the words."""


@pytest.fixture
def screen(window: Browser, tmp_path: Path) -> Iterator[Screen]:
    with started(window, tmp_path) as opened:
        opened.ask("POST", "/api/admin/collections", THINGS)
        opened.log_in()
        yield opened


def things_of(screen: Screen) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = screen.ask("GET", "/api/things")["items"]
    return items


def underlined(screen: Screen) -> str:
    """Return what the editor says is wrong."""
    marks = "return [...document.querySelectorAll('.fault')].map((each) => each.innerText).join('')"
    return str(screen.window.run(marks))


def test_json_is_typed_and_saved_by_keyboard(screen: Screen) -> None:
    """Tab leads into the editor and out of it, a line is indented by itself, Ctrl S saves."""
    window = screen.window
    screen.open("collections/things?new")
    window.click(EDITOR)
    window.click("dialog .content input")  # what is empty stays so
    window.press("by hand", "Tab")
    assert window.run(f"return document.activeElement === document.querySelector({EDITOR!r})")
    window.press("[", "Enter", "1, true", "Enter", "Backspace", "]")
    lines = "return [...document.querySelectorAll('.cm-line')].map((line) => line.textContent)"
    assert window.run(lines) == ["[", "  1, true", "]"]
    window.press("Tab")
    assert window.run("return document.activeElement.innerText") == "Create"
    window.press("Shift+Tab", "Control+s")
    window.wait_for("The record is created.")
    assert [(thing["title"], thing["data"]) for thing in things_of(screen)] == [
        ("by hand", [1, True])
    ]
    assert screen.complaints() == []


def test_what_is_no_json_is_marked_where_it_is_and_not_saved(screen: Screen) -> None:
    """While it is typed: the place underlined, the words below and tied to the editor."""
    window = screen.window
    screen.open("collections/things?new")
    for text, (column, part, words) in FAULTS.items():
        window.write(EDITOR, text)
        window.wait_for(f"This is no JSON: line 1, column {column}: {words}")
        assert (text, underlined(screen)) == (text, part)
    window.press("Control+s")
    described = f"""
        const editor = document.querySelector({EDITOR!r});
        return editor === document.activeElement && editor.ariaInvalid === "true"
          ? document.getElementById(editor.getAttribute("aria-describedby")).innerText : "";
        """
    wait_until(lambda: "no comments" in window.run(described), 20, what="the editor's description")
    assert things_of(screen) == []
    window.write(EDITOR, '{"a": [1, 2]}')
    window.press("Control+s")
    window.wait_for("The record is created.")
    assert things_of(screen)[0]["data"] == {"a": [1, 2]}
    assert screen.complaints() == []


def test_who_was_writing_goes_on_in_the_editor(screen: Screen) -> None:
    """The text area has the focus first, and the editor takes it over."""
    window = screen.window
    only_json = {**THINGS, "name": "only", "fields": THINGS["fields"][1:]}
    screen.ask("POST", "/api/admin/collections", only_json)
    screen.open("collections/only?new")
    wait_until(
        lambda: window.run("return document.activeElement.matches('.cm-content')"),
        20,
        what="the editor to have the focus",
    )
    window.press("null", "Control+s")
    window.wait_for("The record is created.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@SIZES
def test_what_is_marked_can_be_read(
    screen: Screen, axe: str, size: tuple[int, int], scheme: str
) -> None:
    """With a fault in it, at both widths, light and dark; and a long line makes nothing wider."""
    window = screen.window
    window.look(*size, scheme=scheme)
    screen.open("collections/things?new")
    long = "x" * 200
    window.write(EDITOR, f'{{"text": "{long}", "number": -1.5, "list": [true, null] "more"}}')
    window.wait_for("a comma is missing")
    too_wide = """
        const content = document.querySelector("dialog .content");
        return content.scrollWidth - content.clientWidth;
        """
    assert window.run(too_wide) <= 0
    assert screen.violations(axe) == []
    assert screen.complaints() == []


def test_a_definition_is_edited_as_json(screen: Screen) -> None:
    """What is no JSON is refused beside the editor; what is, is planned and applied."""
    window = screen.window
    screen.open("collections/things/definition")
    window.click_text("Edit JSON")
    window.write(".cm-content", '{"fields": [,]}')
    window.wait_for("line 1, column 13: this is no value")
    window.click("form .btn.primary")
    wait_until(
        lambda: window.run("return document.activeElement.matches('.cm-content')"),
        20,
        what="the editor to be shown",
    )
    fields = [*THINGS["fields"], {"name": "more", "type": "json"}]
    window.write(".cm-content", json.dumps({**THINGS, "fields": fields}))
    window.click("form .btn.primary")
    window.wait_for('Field "more"')
    window.click_text("Apply", "dialog")
    window.wait_for("The collection is changed.")
    changed = screen.ask("GET", "/api/admin/collections/things")["definition"]["fields"]
    assert [field["name"] for field in changed] == ["title", "data", "more"]


def test_escape_asks_before_what_is_typed_is_lost(screen: Screen) -> None:
    """As in every other input of the form."""
    window = screen.window
    screen.open("collections/things?new")
    window.write(EDITOR, "[1]")
    window.press("Escape")
    window.wait_for("Discard your changes?")


def test_the_text_area_stays_where_the_editor_cannot_be_had(screen: Screen) -> None:
    """Its file does not come: in a place of the same size, what is typed is checked and saved."""
    window = screen.window
    screen.open("collections/things?new")
    window.click(EDITOR)
    size = "return document.querySelector('dialog .textarea.code').offsetHeight"
    height = window.run(size)
    largest = """
        return performance.getEntriesByType("resource")
          .reduce((a, b) => (a.decodedBodySize > b.decodedBodySize ? a : b)).name;
        """
    address = window.run(largest)
    window.open("about:blank")
    window.block(address)
    try:
        screen.open("collections/things?new")
        window.type("dialog textarea", "[1, ]")
        window.wait_for("line 1, column 3: this comma is one too many")
        assert window.run(size) == height
        failed = [line for line in screen.complaints() if address not in line]
        window.fill("dialog textarea", "[1, 2]")
        window.press("Control+s")
        window.wait_for("The record is created.")
    finally:
        window.block()
    assert things_of(screen)[0]["data"] == [1, 2]
    assert failed == []


def test_the_first_screen_loads_no_editor(screen: Screen) -> None:
    """Its scripts have less than 120 kB as they are sent, and there are few of them."""
    window = screen.window
    screen.open()
    window.wait_for("Requests")
    sizes = window.run(
        """
        return performance.getEntriesByType("resource")
          .filter(({ name }) => name.endsWith(".js")).map(({ encodedBodySize }) => encodedBodySize);
        """
    )
    assert 20_000 < sum(sizes) < 120_000
    assert len(sizes) < 56


@pytest.mark.parametrize(
    ("language", "look", "seen"),
    [
        ("curl", "string", "'Content-Type: application/json'"),
        ("JavaScript", "keyword", "await"),
        ("Python", "comment", "# only what Python brings with it"),
    ],
)
def test_examples_have_colours(screen: Screen, language: str, look: str, seen: str) -> None:
    """Each in its language, and what stands there is whole."""
    window = screen.window
    screen.open("collections/things/api")
    window.wait_for("List records")
    window.click_text(language)
    looks = (
        f"return [...document.querySelectorAll('pre .tok-{look}')].map((each) => each.innerText)"
    )
    wait_until(lambda: seen in window.run(looks), 20, what=f"{seen} as {look}")
    assert "things?limit=20" in window.text() or "client.collection" in window.text()
    window.run("localStorage.removeItem('bakend.api.language')")
