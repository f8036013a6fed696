"""The database: one writer at a time, readers that see one state, commits that tell."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakend.clock import SystemClock
from bakend.database.connection import Database
from bakend.database.transaction import Transaction
from bakend.errors import (
    DatabaseBusyError,
    DatabaseError,
    NotWritableError,
    SettingsError,
    ValidationError,
)
from bakend.events.event import Draft
from bakend.testing import FakeClock


class WaitingClock(FakeClock):
    """A clock for one thread: its pauses pass at once."""

    def pause(self, seconds: float) -> None:
        self.advance(seconds)


class Journal:
    """Remembers what was journalled and how often a commit was told."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.commits = 0

    def append(self, tx: Transaction, drafts: list[Draft]) -> None:
        tx.execute("INSERT INTO journal (n) VALUES (?)", (len(drafts),))
        self.drafts.extend(drafts)

    def committed(self) -> None:
        self.commits += 1


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
def database(tmp_path: Path, journal: Journal) -> Iterator[Database]:
    database = Database(
        tmp_path / "data.db",
        clock=SystemClock(),
        busy_timeout_s=0.2,
        journal=journal.append,  # type: ignore[arg-type]  # a list is what the transaction keeps
        committed=journal.committed,
    )
    database.open()
    with database.write() as tx:
        tx.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)")
        tx.execute("CREATE TABLE journal (n INTEGER)")
    yield database
    database.close()


def add(database: Database, text: str) -> None:
    with database.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES (?)", (text,))


def texts(database: Database) -> list[str]:
    with database.read() as snapshot:
        return [row["text"] for row in snapshot.all("SELECT text FROM notes ORDER BY id")]


def draft(subject: str) -> Draft:
    return Draft(type="notes.created", source="test", subject=subject, payload={"id": subject})


def test_a_block_that_ends_commits(database: Database) -> None:
    """What a block wrote is there for the next reader."""
    add(database, "one")

    assert texts(database) == ["one"]


def test_a_block_that_raises_changes_nothing(database: Database, journal: Journal) -> None:
    """A rolled-back write leaves no row, journals nothing and tells nobody."""
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES ('one')")
        tx.emit(draft("one"))
        raise ZeroDivisionError

    assert texts(database) == []
    assert (journal.drafts, journal.commits) == ([], 0)


def test_events_are_journalled_inside_the_transaction(database: Database, journal: Journal) -> None:
    """The journal's rows commit with the change, and the commit is told once."""
    with database.write() as tx:
        tx.emit(draft("one"))
        tx.emit(draft("two"))

    with database.read() as snapshot:
        assert snapshot.value("SELECT sum(n) FROM journal") == 2
    assert [each.subject for each in journal.drafts] == ["one", "two"]
    assert journal.commits == 1


def test_a_reader_sees_one_state(database: Database) -> None:
    """What is committed while a reader reads stays unseen until it reads anew."""
    add(database, "one")
    with database.read() as snapshot:
        before = snapshot.value("SELECT count(*) FROM notes")
        thread = threading.Thread(target=add, args=(database, "two"))
        thread.start()
        thread.join()
        during = snapshot.value("SELECT count(*) FROM notes")

    assert (before, during, len(texts(database))) == (1, 1, 2)


def test_a_reader_cannot_write(database: Database) -> None:
    """A snapshot refuses to change anything."""
    with pytest.raises(NotWritableError), database.read() as snapshot:
        snapshot.all("INSERT INTO notes (text) VALUES ('one') RETURNING id")


def test_write_inside_write_is_a_mistake_not_a_deadlock(database: Database) -> None:
    """A thread that holds the writer and asks for it again is told so."""
    with pytest.raises(RuntimeError, match="inside write"), database.write(), database.write():
        pass

    add(database, "one")
    assert texts(database) == ["one"]


def test_constraints_come_back_as_faults(database: Database) -> None:
    """A violated UNIQUE or NOT NULL names the field and the rule."""
    add(database, "one")

    with pytest.raises(ValidationError) as unique:
        add(database, "one")
    with pytest.raises(ValidationError) as required, database.write() as tx:
        tx.execute("INSERT INTO notes (text) VALUES (NULL)")

    assert [(each.field, each.rule) for each in unique.value.faults] == [("text", "unique")]
    assert [(each.field, each.rule) for each in required.value.faults] == [("text", "required")]


def test_another_process_that_holds_the_lock_is_waited_for(database: Database) -> None:
    """A writer succeeds when the other process lets go before the time is up."""
    other = sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.05, other.execute, ("COMMIT",))
    release.start()

    add(database, "one")

    release.join()
    other.close()
    assert texts(database) == ["one"]


def test_all_who_waited_long_enough_give_up_together(database: Database) -> None:
    """When another process keeps the lock, writers fail after one timeout, not one after the other."""
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    clock = SystemClock()
    waited: list[float] = []

    def fail() -> None:
        began = clock.monotonic()
        try:
            add(database, "never")
        except DatabaseBusyError:
            waited.append(clock.monotonic() - began)

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.execute("COMMIT")
    other.close()

    assert len(waited) == 8
    assert max(waited) < 8 * 0.2 / 2  # eight timeouts in a row would be 1.6 s
    add(database, "one")
    assert texts(database) == ["one"]


def test_a_latecomer_is_refused_soon(tmp_path: Path) -> None:
    """Once others have waited for the whole timeout, whoever comes next waits for a moment only."""
    clock = WaitingClock()
    database = Database(tmp_path / "data.db", clock=clock, busy_timeout_s=5)
    database.open()
    with database.write() as tx:
        tx.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def wait_in_vain() -> float:
        began = clock.monotonic()
        with pytest.raises(DatabaseBusyError):
            add(database, "never")
        return clock.monotonic() - began

    waited = [wait_in_vain(), wait_in_vain()]
    clock.advance(10)  # nobody tries: the lock may have been free and taken again
    waited.append(wait_in_vain())
    other.execute("COMMIT")
    other.close()
    add(database, "one")
    written = texts(database)
    database.close()

    assert waited == pytest.approx([5, 0.2, 5], abs=0.01)
    assert written == ["one"]


def test_writers_take_turns_and_none_is_lost(database: Database) -> None:
    """Many threads that write at once all get their turn."""
    gate = threading.Barrier(8)

    def write(number: int) -> None:
        gate.wait()
        for count in range(20):
            add(database, f"{number}-{count}")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(texts(database)) == 160


def test_rebuild_keeps_what_refers_to_a_dropped_table(database: Database) -> None:
    """Foreign keys rest while tables are rebuilt, and are on again afterwards."""
    with database.write() as tx:
        tx.execute(
            "CREATE TABLE marks (note INTEGER NOT NULL REFERENCES notes (id) ON DELETE CASCADE)"
        )
        tx.execute("INSERT INTO notes (id, text) VALUES (1, 'one')")
        tx.execute("INSERT INTO marks (note) VALUES (1)")

    with database.rebuild() as tx:
        tx.execute("CREATE TABLE other (id INTEGER PRIMARY KEY, text TEXT)")
        tx.execute("INSERT INTO other SELECT id, text FROM notes")
        tx.execute("PRAGMA legacy_alter_table = ON")
        tx.execute("DROP TABLE notes")
        tx.execute("ALTER TABLE other RENAME TO notes")

    with database.write() as tx:
        assert tx.value("SELECT count(*) FROM marks") == 1
        assert tx.value("PRAGMA foreign_keys") == 1
        tx.execute("DELETE FROM notes")
        assert tx.value("SELECT count(*) FROM marks") == 0


def test_rebuild_refuses_to_leave_references_to_nothing(database: Database) -> None:
    """A rebuild that loses referenced rows changes nothing."""
    with database.write() as tx:
        tx.execute("CREATE TABLE marks (note INTEGER REFERENCES notes (id))")
        tx.execute("INSERT INTO notes (id, text) VALUES (1, 'one')")
        tx.execute("INSERT INTO marks (note) VALUES (1)")

    with pytest.raises(DatabaseError, match="marks"), database.rebuild() as tx:
        tx.execute("DELETE FROM notes")

    assert texts(database) == ["one"]


def test_a_copy_holds_what_was_committed(database: Database, tmp_path: Path) -> None:
    """A copy of an open database is whole, and opens without a log beside it."""
    add(database, "one")

    database.copy_to(tmp_path / "copy.db")

    copy = sqlite3.connect(tmp_path / "copy.db")
    assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert copy.execute("SELECT text FROM notes").fetchall() == [("one",)]
    copy.close()
    assert not (tmp_path / "copy.db-wal").exists()


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    """Opening something else says which file is wrong and leaves it as it is."""
    path = tmp_path / "data.db"
    path.write_bytes(b"this is not a database" * 100)

    with pytest.raises(SettingsError, match=r"data\.db"):
        Database(path, clock=SystemClock()).open()

    assert path.read_bytes().startswith(b"this is not")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A path through a file is refused in one sentence."""
    (tmp_path / "file").touch()

    with pytest.raises(NotWritableError, match="file"):
        Database(tmp_path / "file" / "data.db", clock=SystemClock()).open()


def test_a_closed_database_opens_no_connection(database: Database) -> None:
    """A thread that comes late is told, instead of leaving a connection behind."""
    texts(database)

    database.close()

    with pytest.raises(DatabaseError, match="closed"):
        texts(database)


def test_readers_of_ended_threads_are_closed(database: Database) -> None:
    """A thread that ended leaves no connection behind for long."""
    for _ in range(3):
        thread = threading.Thread(target=texts, args=(database,))
        thread.start()
        thread.join()
    texts(database)

    assert len(database._readers) <= 2


def test_a_new_database_is_for_its_owner_only(tmp_path: Path) -> None:
    """Whatever the umask, and what SQLite puts beside it as well; an old one keeps its mode."""
    for name, before, expected in (("new.db", None, 0o600), ("old.db", 0o640, 0o640)):
        path = tmp_path / name
        if before is not None:
            path.touch(before)
            path.chmod(before)
        database = Database(path, clock=SystemClock(), busy_timeout_s=5)
        database.open()
        with database.write() as tx:
            tx.execute("CREATE TABLE things (name TEXT)")
            modes = {file.stat().st_mode & 0o777 for file in tmp_path.glob(f"{name}*")}
        database.close()
        assert modes == {expected}
