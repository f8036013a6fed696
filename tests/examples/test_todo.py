"""examples/todo: its definitions hold, and its seed data fits them."""

from __future__ import annotations

import json

from todo_example import PROJECT, seed

from bakend.collections.definition import Collection, parse, warnings
from bakend.records.validation import faults


def collection(name: str) -> Collection:
    """Parse one of the example's definitions."""
    text = (PROJECT / "collections" / f"{name}.json").read_text()
    return parse(json.loads(text), known=("lists",))


def test_the_definitions_cause_no_warning() -> None:
    """The example shows how it is done, so Bakend has nothing to say against it."""
    assert warnings(collection("lists")) == []
    assert warnings(collection("todos")) == []


def test_every_todo_fits_its_definition() -> None:
    """No record of the seed data is refused."""
    todos = collection("todos")

    found = [
        fault
        for values in seed.todos(["rec_1", "rec_2"])
        for fault in faults(todos, values, partial=False, matches=lambda _pattern, _text: True)
    ]

    assert found == []


def test_todos_are_told_apart_by_their_titles() -> None:
    """A run that was interrupted finds by title what is there already."""
    titles = [values["title"] for values in seed.todos(["rec_1"])]

    assert len(titles) == len(set(titles)) >= 1000


def test_the_last_list_comes_last() -> None:
    """The list that says "finished" is the last of all."""
    assert list(seed.LISTS)[-1] == seed.LAST_LIST
