"""Files that nothing refers to."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bakend import access
from bakend.events.event import OPERATOR
from bakend.ids import new_id
from bakend.pruning import GROUP, Orphans
from bakend.storage.file import StoredFile
from bakend.testing import FakeClock, TestProject, temporary_project

from processes import wait_until

ALBUMS = {
    "name": "albums",
    "fields": [{"name": "cover", "type": "file"}],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "public"),
}
GRACE_S = 3_600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project([ALBUMS], clock=clock) as opened:
        opened.make_user("ada@example.com")
        yield opened


def add(project: TestProject, visibility: str = "protected") -> StoredFile:
    """Upload a file."""
    users, _total = project.app.accounts.page(limit=1, offset=0)
    files = project.app.files
    with files.receive() as incoming:
        incoming.write(b"hello")
        return files.add(
            incoming,
            filename="a.txt",
            mime_type="text/plain",
            visibility=visibility,
            user_id=users[0].id,
            actor=OPERATOR,
        )


def leave(project: TestProject, age_s: float = 0) -> Path:
    """Leave bytes without a row, as a crash may."""
    path = project.folder / "storage" / "files" / new_id("fil")
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(b"left")
    written = project.app._clock.now().timestamp() - age_s
    os.utime(path, (written, written))
    return path


def name_in_record(project: TestProject, file: StoredFile) -> None:
    project.app.records.create("albums", {"cover": file.id}, access.guard(access.EVERYTHING))


def find(project: TestProject, **given: Any) -> Orphans:
    wanted = {"older_than_s": 0, "includes_public": False}
    return project.app.pruning.find(**(wanted | given))


def test_what_no_record_names_is_removed(project: TestProject) -> None:
    """Row, bytes and event; what a record names stays."""
    used, unused = add(project), add(project)
    name_in_record(project, used)

    found = find(project)
    removed = project.app.pruning.remove(found)

    assert found.ids == removed.ids == [unused.id]
    assert project.app.files.page(limit=9, offset=0) == ([used], 1)
    assert [path.name for path in (project.folder / "storage/files").iterdir()] == [used.id]
    event = project.events()[-1]
    assert (event.type, event.subject, event.by_admin) == ("storage.deleted", unused.id, True)


def test_public_files_stay_unless_they_are_meant(project: TestProject) -> None:
    """Their address may stand anywhere."""
    public, used = add(project, "public"), add(project, "public")
    name_in_record(project, used)

    usual, all_of_them = find(project), find(project, includes_public=True)

    assert (usual.ids, list(usual.kept_public)) == ([], [public])
    assert (all_of_them.ids, list(all_of_them.kept_public)) == ([public.id], [])


def test_the_young_stay(project: TestProject, clock: FakeClock) -> None:
    """Their record may be about to be written: an hour, or as long as is said."""
    file, bytes_ = add(project), leave(project)

    at_once = find(project, older_than_s=None)
    clock.advance(GRACE_S)
    later = find(project, older_than_s=None)
    longer = find(project, older_than_s=GRACE_S + 1)

    assert at_once.ids == longer.ids == []
    assert later.ids == [file.id, bytes_.name]


def test_bytes_without_a_row_are_removed(project: TestProject) -> None:
    """And what else a crash left; they too can be read for a while."""
    path = leave(project)
    half = project.folder / "storage" / "tmp" / "uploads" / "up_left"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")

    removed = project.app.pruning.remove(find(project))

    assert list(removed.rowless) == [path.name]
    assert not path.exists()
    assert not half.exists()
    assert (project.folder / "storage" / "trash" / path.name).exists()


def test_rows_without_bytes_are_reported_and_stay(project: TestProject) -> None:
    """Somebody should know of them: a disk was damaged, or a backup restored by half."""
    file = add(project)
    name_in_record(project, file)
    (project.folder / "storage" / "files" / file.id).unlink()

    removed = project.app.pruning.remove(find(project))

    assert list(removed.without_bytes) == [file]
    assert project.app.files.get(file.id) == file


def test_what_changed_meanwhile_is_seen(project: TestProject) -> None:
    """A record was given the file, somebody deleted it, an upload took place: all since the look."""
    named, deleted, free = add(project), add(project), add(project)
    found = find(project)
    uploaded = add(project)  # its bytes were listed a moment before its row was there
    found = Orphans(
        unused=found.unused,
        rowless=[uploaded.id],
        kept_public=(),
        without_bytes=(),
    )
    name_in_record(project, named)
    project.app.files.delete(deleted.id, lambda _file: None, actor=OPERATOR)

    removed = project.app.pruning.remove(found)

    assert removed.ids == [free.id]
    kept, _total = project.app.files.page(limit=9, offset=0)
    assert {file.id for file in kept} == {named.id, uploaded.id}
    with project.app.files.open(uploaded) as stream:
        assert stream.read() == b"hello"


def test_bytes_whose_upload_is_about_to_commit_are_not_taken(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are in their place, and no row is to be seen yet: whoever looks waits for the commit."""
    database, files = project.app.database, project.folder / "storage" / "files"
    moved, commit = threading.Event(), threading.Event()
    append = project.app.event_log.append

    def held(*given: Any) -> None:
        if not moved.is_set():
            moved.set()
            assert commit.wait(20)
        append(*given)

    monkeypatch.setattr(database, "_journal", held)
    with ThreadPoolExecutor(2) as pool:
        upload = pool.submit(add, project)
        assert moved.wait(20)
        (there,) = (path.name for path in files.iterdir())
        found = find(project)
        pruned = pool.submit(project.app.pruning.remove, found)
        wait_until(
            lambda: pruned.done() or len(database._queue._waiting) == 2, 20, what="it waits, or ran"
        )
        commit.set()

        assert found.ids == [there] == [upload.result().id]
        assert pruned.result().ids == []
    assert [path.name for path in files.iterdir()] == [there]


def test_all_of_many_are_removed_at_once(project: TestProject) -> None:
    """Also beyond a group."""
    paths = [leave(project) for _ in range(2 * GROUP + 1)]

    removed = project.app.pruning.remove(find(project))

    assert sorted(removed.rowless) == sorted(path.name for path in paths)
    assert find(project).ids == []
