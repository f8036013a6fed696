"""The end of an account: what becomes of records, files and traces, in one transaction."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakend.errors import UnavailableError
from bakend.events.event import OPERATOR
from bakend.testing import TestProject, temporary_project

NOTES = {
    "name": "notes",
    "fields": [
        {"name": "text", "type": "string"},
        {"name": "file", "type": "file"},
        {"name": "user_id", "type": "string"},
    ],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "owner"),
}
ADA = "ada@example.com"


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project([NOTES]) as opened:
        yield opened


def upload(project: TestProject, headers: dict[str, str]) -> str:
    answer: Any = project.client.post(
        "/api/storage/upload",
        data={"file": (io.BytesIO(b"content"), "a.txt"), "visibility": "public"},
        headers=headers,
    )
    assert answer.status_code == 201
    return str(answer.json["id"])


def fill(project: TestProject, email: str) -> tuple[str, str, str, str]:
    """Make a user with a note; return the ids of user, note, the note's file and a loose one."""
    headers = project.sign_up(email)
    named, loose = upload(project, headers), upload(project, headers)
    body = {"text": f"of {email}", "file": named}
    note: Any = project.client.post("/api/notes", json=body, headers=headers).json
    return project.app.accounts.find_by_email(email).id, note["id"], named, loose


def left(project: TestProject) -> tuple[set[str], dict[str, str | None], set[str]]:
    """Return the notes, the files with their owners, and the bytes on the disk."""
    with project.app.database.read() as snapshot:
        notes = {row["id"] for row in snapshot.all("SELECT id FROM notes")}
        files = {row["id"]: row["user_id"] for row in snapshot.all("SELECT * FROM _files")}
    return notes, files, {path.name for path in (project.folder / "storage" / "files").iterdir()}


def test_keep_leaves_records_and_what_they_name(project: TestProject) -> None:
    """The note stays with its file, which nobody owns; the loose file goes. Others keep theirs."""
    ada, note, named, loose = fill(project, ADA)
    bob, bobs_note, bobs_named, bobs_loose = fill(project, "bob@example.com")
    after = project.last_event()

    project.app.accounts.delete(ada, OPERATOR)

    notes, files, disk = left(project)
    assert notes == {note, bobs_note}
    assert files == {named: None, bobs_named: bob, bobs_loose: bob}
    assert disk == set(files)
    assert [(event.type, event.subject) for event in project.events(after=after)] == [
        ("storage.deleted", loose),
        ("auth.deleted", ada),
    ]
    assert project.client.get(f"/api/storage/{named}").status_code == 200  # it was public


def test_delete_takes_all_of_it(project: TestProject) -> None:
    """Records and files go, each with its event; those of others stay."""
    ada, note, named, loose = fill(project, ADA)
    _bob, bobs_note, bobs_named, bobs_loose = fill(project, "bob@example.com")
    after = project.last_event()

    project.app.accounts.delete(ada, OPERATOR, data="delete")

    notes, files, disk = left(project)
    assert notes == {bobs_note}
    assert set(files) == disk == {bobs_named, bobs_loose}
    told = [(event.type, event.subject) for event in project.events(after=after)]
    assert told == [
        ("notes.deleted", note),
        ("storage.deleted", named),
        ("storage.deleted", loose),
        ("auth.deleted", ada),
    ]


def test_the_setting_decides_where_nobody_says(tmp_path: Path) -> None:
    """Also where somebody ends his own account."""
    with temporary_project([NOTES], settings={"auth_deleted_user_data": "delete"}) as project:
        fill(project, ADA)
        headers = project.log_in(ADA)

        assert project.client.delete("/api/auth/me", headers=headers).status_code == 204

        assert left(project) == (set(), {}, set())


def test_what_is_personal_goes_out_of_the_log(project: TestProject) -> None:
    """Whoever reads the event log finds ids; the events of others are as they were."""
    ada, *_ids = fill(project, ADA)
    fill(project, "bob@example.com")

    project.app.accounts.delete(ada, OPERATOR, data="delete")

    payloads = [event.payload for event in project.events() if event.type.startswith("auth.")]
    assert ADA not in str(payloads)
    assert "bob@example.com" in str(payloads)
    with project.app.database.read() as snapshot:
        for table in ("_users", "_sessions", "_throttle"):
            assert ADA not in str([tuple(row) for row in snapshot.all("SELECT * FROM " + table)])


def test_what_cannot_be_known_is_not_deleted(project: TestProject) -> None:
    """With a broken collection nobody knows which files are named: nothing happens at all."""
    ada, note, named, loose = fill(project, ADA)
    with project.app.database.write() as tx:
        tx.execute("INSERT INTO _collections (name, definition) VALUES ('broken', '{')")
        tx.execute("PRAGMA user_version = 1000")

    with pytest.raises(UnavailableError, match="broken"):
        project.app.accounts.delete(ada, OPERATOR)

    notes, files, disk = left(project)
    assert (notes, files, disk) == ({note}, {named: ada, loose: ada}, {named, loose})
    assert project.app.accounts.get(ada).email == ADA
    project.app.accounts.delete(ada, OPERATOR, data="delete")
