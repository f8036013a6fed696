"""The definition files: compared with the database, applied, and reported when they are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bakend.collections.files import FILE_MAX_BYTES, read_definition
from bakend.errors import DefinitionError, DestructiveChangeError
from bakend.testing import TestProject, temporary_project

from samples import LISTS, TODOS

NOTES = {"name": "notes", "fields": [{"name": "title", "type": "string"}]}
WIDER = {"name": "notes", "fields": [*NOTES["fields"], {"name": "more", "type": "string"}]}
LOSSY = {"name": "notes", "fields": [{"name": "more", "type": "string"}]}


def write(project: TestProject, name: str, content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    (project.folder / "collections" / name).write_text(text)


def words(project: TestProject) -> dict[str, str]:
    return {status.name: status.word for status in project.app.collection_files.status()}


def has_field(project: TestProject, name: str) -> bool:
    return project.app.records.collection("notes").field(name) is not None


def test_how_collections_stand(project: TestProject) -> None:
    """Synced, only in a file, only in the database, different, and broken."""
    (project.folder / "collections" / "secrets.json").unlink()
    write(project, "lists.json", {**LISTS, "permissions": {"read": "admin"}})
    write(project, "new.json", {"name": "new", "fields": []})
    write(project, "bad.json", {"name": "bad", "fields": [{"name": "x", "type": "nope"}]})
    write(project, "rubbish.json", "{")

    assert words(project) == {
        "bad": "broken",
        "everything": "synced",
        "lists": "drift",
        "new": "file_only",
        "rubbish.json": "broken",
        "secrets": "db_only",
        "todos": "synced",
    }


def test_the_order_of_keys_is_no_difference() -> None:
    """A file that says the same in another order is in step."""
    with temporary_project([TODOS, LISTS]) as project:
        turned = dict(reversed(TODOS.items()))
        turned["fields"] = [dict(reversed(field.items())) for field in TODOS["fields"]]
        write(project, "todos.json", turned)

        assert words(project)["todos"] == "synced"


def test_files_are_applied_whatever_their_order() -> None:
    """A relation may point at a collection whose file comes later."""
    with temporary_project() as project:
        write(project, "a.json", TODOS)
        write(project, "b.json", LISTS)

        done = [plan.name for plan in project.app.collection_files.apply()]

        assert done == ["lists", "todos"]


def test_one_faulty_file_stops_an_apply_that_was_asked_for() -> None:
    """All or nothing, with every fault named by its file."""
    with temporary_project() as project:
        write(project, "notes.json", NOTES)
        write(project, "x.json", "{")
        write(project, "y.json", '{"name": 1}')

        with pytest.raises(DefinitionError) as refused:
            project.app.collection_files.apply()

        assert ["x.json" in refused.value.faults[0], "y.json" in refused.value.faults[1]] == [
            True,
            True,
        ]
        assert words(project)["notes"] == "file_only"


def test_a_server_leaves_faulty_files_out_and_serves_the_rest(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What refers to a faulty definition is faulty too; all of it is reported."""
    faulty = {"name": "lists", "fields": [{"name": "x", "type": "nope"}]}
    with temporary_project([NOTES, faulty, TODOS]) as project:
        said = caplog.text

        assert words(project) == {"lists": "broken", "notes": "synced", "todos": "broken"}
        assert "lists" in said
        assert "todos" in said


def test_start_keeps_the_definition_of_the_database(caplog: pytest.LogCaptureFixture) -> None:
    """A drifted file changes nothing at a start; the log has the plan and the command."""
    with temporary_project([NOTES]) as project:
        write(project, "notes.json", WIDER)
        project.app.collection_files.serve(changes=False)

        assert not has_field(project, "more")
        assert 'Field "more" (string) is added' in caplog.text
        assert "bak migrate apply" in caplog.text


def test_dev_applies_what_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A wider file is applied while developing, a lossy one only reported."""
    with temporary_project([NOTES]) as project:
        write(project, "notes.json", WIDER)
        project.app.collection_files.serve(changes=True)
        wider = has_field(project, "more")
        write(project, "notes.json", LOSSY)
        project.app.collection_files.serve(changes=True)

        assert wider
        assert has_field(project, "title")
        assert "bak migrate apply --destructive" in caplog.text


def test_losing_values_has_to_be_allowed() -> None:
    """An apply that was asked for refuses to lose values unless that is said too."""
    with temporary_project([NOTES]) as project:
        write(project, "notes.json", LOSSY)

        with pytest.raises(DestructiveChangeError, match="title"):
            project.app.collection_files.apply()
        kept = has_field(project, "title")
        project.app.collection_files.apply(allow_destructive=True)

        assert kept
        assert not has_field(project, "title")


def test_a_file_that_is_gone_deletes_nothing() -> None:
    """Collections without a file stay."""
    with temporary_project([NOTES]) as project:
        (project.folder / "collections" / "notes.json").unlink()
        project.app.collection_files.serve(changes=True)

        assert project.app.collection_files.apply(allow_destructive=True) == []
        assert words(project) == {"notes": "db_only"}


def test_two_files_of_one_collection_are_a_fault() -> None:
    """The first by name counts; the other is reported instead of winning by chance."""
    with temporary_project([NOTES]) as project:
        write(project, "zz.json", WIDER)

        assert words(project) == {"notes": "synced", "zz.json": "broken"}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"{", "line 1, column 2"),
        (b"\xff\xfe", "UTF-8"),
        (b"[]", "expected { name, fields }"),
        (b'{"name":"x"}', "expected { name, fields }"),
        (b'{"name":1,"fields":[]}', "expected { name, fields }"),
        (b"[" * 200_000, "nested"),
        (b" " * (FILE_MAX_BYTES + 1), "larger than 1 MiB"),
    ],
    ids=lambda part: repr(part)[:20],
)
def test_files_that_are_no_definition(tmp_path: Path, content: bytes, fault: str) -> None:
    """Whatever stands in a file, its reader is told in a sentence."""
    path = tmp_path / "x.json"
    path.write_bytes(content)

    with pytest.raises(DefinitionError, match=fault.replace("{", r"\{")):
        read_definition(path)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    path = tmp_path / "x.json"
    path.write_bytes(b'\xef\xbb\xbf{"name":"x","fields":[]}')

    assert read_definition(path) == {"name": "x", "fields": []}


def test_a_folder_in_place_of_a_file_is_reported() -> None:
    """What cannot be read is a broken file, not a failure."""
    with temporary_project([NOTES]) as project:
        (project.folder / "collections" / "odd.json").mkdir()

        assert words(project)["odd.json"] == "broken"
