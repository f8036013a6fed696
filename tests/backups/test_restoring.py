"""Putting a backup in the place of a project."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import random
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from deposits import add_file, add_list

from bakend.backups import swapping
from bakend.backups.archive import Writer
from bakend.backups.manifest import Manifest, Member
from bakend.backups.restoring import LEAP, Place, Restored, Restoring, place_in
from bakend.backups.verifying import verify
from bakend.clock import SystemClock
from bakend.database.lock import UseLock
from bakend.errors import (
    BackupError,
    BakendError,
    ConflictError,
    DatabaseBusyError,
    NotWritableError,
    SchemaTooNewError,
    StorageFullError,
)
from bakend.testing import temporary_project

import original
from samples import LISTS


@pytest.fixture
def archive(home: Path, tmp_path: Path) -> Path:
    """A backup of a project with a record and a file, which is closed; the project has changed since."""
    with temporary_project([LISTS], folder=home) as project:
        project.make_user("ada@example.com")
        add_list(project, "before")
        add_file(project, b"content")
        project.write_file("functions/a.py", "# before")
        made = project.app.upkeep.backups().create(tmp_path / "a.tar.gz")
        add_list(project, "after")
        add_file(project, b"later")
        project.write_file("functions/a.py", "# after")
        project.write_file("functions/b.py", "# after")
        return made.path


def place(folder: Path) -> Place:
    return place_in(folder)


def restore(archive: Path, folder: Path, **options: Any) -> Restored:
    is_new = options.pop("is_new", False)
    options = {"replaces": True, **options}
    return Restoring(place(folder), clock=SystemClock(), is_new=is_new).run(archive, **options)


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


def state(folder: Path) -> dict[str, bytes]:
    """Return every file in a folder, but for the lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "bakend.db.lock"
    }


def test_everything_is_as_it_was_and_the_old_state_is_kept(archive: Path, home: Path) -> None:
    """Records, files, functions; what came after lies in a folder that is named."""
    before = state(home)

    done = restore(archive, home)

    assert rows(home / "bakend.db", "SELECT name FROM lists") == [("before",)]
    (file_id,) = (row[0] for row in rows(home / "bakend.db", "SELECT id FROM _files"))
    assert {path.name: path.read_bytes() for path in (home / "storage/files").iterdir()} == {
        file_id: b"content"
    }
    assert {path.name: path.read_text() for path in (home / "functions").iterdir()} == {
        "a.py": "# before"
    }
    (kept,) = done.kept
    assert kept.parent == home
    assert kept.name.startswith("before-restore-")
    assert state(kept) == before
    assert not list(home.glob(".*restoring*"))
    assert not list(home.glob("storage/restoring"))


def test_the_database_is_checked_and_private(archive: Path, home: Path) -> None:
    """Whole, and for its owner only."""
    restore(archive, home)

    assert rows(home / "bakend.db", "PRAGMA integrity_check") == [("ok",)]
    assert (home / "bakend.db").stat().st_mode & 0o777 == 0o600


def test_data_only_leaves_what_is_in_the_repository(archive: Path, home: Path) -> None:
    """Definitions and functions stay as they are."""
    restore(archive, home, data_only=True)

    assert rows(home / "bakend.db", "SELECT name FROM lists") == [("before",)]
    assert (home / "functions/b.py").read_text() == "# after"


def test_no_number_of_an_event_is_used_twice(archive: Path, home: Path) -> None:
    """The log goes on behind the last number of the replaced one, and knows which it left out."""
    last = rows(home / "bakend.db", "SELECT seq FROM sqlite_sequence WHERE name = '_events'")[0][0]
    first = rows(home / "bakend.db", "SELECT min(seq) FROM _events")[0][0]

    restore(archive, home)

    with temporary_project(folder=home) as project:
        add_list(project, "new")
        events = project.events()
        log = project.app.event_log
        with project.app.database.read() as snapshot:
            left_out = [seq for seq in range(first, last + 5) if log.is_left_out(snapshot, seq)]
    assert [(each.type, each.seq) for each in events[-2:]] == [
        ("system.backup.restored", last + 1),
        ("lists.created", last + 2),
    ]
    assert left_out == [seq for seq in range(first, last + 1) if seq > events[-3].seq]


def test_a_fresh_database_knows_nothing_of_the_numbers(
    archive: Path, home: Path, tmp_path: Path
) -> None:
    """It was made before somebody thought of the backup: it is not the one that clients knew."""
    for path in home.glob("bakend.db*"):
        path.unlink()
    with temporary_project(folder=home):
        pass

    restore(archive, home)

    last = rows(home / "bakend.db", "SELECT seq FROM sqlite_sequence WHERE name = '_events'")[0][0]
    assert LEAP < last < LEAP + 100


@pytest.mark.parametrize("old", [None, b"", b"no database at all" * 1_000])
def test_where_the_last_number_is_unknown_many_are_left_out(
    archive: Path, home: Path, old: bytes | None
) -> None:
    """The old database is gone or cannot be read: a client may have seen any number."""
    for path in home.glob("bakend.db*"):
        path.unlink()
    if old is not None:
        (home / "bakend.db").write_bytes(old)

    restore(archive, home)

    last = rows(home / "bakend.db", "SELECT seq FROM sqlite_sequence WHERE name = '_events'")[0][0]
    assert LEAP < last < LEAP + 100


def test_what_a_crash_left_in_the_log_of_the_old_one_counts(archive: Path, home: Path) -> None:
    """It is not played into the restored database, and its numbers are not used again."""
    database = home / "bakend.db"
    connection = sqlite3.connect(database)  # keeps the write-ahead log from being folded in
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("SELECT count(*) FROM lists").fetchone()
    with temporary_project(folder=home) as project:
        add_list(project, "in the log")
        last = project.last_event()
    log = database.with_name("bakend.db-wal").read_bytes()
    content = database.read_bytes()
    connection.close()
    database.write_bytes(content)
    database.with_name("bakend.db-wal").write_bytes(log)

    restore(archive, home)

    assert rows(database, "SELECT name FROM lists") == [("before",)]
    assert rows(database, "SELECT max(seq) FROM _events") == [(last + 1,)]


def test_a_new_folder_becomes_a_project(archive: Path, home: Path, tmp_path: Path) -> None:
    """With the settings of the backup, but its own paths."""
    folder = tmp_path / "new" / "place"

    done = restore(archive, folder, replaces=False, is_new=True)

    assert (done.project, done.kept, done.files) == (folder, (), 1)
    config = json.loads((folder / "bakend.json").read_text())
    assert (config["database"], config["storage"]) == ("./bakend.db", "./storage")
    with temporary_project(folder=folder) as project:
        assert project.client.get("/api/lists").get_json()["items"][0]["name"] == "before"


def test_a_new_folder_must_be_new(archive: Path, home: Path, tmp_path: Path) -> None:
    """Nothing of a project may be in it."""
    (tmp_path / "new" / "functions").mkdir(parents=True)
    with pytest.raises(ConflictError, match="There is a project in"):
        restore(archive, tmp_path / "new", replaces=False, is_new=True)


def test_what_is_there_is_replaced_only_if_asked(archive: Path, home: Path) -> None:
    """In the words of the original."""
    before = state(home)
    with pytest.raises(ConflictError, match=r"already exists\. Re-run with --force to overwrite"):
        restore(archive, home, replaces=False)
    assert state(home) == before


def test_nobody_may_use_the_project(archive: Path, home: Path) -> None:
    """A server holds it back; and while it runs, no server starts."""
    with temporary_project(folder=home), pytest.raises(DatabaseBusyError, match="in use"):
        restore(archive, home)

    lock = UseLock(home / "bakend.db")
    lock.take_alone()
    with pytest.raises(DatabaseBusyError, match="replaced"), temporary_project(folder=home):
        pass
    lock.release()


def changed(archive: Path, place_: int) -> Path:
    content = bytearray(archive.read_bytes())
    content[place_] ^= 1
    archive.write_bytes(content)
    return archive


@pytest.mark.parametrize("part", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_damaged_archive_changes_nothing(archive: Path, home: Path, part: float) -> None:
    """Wherever the damage is."""
    before = state(home)
    changed(archive, int(archive.stat().st_size * part))

    with pytest.raises(BackupError):
        restore(archive, home)

    assert state(home) == before


def test_a_full_disk_changes_nothing(
    archive: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is seen before anything is unpacked."""
    before = state(home)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Usage)
    with pytest.raises(StorageFullError, match="backup needs"):
        restore(archive, home)
    assert state(home) == before


class _Usage:
    free = 1_000


def test_a_newer_schema_is_refused(home: Path, tmp_path: Path) -> None:
    """With nothing changed."""
    with temporary_project([LISTS], folder=home) as project:
        with project.app.database.write() as tx:
            tx.execute("UPDATE _bakend_meta SET value = '999' WHERE key = 'schema_version'")
        made = project.app.upkeep.backups().create(tmp_path / "a.tar.gz")
    before = state(home)

    with pytest.raises(SchemaTooNewError):
        restore(made.path, home)

    assert state(home) == before


# Interrupted


@pytest.fixture
def renames(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """Let the renames of a restore fail, or stop, at one of them."""
    plan: dict[str, Any] = {"at": 0, "error": KeyboardInterrupt, "count": 0}
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        plan["count"] += 1
        if plan["count"] == plan["at"]:
            raise plan["error"]
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    yield plan
    monkeypatch.undo()


@pytest.mark.parametrize("at", range(1, 13))
def test_one_that_is_killed_is_brought_to_its_end(
    archive: Path, home: Path, renames: dict[str, Any], at: int
) -> None:
    """Between any two renames: the next start finds the list, and goes on."""
    renames["at"] = at

    class Killed(BaseException):
        pass

    renames["error"] = Killed
    try:
        restore(archive, home)
    except Killed:
        assert swapping.list_of(home / "bakend.db").exists()

    with temporary_project(folder=home) as project:
        assert [each["name"] for each in project.client.get("/api/lists").get_json()["items"]] == [
            "before"
        ]
    assert (home / "functions/a.py").read_text() == "# before"
    assert not (home / "functions/b.py").exists()
    assert not swapping.list_of(home / "bakend.db").exists()
    assert [path.read_bytes() for path in (home / "storage/files").iterdir()] == [b"content"]
    (kept,) = home.glob("before-restore-*")
    assert rows(kept / "bakend.db", "SELECT count(*) FROM lists") == [(2,)]


@pytest.mark.parametrize("at", range(1, 10))
def test_one_that_fails_takes_all_back(
    archive: Path, home: Path, renames: dict[str, Any], at: int
) -> None:
    """A mounted folder cannot be renamed: then nothing is."""
    before = state(home)
    renames["at"], renames["error"] = at, OSError(16, "Device or resource busy", "x")

    with pytest.raises(NotWritableError, match="cannot be replaced"):
        restore(archive, home)

    assert state(home) == before


def test_a_list_that_was_cut_off_means_that_nothing_was_moved(home: Path) -> None:
    """It is written whole before the first rename."""
    home.joinpath("bakend.db.restore").write_text('[["a"')
    assert not swapping.finish(home / "bakend.db")
    assert not swapping.list_of(home / "bakend.db").exists()


# Archives of others


def test_an_archive_of_the_original_is_taken(tmp_path: Path) -> None:
    """Database under its own name, files; its schema is brought to ours."""
    source = tmp_path / "source"
    (source / "storage/files").mkdir(parents=True)
    original.make(source / "app.db")
    (source / "storage/files" / original.PUBLIC_FILE).write_bytes(b"a")
    archive = tmp_path / "original.tar.gz"
    with tarfile.open(archive, "w:gz") as target:
        target.add(source, ".")

    done = restore(archive, tmp_path / "new", replaces=False, is_new=True)

    assert (done.manifest, done.files) == (None, 1)
    with temporary_project(folder=tmp_path / "new") as project:
        with project.app.database.read() as snapshot:
            assert snapshot.value("SELECT count(*) FROM posts") == 3
        assert project.app.files.get(original.PUBLIC_FILE).filename == "a.txt"


def tarred(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as target:
        for info, content in members:
            info.size = len(content)
            target.addfile(info, io.BytesIO(content))
    return path


def database_bytes(folder: Path) -> bytes:
    original.make(folder / "made.db")
    return (folder / "made.db").read_bytes()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("/etc/passwd", tarfile.REGTYPE),
        ("../outside", tarfile.REGTYPE),
        ("functions/evil.py", tarfile.REGTYPE),
        ("storage", tarfile.SYMTYPE),
        ("storage/files", tarfile.SYMTYPE),
        ("bakend.db", tarfile.LNKTYPE),
        ("pipe", tarfile.FIFOTYPE),
        ("device", tarfile.CHRTYPE),
    ],
)
def test_a_hostile_archive_without_manifest_writes_nothing(
    tmp_path: Path, name: str, kind: bytes
) -> None:
    """Nothing leaves the places of a backup, and no link is made."""
    evil = tarfile.TarInfo(name)
    evil.type, evil.linkname = kind, "/etc/passwd"
    database = tarfile.TarInfo("a.db")
    content = b"" if kind != tarfile.REGTYPE else b"evil"
    path = tarred(tmp_path / "a.tar.gz", (database, database_bytes(tmp_path)), (evil, content))
    before = state(tmp_path)

    with pytest.raises(BackupError):
        restore(path, tmp_path / "new", replaces=False, is_new=True)

    assert state(tmp_path) == before


@pytest.mark.parametrize("name", ["../x", "/x", ".env", "functions/../../x", ".bakend/jwt_secret"])
def test_a_hostile_archive_with_manifest_writes_nothing(tmp_path: Path, name: str) -> None:
    """Its manifest may say what it likes."""
    content = database_bytes(tmp_path)
    target = io.BytesIO()
    told = Manifest(
        bakend="9",
        schema=3,
        created_at="",
        last_event=0,
        members=(
            Member("bakend.db", len(content), _sha(content)),
            Member(name, 4, _sha(b"evil")),
        ),
    ).encode()
    writer = Writer(target)
    for each, data in (("backup.json", told), ("bakend.db", content), (name, b"evil")):
        writer.add(each, len(data), 0, io.BytesIO(data))
    writer.close()
    path = tmp_path / "a.tar.gz"
    path.write_bytes(target.getvalue())
    before = state(tmp_path)

    with pytest.raises(BackupError):
        restore(path, tmp_path / "new", replaces=False, is_new=True)

    assert state(tmp_path) == before


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"noise",
        gzip.compress(b"", mtime=0),
        gzip.compress(bytes(1024), mtime=0),
        gzip.compress(random.Random(1).randbytes(4_096), mtime=0),
    ],
    ids=["empty", "text", "nothing packed", "no member", "packed noise"],
)
def test_what_is_no_backup_is_told(tmp_path: Path, content: bytes) -> None:
    """Whatever the file is."""
    (tmp_path / "a.tar.gz").write_bytes(content)
    with pytest.raises(BakendError):
        restore(tmp_path / "a.tar.gz", tmp_path / "new", replaces=False, is_new=True)
    assert not (tmp_path / "new/bakend.db").exists()


def test_a_bomb_is_not_even_begun(tmp_path: Path) -> None:
    """Nothing of what a head promises is written where it could not end."""
    head = tarfile.TarInfo("a.db")
    head.size = 1 << 50
    (tmp_path / "a.tar.gz").write_bytes(
        gzip.compress(head.tobuf(tarfile.GNU_FORMAT) + bytes(1024 * 1024), mtime=0)
    )
    before = state(tmp_path)

    for use in (verify, lambda path: restore(path, tmp_path / "new", replaces=False, is_new=True)):
        with pytest.raises(StorageFullError):
            use(tmp_path / "a.tar.gz")

    assert state(tmp_path) == before


def stops_at(look: int) -> Callable[[], bool]:
    """Return what says at the look of that number that it is to stop."""
    looks = itertools.count(1)
    return lambda: next(looks) >= look


def test_one_that_is_stopped_changes_nothing(archive: Path, home: Path) -> None:
    """At whichever look, the last one of which is just before the old is touched."""
    before = state(home)
    for look in itertools.count(1):
        try:
            restore(archive, home, is_stopped=stops_at(look))
        except BackupError:
            assert state(home) == before
        else:
            break
    assert look > 3
