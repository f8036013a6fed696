"""The event log: numbers without gaps in the order of commits, and nothing without its commit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bakend.clock import SystemClock
from bakend.database.connection import Database
from bakend.database.migrations import migrate
from bakend.events.bus import Bus
from bakend.events.event import (
    NOBODY,
    Actor,
    Draft,
    collection_changed,
    record_created,
    record_deleted,
    record_updated,
    user_logged_in,
)
from bakend.events.log import TRIM_EVERY, EventLog


class MovableClock(SystemClock):
    """A clock whose date can be set; it waits like the real one."""

    moment = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
def log(clock: MovableClock) -> EventLog:
    return EventLog(clock=clock, retention_s=86_400, max_rows=1_000)


@pytest.fixture
def database(tmp_path: Path, clock: MovableClock, log: EventLog) -> Iterator[Database]:
    database = Database(tmp_path / "bakend.db", clock=clock, journal=log.append)
    database.open()
    migrate(database, report=print, copies_to=None)
    yield database
    database.close()


def emit(database: Database, *drafts: Draft, actor: Actor = NOBODY) -> None:
    with database.write(actor=actor) as tx:
        for draft in drafts:
            tx.emit(draft)


ADMIN = Actor(id="usr_1", is_admin=True)


def note(number: int) -> Draft:
    return record_created("notes", {"id": f"rec_{number}", "text": f"{number}"})


def test_an_event_reads_back_as_it_was_told(database: Database, log: EventLog) -> None:
    """Type, subject, actor, payload and what was before survive the log."""
    before = {"id": "rec_1", "text": "old", "n": 1.5}
    emit(database, record_updated("notes", {**before, "text": "né\x00w"}, before), actor=ADMIN)

    with database.read() as snapshot:
        (event,) = log.since(snapshot, 0)

    assert (event.seq, event.type, event.source, event.subject, event.actor, event.depth) == (
        1,
        "notes.updated",
        "collections",
        "rec_1",
        "usr_1",
        0,
    )
    assert event.by_admin
    assert event.payload == {"id": "rec_1", "text": "né\x00w", "n": 1.5}
    assert event.before == before
    assert event.to_wire() == {
        "id": event.id,
        "type": "notes.updated",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "source": "collections",
        "payload": event.payload,
    }


def test_nothing_is_trimmed_that_a_reader_has_not_passed(
    database: Database, log: EventLog, clock: MovableClock
) -> None:
    """The slowest reader keeps what it has not seen; numbers that all have passed may go."""
    emit(database, *(note(number) for number in range(10)))
    with database.write() as tx:
        log.pass_over(tx, "quick", 9)
        log.pass_over(tx, "slow", 4)
    clock.moment += timedelta(days=2)

    with database.write() as tx:
        trimmed = log.trim(tx, 10)

    with database.read() as snapshot:
        assert [event.seq for event in log.since(snapshot, 0)] == [5, 6, 7, 8, 9, 10]
        assert [log.position(snapshot, name) for name in ("quick", "slow", "new")] == [9, 4, 0]
    assert trimmed == 4


def test_a_deleted_record_sends_its_id_only(database: Database, log: EventLog) -> None:
    """The wire gets the id; the record stays behind for rules and owners."""
    emit(database, record_deleted("notes", {"id": "rec_1", "text": "secret"}))

    with database.read() as snapshot:
        (event,) = log.since(snapshot, 0)

    assert event.to_wire()["payload"] == {"id": "rec_1"}
    assert event.before == {"id": "rec_1", "text": "secret"}


def test_a_changed_collection_is_named(database: Database, log: EventLog) -> None:
    """A change of a definition is a system event; one that was there before says what changed."""
    emit(database, collection_changed("notes", "created"))
    emit(database, collection_changed("notes", "updated", [{"kind": "unique"}]))

    with database.read() as snapshot:
        created, updated = log.since(snapshot, 0)

    assert (created.type, created.payload) == ("system.collection.created", {"name": "notes"})
    assert (updated.type, updated.payload) == (
        "system.collection.updated",
        {"name": "notes", "steps": [{"kind": "unique"}]},
    )


def test_events_are_found_by_their_type(database: Database, log: EventLog) -> None:
    """By a whole type, or by how it begins up to a point; never by a part of a word."""
    for each in (note(1), note(2), collection_changed("notes_x", "created")):
        emit(database, each)
    emit(database, record_created("notes_x", {"id": "rec_3"}))

    with database.read() as snapshot:
        found = {
            kind: [event.seq for event in log.since(snapshot, 0, kind=kind)]
            for kind in ("", "notes.created", "notes.*", "system.*", "notes", "notes.cre*", "%.*")
        }

    assert found == {
        "": [1, 2, 3, 4],
        "notes.created": [1, 2],
        "notes.*": [1, 2],
        "system.*": [3],
        "notes": [],
        "notes.cre*": [],
        "%.*": [],
    }


def test_the_last_events_come_oldest_first(database: Database, log: EventLog) -> None:
    """As those after a number do."""
    for number in range(5):
        emit(database, note(number))
    emit(database, collection_changed("notes", "created"))

    with database.read() as snapshot:
        last = [event.seq for event in log.last(snapshot, limit=2)]
        of_notes = [event.seq for event in log.last(snapshot, limit=2, kind="notes.*")]

    assert (last, of_notes) == ([5, 6], [4, 5])


def test_what_administrators_caused_is_found(database: Database, log: EventLog) -> None:
    """And what is of some types, whoever caused it."""
    emit(database, note(1))
    emit(database, note(2), actor=ADMIN)
    emit(database, collection_changed("notes", "created"))

    with database.read() as snapshot:
        found = log.by_admins(snapshot, 0, kinds=["system.collection.created"], limit=10)

    assert [event.seq for event in found] == [2, 3]


def test_a_rolled_back_write_emits_nothing_and_takes_no_number(
    database: Database, log: EventLog
) -> None:
    """An event exists if and only if its transaction committed; its number is not wasted."""
    emit(database, note(1))
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        tx.emit(note(2))
        log.append(tx, tx.drafts)
        raise ZeroDivisionError
    emit(database, note(3))

    with database.read() as snapshot:
        events = log.since(snapshot, 0)

    assert [(event.seq, event.subject) for event in events] == [(1, "rec_1"), (2, "rec_3")]


def test_numbers_follow_the_order_of_commits(database: Database, log: EventLog) -> None:
    """However many write at once, numbers have no gap and follow the commits."""
    with database.write() as tx:
        tx.execute("CREATE TABLE done (place INTEGER PRIMARY KEY, subject TEXT)")
    gate = threading.Barrier(6)

    def work(worker: int) -> None:
        gate.wait()
        for count in range(15):
            with database.write() as tx:
                tx.execute("INSERT INTO done (subject) VALUES (?)", (f"rec_{worker}-{count}",))
                tx.emit(record_created("notes", {"id": f"rec_{worker}-{count}"}))

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with database.read() as snapshot:
        events = log.since(snapshot, 0)
        commits = [
            row["subject"] for row in snapshot.all("SELECT subject FROM done ORDER BY place")
        ]
    assert [event.seq for event in events] == list(range(1, 91))
    assert [event.subject for event in events] == commits


def test_old_events_are_trimmed_and_their_numbers_not_used_again(
    database: Database, log: EventLog, clock: MovableClock
) -> None:
    """What is older than the retention goes in small steps; counting goes on."""
    emit(database, *(note(number) for number in range(10)))
    clock.moment += timedelta(days=2)
    emit(database, *(note(number) for number in range(10, TRIM_EVERY + 5)))

    with database.read() as snapshot:
        events = log.since(snapshot, 0, limit=1_000)
        end = log.end(snapshot)

    assert [events[0].seq, events[-1].seq, end] == [11, TRIM_EVERY + 5, TRIM_EVERY + 5]


def test_the_log_keeps_no_more_than_its_rows(database: Database, clock: MovableClock) -> None:
    """Beyond `events.maxRows` the oldest go, at the next trim at the latest."""
    log = EventLog(clock=clock, retention_s=86_400, max_rows=100)
    for start in range(0, 1_000, 50):
        with database.write() as tx:
            log.append(tx, [note(number) for number in range(start, start + 50)])

    with database.read() as snapshot:
        kept = snapshot.value("SELECT count(*) FROM _events")
        end = log.end(snapshot)

    assert 100 <= kept <= 100 + TRIM_EVERY
    assert end == 1_000


def test_a_reader_waits_for_more_and_goes_on_from_its_position(
    database: Database, log: EventLog, clock: MovableClock
) -> None:
    """A reader sees each event once, in order, whenever it comes back."""
    bus = Bus(database, log, clock)
    database._committed = bus.wake
    reader = bus.reader()
    emit(database, note(1), note(2))

    first = reader.next(timeout_s=5)
    reader.pass_over(first[0])
    again = reader.next(timeout_s=5)
    reader.pass_over(again[0])

    assert [event.subject for event in first] == ["rec_1", "rec_2"]
    assert [event.subject for event in again] == ["rec_2"]
    assert reader.next(timeout_s=0) == []


def test_a_commit_wakes_a_waiting_reader(
    database: Database, log: EventLog, clock: MovableClock
) -> None:
    """A reader that waits is woken by the commit, long before its time is up."""
    bus = Bus(database, log, clock)
    database._committed = bus.wake
    reader = bus.reader()
    got: list[str] = []
    thread = threading.Thread(
        target=lambda: got.extend(event.subject for event in reader.next(timeout_s=30))
    )
    thread.start()
    emit(database, note(1))
    thread.join(timeout=20)

    assert got == ["rec_1"]


def test_commits_of_another_process_are_seen_without_a_wake(
    database: Database, log: EventLog, clock: MovableClock
) -> None:
    """A commit that nobody tells us of is found by looking."""
    bus = Bus(database, log, clock)
    reader = bus.reader()
    other = Database(database.path, clock=clock, journal=log.append)
    other.open()
    emit(other, note(1))
    other.close()

    assert [event.subject for event in reader.next(timeout_s=10)] == ["rec_1"]


def test_a_part_of_the_log_is_read_by_kinds(database: Database, log: EventLog) -> None:
    """Behind a number, up to another, of any of the kinds; none for no kinds."""
    emit(database, note(1), note(2), user_logged_in({"id": "usr_1"}), note(3), note(4))

    with database.read() as snapshot:
        found = log.between(snapshot, 1, 4, kinds=("auth.login", "notes.*"), limit=10)
        assert [event.seq for event in found] == [2, 3, 4]
        found = log.between(snapshot, 1, 5, kinds=("notes.*", "notes.created"), limit=2)
        assert [event.seq for event in found] == [2, 4]
        assert log.between(snapshot, 0, 5, kinds=(), limit=10) == []


def test_the_oldest_event_is_known(database: Database, log: EventLog) -> None:
    """Where there is none, it is the next one to come."""
    with database.read() as snapshot:
        assert log.oldest(snapshot) == 1
    emit(database, note(1), note(2), note(3))
    with database.write() as tx:
        tx.execute("DELETE FROM _events WHERE seq <= 2")
    with database.read() as snapshot:
        assert log.oldest(snapshot) == 3
    with database.write() as tx:
        tx.execute("DELETE FROM _events")
    with database.read() as snapshot:
        assert log.oldest(snapshot) == 4


def test_a_listener_is_called_until_it_is_taken_away(
    database: Database, log: EventLog, clock: MovableClock
) -> None:
    """At each wake, by whoever wakes."""
    bus = Bus(database, log, clock)
    heard: list[str] = []
    forget = bus.listen(lambda: heard.append("one"))
    bus.listen(lambda: heard.append("two"))

    bus.wake()
    forget()
    bus.wake()

    assert heard == ["one", "two", "two"]
