"""`bak migrate`: definition files against the database."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bakend.database.migrations import NEWEST
from bakend.testing import temporary_project

import original
from samples import LISTS, TODOS
from terminal import Terminal

NOTHING = "No collection changes to apply."


@pytest.fixture
def folder(bak: Terminal, tmp_path: Path) -> Path:
    """A new project."""
    bak("init")
    return tmp_path


def _define(folder: Path, *definitions: Mapping[str, Any]) -> None:
    for each in definitions:
        (folder / "collections" / f"{each['name']}.json").write_text(json.dumps(each))


def _with(definition: Mapping[str, Any], *fields: Mapping[str, Any]) -> dict[str, Any]:
    return {**definition, "fields": list(fields)}


def test_nothing_is_said_in_a_sentence(bak: Terminal, folder: Path) -> None:
    """A project without collections has a sentence for each command, and an empty list as JSON."""
    assert bak("migrate", "status").lines == ["No collections found in files or database."]
    assert bak("migrate", "plan").lines == [NOTHING]
    assert bak("migrate", "status", "--json").json == []
    assert bak("migrate", "plan", "--json").json == []


@pytest.mark.parametrize("has_empty_file", [False, True])
def test_looking_makes_no_database(bak: Terminal, folder: Path, has_empty_file: bool) -> None:
    """Status and plan create nothing where there is no database, or an empty file."""
    _define(folder, LISTS, TODOS)
    if has_empty_file:
        (folder / "bakend.db").touch()
    before = {path: path.stat().st_size for path in folder.rglob("*")}

    status, plan = bak("migrate", "status"), bak("migrate", "plan")

    assert status.lines == ["lists\tfile_only", "todos\tfile_only"]
    assert plan.lines == ["lists\tThe collection is created", "todos\tThe collection is created"]
    assert {path: path.stat().st_size for path in folder.rglob("*")} == before


def test_apply_creates_what_is_new(bak: Terminal, folder: Path) -> None:
    """New collections are created in the order of their relations, and once."""
    _define(folder, {**TODOS, "name": "a_todo"}, LISTS)  # the target sorts later

    first, second = bak("migrate", "apply"), bak("migrate", "apply")

    assert first.lines == ["created lists", "created a_todo"]
    assert second.lines == [NOTHING]
    assert bak("migrate", "status").lines == ["a_todo\tsynced", "lists\tsynced"]


def test_status_has_a_word_for_each_case(bak: Terminal, folder: Path) -> None:
    """Files and database are compared by name; what is broken says why."""
    kept, gone = {**LISTS, "name": "kept"}, {**LISTS, "name": "gone"}
    _define(folder, LISTS, kept, gone)
    bak("migrate", "apply")
    (folder / "collections" / "gone.json").unlink()
    _define(folder, {**LISTS, "fields": [*LISTS["fields"], {"name": "size", "type": "integer"}]})
    _define(
        folder, {**LISTS, "name": "new"}, _with(LISTS | {"name": "odd"}, {"name": "created_at"})
    )
    (folder / "collections" / "torn.json").write_text("{")

    lines = bak("migrate", "status").lines
    data = bak("migrate", "status", "--json").json

    assert [line.split("\t")[:2] for line in lines] == [
        ["gone", "db_only"],
        ["kept", "synced"],
        ["lists", "drift"],
        ["new", "file_only"],
        ["odd", "broken"],
        ["torn.json", "broken"],
    ]
    assert lines[-1].split("\t")[2].startswith("invalid JSON: ")
    assert [[row["name"], row["status"]] for row in data] == [
        line.split("\t")[:2] for line in lines
    ]


def test_plan_says_each_step_and_does_none(bak: Terminal, folder: Path) -> None:
    """A plan lists what apply would do, marks what loses values, and changes nothing."""
    _define(folder, LISTS)
    bak("migrate", "apply")
    _define(folder, _with(LISTS, {"name": "title", "type": "string"}))

    text, data = bak("migrate", "plan"), bak("migrate", "plan", "--json")

    assert text.lines == [
        'lists\tField "name" and its values are deleted (loses stored values)',
        'lists\tField "title" (string) is added',
    ]
    assert [
        (step["kind"], step["field"], step["destructive"]) for step in data.json[0]["steps"]
    ] == [
        ("drop_field", "name", True),
        ("add_field", "title", False),
    ]
    assert bak("migrate", "status").lines == ["lists\tdrift"]


def test_apply_loses_values_only_when_told_to(bak: Terminal, folder: Path) -> None:
    """A change that deletes values is refused with the flag that allows it."""
    _define(folder, LISTS)
    bak("migrate", "apply")
    _define(folder, _with(LISTS, {"name": "title", "type": "string"}))

    refused = bak("migrate", "apply")
    still = bak("migrate", "status")
    done = bak("migrate", "apply", "--destructive", "--json")

    assert refused.code == 78
    assert refused.err.splitlines()[0].startswith("Would lose stored values: ")
    assert "bak migrate apply --destructive" in refused.err
    assert still.lines == ["lists\tdrift"]
    assert [plan["name"] for plan in done.json] == ["lists"]
    assert bak("migrate", "status").lines == ["lists\tsynced"]


def test_apply_renames_what_a_file_says_is_renamed(bak: Terminal, folder: Path) -> None:
    """`renamedFrom` keeps the values under their new name."""
    _define(folder, LISTS)
    bak("migrate", "apply")
    _define(folder, _with(LISTS, {**LISTS["fields"][0], "name": "title", "renamedFrom": "name"}))

    assert bak("migrate", "apply").lines == ["updated lists"]


def test_apply_does_all_or_nothing(bak: Terminal, folder: Path) -> None:
    """One faulty file keeps every change of every file from being made, and all faults are told."""
    _define(folder, LISTS)
    bak("migrate", "apply")
    _define(
        folder,
        {**LISTS, "name": "another"},
        _with(LISTS, *LISTS["fields"], {"name": "size", "type": "integer"}),
        _with(
            LISTS | {"name": "odd"},
            {"name": "a", "type": "nonsense"},
            {"name": "id", "type": "text"},
        ),
    )

    result = bak("migrate", "apply")

    assert result.code == 78
    assert 'Unsupported field type "nonsense"' in result.err
    assert 'Field name "id" is reserved' in result.err
    assert result.out == ""
    assert [line.split("\t")[:2] for line in bak("migrate", "status").lines] == [
        ["another", "file_only"],
        ["lists", "drift"],
        ["odd", "broken"],
    ]


def test_apply_is_stopped_by_stored_values(bak: Terminal, folder: Path) -> None:
    """A change that stored records contradict changes nothing, other collections included."""
    _define(folder, _with(LISTS, {"name": "name", "type": "string"}))
    bak("migrate", "apply")
    with temporary_project(folder=folder) as project:
        for _ in range(2):
            assert project.client.post("/api/lists", json={"name": "twice"}).status_code == 201
    _define(folder, LISTS, {**LISTS, "name": "another"})

    result = bak("migrate", "apply")

    assert result.code == 78
    assert "twice" in result.err
    assert bak("migrate", "status").lines == ["another\tfile_only", "lists\tdrift"]


@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_file_that_is_no_definition_is_named(bak: Terminal, folder: Path, command: str) -> None:
    """Every unreadable file is named with its place, and the code is 78."""
    (folder / "collections" / "a.json").write_text("{")
    (folder / "collections" / "b.json").write_text("[]")

    result = bak("migrate", command)

    assert result.code == 78
    assert [line.partition(": ")[0] for line in result.err.splitlines()] == [
        str(folder / "collections" / "a.json"),
        str(folder / "collections" / "b.json"),
    ]


def test_looking_at_a_database_of_the_original_changes_nothing(bak: Terminal, folder: Path) -> None:
    """Status and plan read an older schema as it is; only apply migrates it, after a copy."""
    original.make(folder / "bakend.db")
    before = (folder / "bakend.db").read_bytes()
    _define(folder, json.loads(original.POSTS), LISTS)

    status, plan = bak("migrate", "status"), bak("migrate", "plan")

    assert status.lines == ["lists\tfile_only", "posts\tsynced"]
    assert plan.lines == ["lists\tThe collection is created"]
    assert (folder / "bakend.db").read_bytes() == before
    assert bak("migrate", "apply").lines == ["created lists"]
    (copy,) = (folder / "backups").iterdir()
    assert copy.name.startswith(f"bakend-before-schema-{NEWEST}-")


def test_a_database_that_another_process_holds_is_told(bak: Terminal, folder: Path) -> None:
    """Where the write lock is never free, apply ends with code 75; looking needs no lock."""
    (folder / "bakend.json").write_text('{"database.busyTimeout": "200ms"}')
    bak("migrate", "apply")
    _define(folder, LISTS)
    with contextlib.closing(sqlite3.connect(folder / "bakend.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        refused, status = bak("migrate", "apply"), bak("migrate", "status")

    assert refused.code == 75
    assert refused.err.startswith("The database is busy: another process is writing to it\n")
    assert status.lines == ["lists\tfile_only"]


def test_a_dry_run_finds_what_a_plan_cannot(bak: Terminal, folder: Path) -> None:
    """It tries the change with the stored values, says the steps, and changes nothing."""
    plain = {**LISTS, "fields": [{"name": "name", "type": "string"}]}
    _define(folder, plain)
    bak("migrate", "apply")
    unique = _with(LISTS, {"name": "name", "type": "string", "unique": True})
    _define(folder, unique)

    good = bak("migrate", "apply", "--dry-run")
    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database, database:
        for number in range(2):
            database.execute(
                "INSERT INTO lists (id, created_at, updated_at, name) VALUES (?, 'x', 'x', 'same')",
                (str(number),),
            )
    bad = bak("migrate", "apply", "--dry-run")
    _define(folder, _with(LISTS))
    lossy = bak("migrate", "apply", "--dry-run")
    agreed = bak("migrate", "apply", "--dry-run", "--destructive", "--json")

    assert (good.code, good.lines) == (0, ['lists\tField "name" becomes unique'])
    assert (bad.code, bad.out) == (78, "")
    assert "name" in bad.err
    assert lossy.code == 78
    assert agreed.json[0]["steps"][0]["kind"] == "drop_field"
    _define(folder, plain)
    assert bak("migrate", "status").lines == ["lists\tsynced"]


def test_a_dry_run_makes_no_database(bak: Terminal, folder: Path) -> None:
    """As `plan`."""
    _define(folder, LISTS)

    assert bak("migrate", "apply", "--dry-run").lines == ["lists\tThe collection is created"]
    assert not (folder / "bakend.db").exists()


def test_an_export_is_the_way_back(bak: Terminal, folder: Path) -> None:
    """In the words of the original; what would be written over is told first."""
    nothing = bak("migrate", "export")
    _define(folder, LISTS, TODOS)
    bak("migrate", "apply")
    (folder / "collections" / "lists.json").unlink()
    first = bak("migrate", "export")
    _define(folder, _with(LISTS))
    refused = bak("migrate", "export")
    forced = bak("migrate", "export", "--force", "--json")

    assert nothing.lines == ["No collections to export."]
    assert first.lines == ["Exported 2 collection(s): lists, todos"]
    assert (refused.code, "lists.json" in refused.err) == (1, True)
    assert forced.json == ["lists", "todos"]
    assert bak("migrate", "status").lines == ["lists\tsynced", "todos\tsynced"]
