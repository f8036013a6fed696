"""The audit: nothing is lost, nothing comes twice, and it costs nothing where nothing happens."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from looks import Looks

from bakend.audit import BATCH, LOOK_EVERY_S, PASS_EVERY, READER, TRIM_STEP, Audit
from bakend.events.event import (
    NOBODY,
    OPERATOR,
    Actor,
    Draft,
    collection_changed,
    file_deleted,
    file_uploaded,
    record_created,
    record_deleted,
    record_updated,
    session_revoked,
    user_deleted,
    user_registered,
    user_updated,
)
from bakend.events.log import TRIM_EVERY
from bakend.testing import FakeClock, TestProject, temporary_project

ADMIN = Actor(id="usr_admin", is_admin=True)
USER = Actor(id="usr_user")
PERSON = {
    "id": "usr_user",
    "email": "user@example.com",
    "role": "admin",
    "createdAt": "2026-01-01T00:00:00.000Z",
}

FILE = {"id": "fil_1", "userId": "usr_user", "visibility": "public"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    """A project with an administrator and a user; nothing has happened in it."""
    with temporary_project(clock=clock) as opened:
        with opened.app.database.write() as tx:
            for user_id in ("usr_admin", "usr_user"):
                tx.execute(
                    "INSERT INTO _users (id, email, password_hash, created_at) VALUES (?, ?, '', '')",
                    (user_id, f"{user_id}@example.com"),
                )
        yield opened


@pytest.fixture
def audit(project: TestProject) -> Audit:
    return project.app.audit


def emit(project: TestProject, *drafts: Draft, actor: Actor = ADMIN) -> None:
    with project.app.database.write(actor=actor) as tx:
        for draft in drafts:
            tx.emit(draft)


def note(number: int = 1) -> Draft:
    return record_created("notes", {"id": f"rec_{number}", "text": f"secret {number}"})


def numbers(audit: Audit) -> list[int]:
    return [entry.seq for entry in audit.page(after=0, limit=100_000)]


def position(project: TestProject) -> int:
    with project.app.database.read() as snapshot:
        return project.app.event_log.position(snapshot, READER)


@pytest.mark.parametrize(
    ("draft", "actor", "detail"),
    [
        (note(), ADMIN, {}),
        (note(), OPERATOR, {"by": "command line"}),
        (
            record_updated(
                "notes",
                {"id": "rec_1", "updatedAt": "2", "text": "secret", "done": True, "n": None},
                {"id": "rec_1", "updatedAt": "1", "text": "secret", "done": 1, "n": 5},
            ),
            ADMIN,
            {"fields": ["done", "n"]},
        ),
        (record_deleted("notes", {"id": "rec_1", "text": "secret"}), ADMIN, {}),
        (collection_changed("notes", "created"), ADMIN, {}),
        (
            collection_changed("notes", "updated", [{"text": 'Field "a" is added'}]),
            OPERATOR,
            {"steps": ['Field "a" is added'], "by": "command line"},
        ),
        (user_registered(PERSON), ADMIN, {"role": "admin"}),
        (
            user_updated(PERSON, {**PERSON, "role": "public"}),
            USER,
            {"role": "admin", "before": {"role": "public"}},
        ),
        (user_deleted("usr_user"), USER, {}),
        (session_revoked("usr_user", "ses_1"), USER, {"sessionId": "ses_1"}),
        (session_revoked("usr_user", None), NOBODY, {"sessionId": None}),
        (
            file_uploaded({"id": "fil_1", "filename": "a.txt", "visibility": "public", "size": 1}),
            ADMIN,
            {"filename": "a.txt", "visibility": "public"},
        ),
        (file_deleted(FILE), ADMIN, {"userId": "usr_user"}),
    ],
)
def test_an_entry_says_who_what_and_no_values(
    project: TestProject, audit: Audit, draft: Draft, actor: Actor, detail: dict[str, Any]
) -> None:
    """Of a record which fields changed, of a user the role: no values, no address, no secret."""
    emit(project, draft, actor=actor)
    audit.catch_up()

    (entry,) = audit.page(after=None, limit=10)
    assert (entry.seq, entry.type, entry.subject) == (1, draft.type, draft.subject)
    assert (entry.actor, entry.at) == (actor.id, "2026-01-01T00:00:00.000Z")
    assert entry.actor_email == (f"{actor.id}@example.com" if actor.id else None)
    assert entry.detail == detail


def test_what_others_do_is_left_out(project: TestProject, audit: Audit) -> None:
    """Users' records, logins and files are no business of the audit."""
    for actor in (USER, NOBODY):
        emit(project, note(), user_registered(PERSON), file_deleted(FILE), actor=actor)
    audit.catch_up()

    assert numbers(audit) == []


def test_an_entry_comes_once(project: TestProject, audit: Audit) -> None:
    """However often the log is looked at, and by however many processes at once."""
    others = [another(project) for _ in range(4)]
    start = threading.Barrier(len(others))

    def run(one: Audit) -> None:
        start.wait()
        for _ in range(5):
            one.catch_up()

    threads = [threading.Thread(target=run, args=(one,)) for one in others]
    for thread in threads:
        thread.start()
    for number in range(40):
        emit(project, note(number))
    for thread in threads:
        thread.join()
    audit.catch_up()

    assert numbers(audit) == [*range(1, 41)]


def test_a_crash_repeats_nothing_and_loses_nothing(project: TestProject, audit: Audit) -> None:
    """The rows and the position are one transaction."""
    for number in range(3):
        emit(project, note(number))
    calls = 0

    def crash(_snapshot: object, _user_id: str) -> str:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return ""

    with pytest.raises(KeyboardInterrupt):
        another(project, email_of=crash).catch_up()
    assert (numbers(audit), position(project)) == ([], 0)

    audit.catch_up()
    assert (numbers(audit), position(project)) == ([1, 2, 3], 3)


def test_a_backlog_is_taken_in_whole(project: TestProject, audit: Audit) -> None:
    """Larger than one transaction takes, with others' events in between."""
    emit(project, *(note(number) for number in range(BATCH - 1)))
    emit(project, note(), actor=USER)
    emit(project, *(note(number) for number in range(BATCH)))
    audit.catch_up()

    assert numbers(audit) == [*range(1, BATCH), *range(BATCH + 1, 2 * BATCH + 1)]
    assert position(project) == 2 * BATCH


def test_where_administrators_do_nothing_little_is_written(
    project: TestProject, audit: Audit
) -> None:
    """The position moves every hundred events, which is often enough for the log to be trimmed."""
    positions = []
    for number in range(8):
        emit(project, *(note(number) for _ in range(PASS_EVERY // 4)), actor=USER)
        audit.catch_up()
        positions.append(position(project))

    assert positions == [0, 0, 0, *[PASS_EVERY] * 4, PASS_EVERY * 2]


def test_nothing_is_trimmed_that_the_audit_has_not_seen(clock: FakeClock) -> None:
    """And what it has seen goes, however long it lasted until then."""
    number = TRIM_EVERY * 3
    with temporary_project(clock=clock, settings={"events_max_rows": 10}) as project:
        for batch in range(3):
            emit(project, *(note(batch) for _ in range(TRIM_EVERY)))
        held_back = len(project.events())
        project.app.audit.catch_up()
        emit(project, *(note() for _ in range(TRIM_EVERY)), actor=USER)
        emit(project, *(note() for _ in range(TRIM_EVERY)), actor=USER)

        assert held_back == number
        assert numbers(project.app.audit) == [*range(1, number + 1)]
        assert len(project.events()) < number


def test_what_commands_do_is_taken_in_at_the_next_start(tmp_path: Path) -> None:
    """Also in a database in which nothing has read the log before."""
    with temporary_project(folder=tmp_path) as command:
        emit(command, note(), actor=OPERATOR)
    with temporary_project(folder=tmp_path) as server:
        server.app.audit.catch_up()

        assert numbers(server.app.audit) == [1]


def test_an_address_is_that_of_the_moment(project: TestProject, audit: Audit) -> None:
    """A later one changes nothing."""
    emit(project, note())
    audit.catch_up()
    with project.app.database.write() as tx:
        tx.execute("UPDATE _users SET email = 'new@example.com' WHERE id = 'usr_admin'")
    emit(project, note())
    audit.catch_up()

    emails = [entry.actor_email for entry in audit.page(after=None, limit=10)]
    assert emails == ["usr_admin@example.com", "new@example.com"]


def test_of_a_deleted_user_only_the_id_stays(project: TestProject, audit: Audit) -> None:
    """In what was taken in before, and in what is taken in afterwards."""
    emit(project, note())
    audit.catch_up()
    emit(project, note())
    with project.app.database.write(actor=ADMIN) as tx:
        tx.execute("DELETE FROM _users WHERE id = 'usr_admin'")
        audit.blank(tx, "usr_admin")
        tx.emit(user_deleted("usr_admin"))
    audit.catch_up()

    entries = audit.page(after=None, limit=10)
    assert [entry.actor for entry in entries] == ["usr_admin"] * 3
    assert [entry.actor_email for entry in entries] == [None] * 3


def test_old_entries_go(project: TestProject, audit: Audit, clock: FakeClock) -> None:
    """After `audit.retention`, all of them, and no others."""
    emit(project, *(note(number) for number in range(TRIM_STEP + 5)))
    audit.catch_up()
    assert audit.trim() == 0
    clock.advance(timedelta(days=200).total_seconds())
    emit(project, note())
    audit.catch_up()
    clock.advance(timedelta(days=200).total_seconds())

    assert audit.trim() == TRIM_STEP + 5
    assert numbers(audit) == [TRIM_STEP + 6]


def another(project: TestProject, **given: Any) -> Audit:
    """Return an audit of the same database, as another process has it."""
    with_defaults = {
        "clock": FakeClock(),
        "retention_s": 1.0,
        "email_of": lambda _snapshot, _user_id: None,
        **given,
    }
    return Audit(project.app.database, project.app.event_log, **with_defaults)


def test_the_thread_follows_the_log(project: TestProject, audit: Audit) -> None:
    """Look by look, until it is stopped."""
    looks = Looks(LOOK_EVERY_S)
    follower = another(project, clock=looks)
    emit(project, note())
    follower.start()
    try:
        looks.let()
        first = numbers(audit)
        emit(project, note())
        looks.let()
        second = numbers(audit)
    finally:
        follower.stop()
    follower.stop()

    assert (first, second) == ([1], [1, 2])


def test_the_thread_outlives_a_database_that_cannot_be_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It says so once, and catches up."""
    caplog.set_level(logging.INFO, logger="bakend.audit")
    with temporary_project(settings={"database_busy_timeout_s": 0.02}) as project:
        looks = Looks(LOOK_EVERY_S)
        follower = another(project, clock=looks)
        emit(project, note())
        other = sqlite3.connect(project.app.database.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        follower.start()
        try:
            looks.let(2)
            before = numbers(project.app.audit)
            other.execute("ROLLBACK")
            looks.let()
        finally:
            other.close()
            follower.stop()

        assert (before, numbers(project.app.audit)) == ([], [1])
    assert caplog.text.count("The audit is behind, and will catch up: The database is busy") == 1
    assert caplog.text.count("The audit has caught up") == 1
