"""What the database says, written into files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakend.errors import ConflictError, NotWritableError
from bakend.events.event import OPERATOR
from bakend.testing import TestProject, temporary_project

from samples import LISTS, TODOS

CHANGED: dict[str, Any] = {**LISTS, "fields": [*LISTS["fields"], {"name": "x", "type": "text"}]}


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project([LISTS, TODOS], settings={"collections_write_back": True}) as opened:
        yield opened


def files(project: TestProject) -> dict[str, Any]:
    """Return what the folder holds, by the name of the file."""
    folder = project.folder / "collections"
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.iterdir())}


def change(project: TestProject, body: dict[str, Any]) -> None:
    project.app._editor.change(body["name"], body, allow_destructive=True, actor=OPERATOR)


def test_every_collection_gets_a_file(project: TestProject) -> None:
    """With two blanks and an end of line, as the original; also where there is no folder."""
    folder = project.folder / "collections"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()

    assert project.app.export.export(replaces=False) == ["lists", "todos"]

    assert files(project) == {"lists.json": LISTS, "todos.json": TODOS}
    text = (folder / "lists.json").read_text()
    assert text.startswith('{\n  "name": "lists"')
    assert text.endswith("}\n")


def test_a_file_that_says_it_already_stays_as_it_is(project: TestProject) -> None:
    """Its order and its spaces are its author's."""
    path = project.folder / "collections" / "lists.json"
    path.write_text(json.dumps(dict(reversed(LISTS.items())), indent=7))
    before = path.read_text()

    assert project.app.export.export(replaces=True) == ["lists", "todos"]

    assert path.read_text() == before


@pytest.mark.parametrize(
    "content", [json.dumps(CHANGED), "no json", '{"name": "other", "fields": []}']
)
def test_what_says_something_else_is_written_over_only_if_asked(
    project: TestProject, content: str
) -> None:
    """And then nothing is written at all."""
    path = project.folder / "collections" / "lists.json"
    path.write_text(content)
    (project.folder / "collections" / "todos.json").unlink()

    with pytest.raises(ConflictError, match=r"lists\.json"):
        project.app.export.export(replaces=False)
    assert path.read_text() == content
    assert not (project.folder / "collections" / "todos.json").exists()

    project.app.export.export(replaces=True)
    assert files(project) == {"lists.json": LISTS, "todos.json": TODOS}


def test_the_file_that_defines_it_is_the_one_that_is_written(project: TestProject) -> None:
    """Whatever it is called."""
    folder = project.folder / "collections"
    (folder / "lists.json").rename(folder / "01-lists.json")

    change(project, CHANGED)

    assert files(project) == {"01-lists.json": CHANGED, "todos.json": TODOS}


def test_changes_by_administrators_are_written_back(project: TestProject) -> None:
    """New, changed, deleted; nothing is left beside the files."""
    new = {**LISTS, "name": "others"}
    project.app._editor.create(new, actor=OPERATOR)
    change(project, CHANGED)
    assert files(project) == {"lists.json": CHANGED, "others.json": new, "todos.json": TODOS}

    project.app._editor.delete("others", actor=OPERATOR)
    assert files(project) == {"lists.json": CHANGED, "todos.json": TODOS}
    assert set(project.app.collection_files.words().values()) == {"synced"}


def test_a_file_of_another_collection_is_not_removed(project: TestProject) -> None:
    """Nor written over: only what defines the changed one."""
    path = project.folder / "collections" / "todos.json"
    path.write_text(json.dumps({**LISTS, "name": "else"}))
    before = path.read_text()

    changed = {**TODOS, "fields": [*TODOS["fields"], {"name": "x", "type": "text"}]}
    change(project, changed)
    assert path.read_text() == before

    project.app._editor.delete("todos", actor=OPERATOR)
    assert path.read_text() == before


def test_a_file_that_cannot_be_written_stops_no_change(
    project: TestProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says so; an export ends with it."""

    def fail(_self: Path, _target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    change(project, CHANGED)

    assert "is changed, but not its file" in caplog.text
    assert files(project)["lists.json"] == LISTS
    with pytest.raises(NotWritableError, match="cannot be written"):
        project.app.export.export(replaces=True)
    assert set(files(project)) == {"lists.json", "todos.json"}


def test_nothing_is_written_where_the_setting_says_no() -> None:
    """As on a server."""
    with temporary_project([LISTS]) as project:
        change(project, CHANGED)
        assert files(project) == {"lists.json": LISTS}
