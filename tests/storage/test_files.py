"""Files: rows and bytes, together."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakend.errors import (
    AuthenticationError,
    DatabaseBusyError,
    NotFoundError,
    PermissionDeniedError,
    StorageFullError,
)
from bakend.events.event import Actor
from bakend.storage.blobs import Blobs
from bakend.storage.file import StoredFile
from bakend.storage.files import FileStore
from bakend.testing import FakeClock, TestProject, temporary_project


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project(clock=clock) as opened:
        yield opened


@pytest.fixture
def files(project: TestProject) -> FileStore:
    return project.app.files


@pytest.fixture
def user(project: TestProject) -> str:
    return project.make_user("ada@example.com").id


def add(files: FileStore, user: str, content: bytes = b"hello", **changed: Any) -> StoredFile:
    """Upload something."""
    given = {"filename": "a.txt", "mime_type": "text/plain", "visibility": "protected"}
    with files.receive() as incoming:
        incoming.write(content)
        return files.add(incoming, user_id=user, actor=Actor(id=user), **(given | changed))


def on_disk(project: TestProject) -> dict[str, list[str]]:
    """Return the names in each folder of the storage."""
    storage = project.folder / "storage"
    return {
        name: sorted(path.name for path in folder.rglob("*") if path.is_file())
        for name in ("files", "tmp", "trash")
        if (folder := storage / name).is_dir()
    }


def anybody(_file: StoredFile) -> None:
    """Refuse nobody."""


# Uploading


def test_an_upload_is_a_row_bytes_and_an_event(
    project: TestProject, files: FileStore, user: str
) -> None:
    """All three are there, and say the same."""
    file = add(files, user, b"hello")

    assert files.get(file.id) == file
    assert file.sha256 == hashlib.sha256(b"hello").hexdigest()
    assert (file.size_bytes, file.user_id) == (5, user)
    with files.open(file) as stream:
        assert stream.read() == b"hello"
    event = project.events()[-1]
    assert (event.type, event.subject, event.actor) == ("storage.uploaded", file.id, user)
    assert event.payload == file.to_wire()
    assert on_disk(project) == {"files": [file.id], "tmp": []}


def test_an_upload_whose_write_fails_leaves_nothing(
    project: TestProject, files: FileStore, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes are in their place already when the event log refuses: they are taken back."""
    seen: list[dict[str, list[str]]] = []

    def refuse(*_args: object) -> None:
        seen.append(on_disk(project))
        raise StorageFullError("No space is left on the disk")

    monkeypatch.setattr(project.app.database, "_journal", refuse)
    before = project.last_event()

    with pytest.raises(StorageFullError):
        add(files, user)

    assert len(seen[0]["files"]) == 1  # it would prove nothing otherwise
    assert on_disk(project) == {"files": [], "tmp": []}
    assert files.page(limit=10, offset=0) == ([], 0)
    assert project.last_event() == before


def test_an_upload_that_committed_keeps_its_bytes(
    project: TestProject, files: FileStore, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails behind the commit takes nothing away."""

    def fails() -> None:
        raise RuntimeError("behind the commit")

    monkeypatch.setattr(project.app.database, "_committed", fails)

    with pytest.raises(RuntimeError):
        add(files, user)

    rows, _total = files.page(limit=10, offset=0)
    assert on_disk(project)["files"] == [rows[0].id]


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_an_upload_that_the_disk_refuses_leaves_nothing(
    project: TestProject,
    files: FileStore,
    user: str,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    """Whichever step finds no room."""

    def fails(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fails)

    with pytest.raises(StorageFullError):
        add(files, user)

    monkeypatch.undo()
    assert on_disk(project).get("files", []) == []
    assert on_disk(project)["tmp"] == []
    assert files.page(limit=10, offset=0) == ([], 0)


def test_an_upload_of_somebody_who_is_gone_is_refused(
    project: TestProject, files: FileStore
) -> None:
    """His account may end between his request and the write."""
    with pytest.raises(AuthenticationError):
        add(files, "usr_gone")

    assert on_disk(project) == {"tmp": []}


# Reading


def test_files_are_listed_from_the_newest_on(files: FileStore, user: str, clock: FakeClock) -> None:
    """With how many there are in all."""
    ids = []
    for _ in range(3):
        clock.advance(1)
        ids.append(add(files, user).id)

    page, total = files.page(limit=2, offset=0)
    rest, _total = files.page(limit=2, offset=2)

    assert ([file.id for file in page + rest], total) == (ids[::-1], 3)


def test_a_row_without_bytes_is_not_found_and_logged(
    project: TestProject, files: FileStore, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client hears that it is not there, the operator what is wrong."""
    gone, cut = add(files, user), add(files, user)
    (project.folder / "storage" / "files" / gone.id).unlink()
    os.truncate(project.folder / "storage" / "files" / cut.id, 3)

    for file in (gone, cut):
        with pytest.raises(NotFoundError):
            files.open(file)

    assert [record.levelno for record in caplog.records] == [logging.ERROR] * 2
    assert gone.id in caplog.text
    assert f"{cut.id} has 3 bytes" in caplog.text


def test_a_file_deleted_a_moment_ago_is_only_not_found(
    files: FileStore, user: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Between reading the row and opening the bytes somebody may delete it: nothing is wrong."""
    file = add(files, user)
    files.delete(file.id, anybody, actor=Actor(id=user))

    with pytest.raises(NotFoundError):
        files.open(file)

    assert caplog.records == []


# Deleting


def test_a_deleted_file_goes_to_the_trash(
    project: TestProject, files: FileStore, user: str, clock: FakeClock
) -> None:
    """Row and event at once, the bytes after the time that is set."""
    file = add(files, user)

    files.delete(file.id, anybody, actor=Actor(id=user))

    with pytest.raises(NotFoundError):
        files.get(file.id)
    event = project.events()[-1]
    assert (event.type, event.payload) == ("storage.deleted", {"id": file.id, "userId": user})
    assert on_disk(project)["trash"] == [file.id]
    clock.advance(3_600)
    files.clean()
    assert on_disk(project) == {"files": [], "tmp": [], "trash": []}


def test_a_refused_deletion_changes_nothing(
    project: TestProject, files: FileStore, user: str
) -> None:
    """No row, no bytes, no event."""
    file, before = add(files, user), project.last_event()

    def refuse(_file: StoredFile) -> None:
        raise PermissionDeniedError("Forbidden")

    with pytest.raises(PermissionDeniedError):
        files.delete(file.id, refuse, actor=Actor())

    assert files.get(file.id) == file
    assert on_disk(project)["files"] == [file.id]
    assert project.last_event() == before


def test_bytes_that_cannot_be_moved_do_not_bring_a_file_back(
    project: TestProject,
    files: FileStore,
    user: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The deletion is done; what is left is found by pruning, and the log says so."""
    file = add(files, user)

    def fails(*_args: object, **_more: object) -> None:
        raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "utime", fails)

    files.delete(file.id, anybody, actor=Actor(id=user))

    assert on_disk(project)["files"] == [file.id]
    assert "bak storage prune" in caplog.text


def test_deleting_twice_is_not_found(files: FileStore, user: str) -> None:
    """The second finds none."""
    file = add(files, user)
    files.delete(file.id, anybody, actor=Actor(id=user))

    with pytest.raises(NotFoundError):
        files.delete(file.id, anybody, actor=Actor(id=user))


def test_files_are_found_by_their_owner(
    project: TestProject, files: FileStore, user: str, clock: FakeClock
) -> None:
    """For the end of an account."""
    other = project.make_user("bob@example.com").id
    mine = [add(files, user)]
    clock.advance(1)
    mine.append(add(files, user))
    add(files, other)

    with project.app.database.read() as snapshot:
        assert files.of_user(snapshot, user) == mine


def test_a_writer_that_gives_up_leaves_nothing(
    project: TestProject, user: str, tmp_path: Path
) -> None:
    """Another process that holds the database is answered as busy, and the upload is gone."""
    with project.app.database.write():
        pass
    busy = FileStore(
        _Busy(project.app.database),  # type: ignore[arg-type]  # only what an upload asks of it
        Blobs(tmp_path, clock=FakeClock(), grace_s=0),
        clock=FakeClock(),
        max_bytes=9,
        user_exists=lambda _snapshot, _id: True,
    )

    with pytest.raises(DatabaseBusyError):
        add(busy, user)

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


class _Busy:
    def __init__(self, database: Any) -> None:
        self.read = database.read

    def write(self, **_given: object) -> Any:
        raise DatabaseBusyError("The database is busy")
