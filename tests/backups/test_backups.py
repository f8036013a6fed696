"""Making backups, and keeping them."""

from __future__ import annotations

import json
import os
import random
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deposits import add_file, add_list

from bakend.backups import backups as making
from bakend.backups import names
from bakend.backups.backups import Backups
from bakend.backups.verifying import verify
from bakend.errors import BackupError, NotFoundError, StorageFullError
from bakend.events.event import OPERATOR
from bakend.testing import FakeClock, TestProject, temporary_project


@pytest.fixture
def backups(project: TestProject) -> Backups:
    return project.app.upkeep.backups()


def members(archive: Path) -> dict[str, bytes]:
    """Return what Python's own tar finds in an archive."""
    with tarfile.open(archive) as opened:
        return {each.name: opened.extractfile(each).read() for each in opened}  # type: ignore[union-attr]


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_it_has_all_of_the_project_and_nothing_else(
    project: TestProject, backups: Backups, home: Path
) -> None:
    """Database, files of rows, definitions, functions, jobs, packages, settings; no secret, no orphan."""
    file = add_file(project, b"content")
    (home / "storage/files/fil_0f6c2f4e-9f43-4c39-8a53-0d9d5c1f1b01").write_bytes(b"orphan")
    for path in ("functions/a/b.py", "jobs/c.py", "packages.txt", "packages.lock"):
        project.write_file(path, path)
    for path in ("functions/__pycache__/b.pyc", ".env", ".bakend/jwt_secret", "notes.txt"):
        project.write_file(path, "no")
    config = {"port": 9, "auth": {"jwtSecret": "s" * 40, "accessTokenTtl": "5m"}}
    project.write_file("bakend.json", json.dumps(config))

    made = backups.create()

    found = members(made.path)
    assert list(found) == [
        "backup.json",
        "bakend.db",
        "bakend.json",
        "packages.txt",
        "packages.lock",
        "collections/lists.json",
        "functions/a/b.py",
        "jobs/c.py",
        f"storage/files/{file.id}",
    ]
    assert found[f"storage/files/{file.id}"] == b"content"
    assert json.loads(found["bakend.json"]) == {"port": 9, "auth": {"accessTokenTtl": "5m"}}
    assert b"ssssssss" not in b"".join(found.values())
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert left(backups.folder) == {made.path.name}


def test_a_file_that_is_deleted_meanwhile_is_in_it(project: TestProject, backups: Backups) -> None:
    """The database of that moment names it, so its bytes are taken from the trash."""
    file = add_file(project, b"content")
    original = project.app.database.copy_to

    def copy_then_delete(target: Path) -> None:
        original(target)
        project.app.files.delete(file.id, lambda _file: None, actor=OPERATOR)

    project.app.database.copy_to = copy_then_delete  # type: ignore[method-assign]

    made = backups.create()

    assert members(made.path)[f"storage/files/{file.id}"] == b"content"
    assert (made.manifest.missing, made.manifest.damaged) == ((), ())


def test_what_is_missing_or_damaged_is_told_and_stops_nothing(
    project: TestProject, backups: Backups, home: Path
) -> None:
    """A backup of all the rest is better than none."""
    gone, bad, good = (add_file(project, content) for content in (b"1", b"2", b"3"))
    (home / "storage/files" / gone.id).unlink()
    (home / "storage/files" / bad.id).write_bytes(b"x")

    made = backups.create()

    assert ([*made.manifest.missing], [*made.manifest.damaged]) == ([gone.id], [bad.id])
    assert verify(made.path).files == 2
    assert members(made.path)[f"storage/files/{good.id}"] == b"3"


def test_a_definition_that_is_saved_meanwhile_is_read_anew(
    project: TestProject, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half of one state and half of the other; what changes all the time ends in a sentence."""
    pack, calls = making._pack, []

    def change_first(*args: Any) -> bool:
        calls.append(1)
        if len(calls) <= changes:
            project.write_file("functions/a.py", f"# {changes}.{len(calls)}")
        return pack(*args)

    monkeypatch.setattr(making, "_pack", change_first)
    project.write_file("functions/a.py", "# 0")
    changes = 1
    made = backups.create()
    assert members(made.path)["functions/a.py"] == b"# 1.1"

    changes, calls[:] = 100, []
    with pytest.raises(BackupError, match="changed all the time"):
        backups.create()
    assert left(backups.folder) == {made.path.name}


def test_a_failure_leaves_nothing(
    project: TestProject, backups: Backups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, a stop, a fault of ours: no archive, nothing unfinished."""
    add_file(project)
    with pytest.raises(BackupError, match="stopped"):
        backups.create(is_stopped=lambda: True)
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(StorageFullError):
        backups.create()
    monkeypatch.undo()
    monkeypatch.setattr(making, "verify", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backups.create()

    assert left(backups.folder) == set()


def _full(_descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_no_disk_is_filled(backups: Backups, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the space cannot do, nothing is begun."""
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Usage)
    with pytest.raises(StorageFullError, match="may need"):
        backups.create()


class _Usage:
    free = 1_000


def test_what_killed_ones_left_is_removed_and_what_runs_stays(backups: Backups) -> None:
    """By the next backup; the lock tells which is which."""
    backups.folder.mkdir()
    for name in (".x.tar.gz.unfinished", ".x.tar.gz.db.unfinished-journal"):
        (backups.folder / name).write_bytes(b"half")
    (backups.folder / ".bakend-verify-abc").mkdir()
    with making._unfinished(backups.folder / ".y.tar.gz.unfinished") as (running, _file):
        made = backups.create()
        assert left(backups.folder) == {made.path.name, running.name}


def test_two_at_once_do_not_share_a_file(backups: Backups, tmp_path: Path) -> None:
    """The second one with the same target ends, and harms the first in nothing."""
    target = tmp_path / "mine.tar.gz"
    with making._unfinished(tmp_path / ".mine.tar.gz.unfinished") as (_path, file):
        file.write(b"half")
        file.flush()
        with pytest.raises(BackupError, match="Another backup"):
            backups.create(target)
        assert os.fstat(file.fileno()).st_size == 4
    backups.create(target)
    assert verify(target).files == 0


def test_a_folder_as_target_gets_a_name_by_the_time(backups: Backups, tmp_path: Path) -> None:
    """As in the folder of backups."""
    (tmp_path / "elsewhere").mkdir()
    made = backups.create(tmp_path / "elsewhere")
    assert made.path.parent == tmp_path / "elsewhere"
    assert names.moment_of(made.path.name) is not None


def test_a_target_of_ones_own_is_replaced(backups: Backups, tmp_path: Path) -> None:
    """Whole, and only when the new one is whole."""
    target = tmp_path / "elsewhere" / "mine.tar.gz"
    target.parent.mkdir()
    target.write_bytes(b"old")
    with pytest.raises(BackupError):
        backups.create(target, is_stopped=lambda: True)
    assert target.read_bytes() == b"old"

    backups.create(target)

    assert verify(target).files == 0
    assert left(target.parent) == {target.name}


def test_damage_is_named_by_its_member(project: TestProject, backups: Backups) -> None:
    """One changed byte in a file: the message says in which, and `verify` raises."""
    noise = random.Random(1).randbytes(50_000)
    file = add_file(project, noise)
    path = backups.create().path
    content = bytearray(path.read_bytes())
    content[content.index(noise[20_000:20_100])] ^= 1
    path.write_bytes(content)

    with pytest.raises(BackupError, match=f"^storage/files/{file.id}: its content was changed"):
        verify(path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 25, 21, 0, 0, 123_000, tzinfo=UTC))


@pytest.fixture
def timed(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project(clock=clock) as opened:
        yield opened


def test_names_tell_the_time(timed: TestProject, clock: FakeClock) -> None:
    """As those of the original; the newest is listed first."""
    backups = timed.app.upkeep.backups()
    first = backups.create()
    clock.advance(3_600)
    second = backups.create(kind="scheduled")
    (backups.folder / "mine.tar.gz").write_bytes(b"x")
    os.utime(backups.folder / "mine.tar.gz", (1_000_000_000, 1_000_000_000))
    (backups.folder / "notes.txt").write_bytes(b"x")
    (backups.folder / "link.tar.gz").symlink_to("mine.tar.gz")

    assert first.path.name == "bakend-backup-2026-11-25T21-00-00-123Z.tar.gz"
    assert [each.as_json() for each in backups.entries()] == [
        {
            "name": "bakend-scheduled-2026-11-25T22-00-00-123Z.tar.gz",
            "size": second.size_bytes,
            "createdAt": "2026-11-25T22:00:00.123Z",
            "scheduled": True,
        },
        {
            "name": first.path.name,
            "size": first.size_bytes,
            "createdAt": "2026-11-25T21:00:00.123Z",
            "scheduled": False,
        },
        {
            "name": "mine.tar.gz",
            "size": 1,
            "createdAt": "2001-09-09T01:46:40.000Z",
            "scheduled": False,
        },
    ]


def test_only_scheduled_ones_are_pruned(timed: TestProject, clock: FakeClock) -> None:
    """The newest stay, and all that people have made."""
    backups = timed.app.upkeep.backups()
    by_hand = backups.create()
    made = []
    for _ in range(4):
        clock.advance(60)
        made.append(backups.create(kind="scheduled").path.name)

    assert backups.prune(2) == [made[1], made[0]]
    assert {each.name for each in backups.entries()} == {by_hand.path.name, made[2], made[3]}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../x.tar.gz",
        "a/b.tar.gz",
        "/x.tar.gz",
        ".x.tar.gz",
        "x.tar",
        "x.tar.gz\n",
        "x\0.tar.gz",
        "link.tar.gz",
        "folder.tar.gz",
    ],
)
def test_a_name_leads_nowhere_else(backups: Backups, name: str) -> None:
    """Only to a plain file in the folder."""
    backups.folder.mkdir()
    (backups.folder.parent / "x.tar.gz").write_bytes(b"x")
    (backups.folder / "link.tar.gz").symlink_to("../x.tar.gz")
    (backups.folder / "folder.tar.gz").mkdir()

    for use in (backups.find, backups.verify, backups.remove):
        with pytest.raises(NotFoundError):
            use(name)


def test_a_moment_that_is_none_is_no_name_of_ours() -> None:
    """Whatever looks alike."""
    assert names.moment_of("bakend-scheduled-2026-13-45T99-00-00-000Z.tar.gz") is None
    assert not names.is_scheduled("bakend-scheduled-2026-13-45T99-00-00-000Z.tar.gz")
    assert not names.is_scheduled("bakend-scheduled-mine.tar.gz")


def test_an_old_schema_is_backed_up_as_it_is(project: TestProject, backups: Backups) -> None:
    """Records of now, with the number of the last event."""
    add_list(project, "first")

    made = backups.create()

    assert made.manifest.last_event == project.last_event()
    with project.app.database.read() as snapshot:
        assert made.manifest.schema == int(
            snapshot.value("SELECT value FROM _bakend_meta WHERE key = 'schema_version'")
        )
