"""Collections one at a time: two administrators at once, and changes that do not happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from bakend.collections.editor import CollectionEditor
from bakend.collections.migration import Plan
from bakend.errors import (
    CollectionNotFoundError,
    DefinitionError,
    DestructiveChangeError,
    UnavailableError,
)
from bakend.events.event import OPERATOR
from bakend.testing import TestProject

PAGES: dict[str, Any] = {"name": "pages", "fields": []}
TITLE = {"name": "title", "type": "string"}
BODY = {"name": "body", "type": "text"}


class Overtaken(CollectionEditor):
    """Somebody else is faster, between the first look and the transaction."""

    def __init__(self, project: TestProject, other: Callable[[CollectionEditor], object]) -> None:
        super().__init__(project.app.database, project.app.catalog)
        self._other = other
        self._faster = CollectionEditor(project.app.database, project.app.catalog)

    def plan_new(self, body: Mapping[str, Any]) -> Plan:
        plan = super().plan_new(body)
        self._other(self._faster)
        return plan

    def plan_change(self, name: str, body: Mapping[str, Any]) -> Plan:
        plan = super().plan_change(name, body)
        self._other(self._faster)
        return plan


@pytest.fixture
def editor(project: TestProject) -> CollectionEditor:
    return CollectionEditor(project.app.database, project.app.catalog)


def test_two_who_create_the_same_at_once(project: TestProject) -> None:
    """What was free when it was looked at is taken when it is written: the second one is told."""
    slow = Overtaken(project, lambda other: other.create(PAGES, actor=OPERATOR))

    with pytest.raises(DefinitionError, match=r'^Collection "pages" already exists$'):
        slow.create(PAGES, actor=OPERATOR)


def test_a_change_of_what_somebody_deletes_just_then(
    project: TestProject, editor: CollectionEditor
) -> None:
    """It is not created again by that."""
    editor.create(PAGES, actor=OPERATOR)
    slow = Overtaken(project, lambda other: other.delete("pages", actor=OPERATOR))

    with pytest.raises(CollectionNotFoundError):
        slow.change("pages", PAGES, allow_destructive=False, actor=OPERATOR)
    assert [entry.name for entry in editor.entries()] == ["everything", "lists", "secrets", "todos"]


def test_a_field_that_somebody_adds_just_then_is_not_lost_unasked(
    project: TestProject, editor: CollectionEditor
) -> None:
    """What a change loses is judged by what is there when it is made."""
    editor.create(PAGES, actor=OPERATOR)
    theirs, ours = {**PAGES, "fields": [TITLE]}, {**PAGES, "fields": [BODY]}
    slow = Overtaken(
        project,
        lambda other: other.change("pages", theirs, allow_destructive=False, actor=OPERATOR),
    )

    with pytest.raises(DestructiveChangeError, match=r'^Field "title" and its values are deleted$'):
        slow.change("pages", ours, allow_destructive=False, actor=OPERATOR)
    assert editor.entry("pages").definition["fields"] == [TITLE]


def test_a_refused_change_takes_no_writer(project: TestProject, editor: CollectionEditor) -> None:
    """A definition that cannot be is refused while somebody else writes."""
    astray = {"name": "a", "type": "relation", "collection": "none"}

    with project.app.database.write(), pytest.raises(DefinitionError, match="unknown collection"):
        editor.create({**PAGES, "fields": [astray]}, actor=OPERATOR)


def test_a_broken_collection_without_a_table_can_be_written_anew(
    project: TestProject, editor: CollectionEditor
) -> None:
    """It has nothing to lose; and it is closed, as nobody knows what its rules were."""
    with project.app.database.write() as tx:
        tx.execute("INSERT INTO _collections (name, definition) VALUES ('pages', '{')")
        tx.execute("PRAGMA user_version = 1000")
    with pytest.raises(UnavailableError):
        project.app.records.collection("pages")

    changed = editor.change("pages", PAGES, allow_destructive=False, actor=OPERATOR)

    assert changed.broken == ""
    assert changed.definition["permissions"]["read"] == "admin"
    assert project.app.records.collection("pages").name == "pages"
