"""Bakend's own tables: made, migrated from the original's, refused when they are newer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bakend.clock import SystemClock
from bakend.database import migrations
from bakend.database.connection import Database
from bakend.database.migrations import NEWEST, STEPS, Report, migrate, rebuild_table
from bakend.database.transaction import Transaction
from bakend.errors import SchemaTooNewError, SettingsError
from bakend.testing import FakeClock

import original


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "bakend.db", clock=SystemClock())
    database.open()
    yield database
    database.close()


def run(database: Database, steps: dict[int, Any] | None = None) -> list[str]:
    said: list[str] = []
    migrate(database, report=said.append, copies_to=database.path.parent / "backups", steps=steps)
    return said


def shape(database: Database) -> dict[str, Any]:
    """Return columns, indexes and references of Bakend's own tables."""
    with database.read() as snapshot:
        names = [
            row["name"]
            for row in snapshot.all(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB '_[a-z]*'"
            )
        ]
        return {
            name: [
                [tuple(row) for row in snapshot.all(f"PRAGMA {pragma}({name})")]
                for pragma in ("table_info", "index_list", "foreign_key_list")
            ]
            for name in sorted(names)
        }


def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    with database.read() as snapshot:
        return [tuple(row) for row in snapshot.all(sql)]


def test_a_new_database_gets_the_newest_schema_and_no_copy(
    database: Database, tmp_path: Path
) -> None:
    """A fresh file is made in one go; there is nothing to copy."""
    said = run(database)

    assert rows(database, "SELECT value FROM _bakend_meta WHERE key = 'schema_version'") == [
        (str(NEWEST),)
    ]
    assert [line.split(" ")[1] for line in said] == ["created"]
    assert not (tmp_path / "backups").exists()


def test_a_second_run_does_nothing(database: Database) -> None:
    """Opening a current database changes nothing and says nothing."""
    run(database)

    assert run(database) == []


def test_a_database_of_the_original_is_migrated(tmp_path: Path) -> None:
    """Sessions of users that are gone go, their files stay without an owner, all else is kept."""
    original.make(tmp_path / "bakend.db")
    database = Database(tmp_path / "bakend.db", clock=SystemClock())
    database.open()

    said = run(database)

    assert rows(database, "SELECT id FROM _sessions ORDER BY id") == [("ses_1",), ("ses_2",)]
    assert rows(database, "SELECT id, user_id, size FROM _files ORDER BY id") == [
        (original.PUBLIC_FILE, "usr_1", 1),
        (original.PROTECTED_FILE, None, 2),
    ]
    assert rows(database, "SELECT count(*) FROM _users") == [(2,)]
    assert rows(database, "SELECT count(*) FROM posts") == [(3,)]
    assert rows(database, "PRAGMA foreign_key_check") == []
    assert any("1 session(s)" in line for line in said)
    assert any("1 file(s)" in line for line in said)
    database.close()


def test_a_migrated_database_equals_a_fresh_one(tmp_path: Path) -> None:
    """Whichever way a database came to the newest schema, its own tables look the same."""
    original.make(tmp_path / "old.db")
    shapes = []
    for name in ("old.db", "new.db"):
        database = Database(tmp_path / name, clock=SystemClock())
        database.open()
        run(database)
        shapes.append(shape(database))
        database.close()

    assert shapes[0] == shapes[1]


def test_a_copy_is_made_before_a_migration(tmp_path: Path) -> None:
    """The database as it was stands beside it, whole and still of the old schema."""
    original.make(tmp_path / "bakend.db")
    database = Database(tmp_path / "bakend.db", clock=SystemClock())
    database.open()

    run(database)

    (path,) = (tmp_path / "backups").iterdir()
    assert path.name.startswith(f"bakend-before-schema-{NEWEST}-20")
    assert path.stat().st_mode & 0o777 == 0o600
    copy = sqlite3.connect(path)
    assert copy.execute("SELECT value FROM _bakend_meta").fetchone() == ("3",)
    assert copy.execute("SELECT count(*) FROM _sessions").fetchone() == (3,)
    copy.close()
    database.close()


def test_the_last_copies_stay(tmp_path: Path) -> None:
    """Three of them, and nothing that others have put there goes."""
    original.make(tmp_path / "bakend.db")
    clock = FakeClock()
    database = Database(tmp_path / "bakend.db", clock=clock)
    database.open()
    folder = tmp_path / "backups"
    made = []
    for _ in range(5):
        clock.advance(1)
        made.append(migrations.copy_before(database, NEWEST, folder))
        (folder / "bakend.db").touch()
    database.close()

    assert set(folder.iterdir()) == {*made[-3:], folder / "bakend.db"}


def test_no_copy_is_made_where_none_is_wanted(tmp_path: Path) -> None:
    """The setting `backup.beforeMigration`."""
    original.make(tmp_path / "bakend.db")
    database = Database(tmp_path / "bakend.db", clock=SystemClock())
    database.open()

    migrate(database, report=print, copies_to=None)

    assert rows(database, "SELECT value FROM _bakend_meta") == [(str(NEWEST),)]
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    database.close()


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_every_earlier_schema_is_brought_to_the_newest(tmp_path: Path, version: int) -> None:
    """Each version that there ever was, with its copy."""
    database = Database(tmp_path / "bakend.db", clock=SystemClock())
    database.open()
    migrate(
        database,
        report=print,
        copies_to=None,
        steps={number: step for number, step in STEPS.items() if number <= version},
    )
    fresh = Database(tmp_path / "fresh.db", clock=SystemClock())
    fresh.open()
    run(fresh)

    said = run(database)

    assert f"migrated from schema {version} to {NEWEST}" in said[-1]
    assert len(list((tmp_path / "backups").iterdir())) == 1
    assert shape(database) == shape(fresh)
    database.close()
    fresh.close()


def test_a_step_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    """All steps and the version number commit together, or not at all."""
    original.make(tmp_path / "bakend.db")
    database = Database(tmp_path / "bakend.db", clock=SystemClock())
    database.open()
    before = shape(database)

    def fail(tx: Transaction, report: Report) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(database, {**STEPS, 5: fail})

    assert shape(database) == before
    run(database)
    assert rows(database, "SELECT value FROM _bakend_meta") == [(str(NEWEST),)]
    database.close()


def test_a_migration_that_rebuilds_users_keeps_every_session_and_file(tmp_path: Path) -> None:
    """Dropping the old `_users` takes nothing along that refers to it."""
    original.make(tmp_path / "bakend.db")
    database = Database(tmp_path / "bakend.db", clock=SystemClock())
    database.open()
    run(database)

    def widen(tx: Transaction, report: Report) -> None:
        rebuild_table(
            tx,
            "_users",
            "id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, password_hash TEXT,"
            " role TEXT NOT NULL CHECK (role IN ('admin', 'authenticated', 'public')),"
            " created_at TEXT NOT NULL",
            {name: name for name in ("id", "email", "password_hash", "role", "created_at")},
        )

    run(database, {**STEPS, 5: widen})

    assert rows(database, "SELECT id, user_id FROM _sessions ORDER BY id") == [
        ("ses_1", "usr_1"),
        ("ses_2", "usr_2"),
    ]
    assert rows(database, "SELECT id, user_id FROM _files ORDER BY id") == [
        (original.PUBLIC_FILE, "usr_1"),
        (original.PROTECTED_FILE, None),
    ]
    with database.write() as tx:  # the references still mean the rebuilt table, and hold
        tx.execute("DELETE FROM _users WHERE id = 'usr_1'")
    assert rows(database, "SELECT id FROM _sessions") == [("ses_2",)]
    assert rows(database, "SELECT user_id FROM _files") == [(None,), (None,)]
    database.close()


def test_a_newer_database_is_refused(database: Database) -> None:
    """What a newer Bakend wrote is not opened, and not changed."""
    run(database)
    with database.write() as tx:
        tx.execute("UPDATE _bakend_meta SET value = '999' WHERE key = 'schema_version'")

    with pytest.raises(SchemaTooNewError, match=f"schema 999, this Bakend knows up to {NEWEST}"):
        run(database)

    assert rows(database, "SELECT value FROM _bakend_meta") == [("999",)]


def test_a_database_of_another_program_is_left_alone(database: Database) -> None:
    """Tables without a version are somebody else's; nothing is added to them."""
    with database.write() as tx:
        tx.execute("CREATE TABLE theirs (id INTEGER)")

    with pytest.raises(SettingsError, match="not one of Bakend"):
        run(database)

    assert rows(database, "SELECT name FROM sqlite_schema") == [("theirs",)]


@pytest.mark.parametrize("value", ["", "four", "4.5"])
def test_a_version_that_is_no_number_is_refused(database: Database, value: str) -> None:
    """A damaged version number is reported instead of guessed."""
    run(database)
    with database.write() as tx:
        tx.execute("UPDATE _bakend_meta SET value = ?", (value,))

    with pytest.raises(SettingsError, match="schema version"):
        run(database)


def test_a_copy_that_was_not_finished_is_not_taken_for_one(tmp_path: Path) -> None:
    """What a killed migration left behind is replaced."""
    original.make(tmp_path / "bakend.db")
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / f"bakend-before-schema-{NEWEST}.unfinished").write_bytes(b"half")
    database = Database(tmp_path / "bakend.db", clock=SystemClock())
    database.open()

    copy = migrations.copy_before(database, NEWEST, tmp_path / "backups")

    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT count(*) FROM _users").fetchone() == (2,)
    connection.close()
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
    database.close()
