"""The store: one transaction for asking, checking, writing and telling."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bakend import access
from bakend.auth.identity import Identity
from bakend.errors import (
    BakendError,
    PermissionDeniedError,
    RecordNotFoundError,
    ValidationError,
)
from bakend.records.query import ListQuery
from bakend.testing import FakeClock, TestProject, temporary_project

from samples import COLLECTIONS, EVERYTHING

FREE = access.guard(access.EVERYTHING)
ANNA = access.guard(Identity(id="usr_anna", email="a@example.com", role="authenticated"))
BERT = access.guard(Identity(id="usr_bert", email="b@example.com", role="authenticated"))


def faults(error: pytest.ExceptionInfo[ValidationError]) -> list[tuple[str, str]]:
    return [(fault.field, fault.rule) for fault in error.value.faults]


def test_uniqueness_holds_under_concurrent_writers(project: TestProject) -> None:
    """Of many who create the same unique value at once one wins, the others get the fault."""
    gate = threading.Barrier(8)
    outcomes: list[str] = []

    def create() -> None:
        gate.wait()
        for number in range(10):
            try:
                project.app.records.create("lists", {"name": f"{number}"}, FREE)
                outcomes.append("created")
            except BakendError as error:
                outcomes.append(error.code)

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (outcomes.count("created"), outcomes.count("validation_error")) == (10, 70)


def test_concurrent_updates_are_all_seen_by_their_events(project: TestProject) -> None:
    """Each update's event has as its `before` the record that the one before it left."""
    made = project.app.records.create("everything", {"an_integer": 0}, FREE)
    start = project.last_event()

    def update() -> None:
        for number in range(10):
            project.app.records.update("everything", made["id"], {"an_integer": number}, FREE)

    threads = [threading.Thread(target=update) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    chain = [made]
    for event in project.events(after=start):
        assert event.before == chain[-1]
        chain.append(event.payload)
    assert len(chain) == 41
    assert project.app.records.get("everything", made["id"], FREE) == chain[-1]


def test_a_refused_write_changes_nothing_and_tells_nothing(project: TestProject) -> None:
    """Faults found inside the transaction roll it back."""
    project.app.records.create("lists", {"name": "one"}, FREE)
    before = project.last_event()

    with pytest.raises(ValidationError) as refused:
        project.app.records.create("lists", {"name": "one"}, FREE)

    assert faults(refused) == [("name", "unique")]
    assert project.last_event() == before
    assert len(project.app.records.list("lists", ListQuery(), FREE).items) == 1


def test_the_guard_speaks_before_the_values(project: TestProject) -> None:
    """Who may not change a record does not learn what is wrong with his values."""
    secret = project.app.records.create("secrets", {"text": "x"}, ANNA)

    with pytest.raises(RecordNotFoundError):
        project.app.records.update("secrets", secret["id"], {"text": 5}, BERT)
    with pytest.raises(PermissionDeniedError):
        project.app.records.delete("secrets", secret["id"], ANNA)
    with pytest.raises(ValidationError):
        project.app.records.update("secrets", secret["id"], {"text": 5}, ANNA)


def test_everybody_sees_his_own(project: TestProject) -> None:
    """Lists and counts are narrowed by an owner rule; creating makes an owner."""
    for guard, number in ((ANNA, 3), (BERT, 2)):
        for _ in range(number):
            project.app.records.create("secrets", {"user_id": "usr_victim"}, guard)

    page = project.app.records.list("secrets", ListQuery(count=True), ANNA)

    assert page.total == 3
    assert {item["user_id"] for item in page.items} == {"usr_anna"}
    assert len(project.app.records.list("secrets", ListQuery(), FREE).items) == 5


def test_an_update_moves_the_clock_of_the_record_only() -> None:
    """`updatedAt` is the moment of the change, `createdAt` stays."""
    clock = FakeClock()
    with temporary_project([EVERYTHING, *COLLECTIONS[1:]], clock=clock) as project:
        made = project.app.records.create("everything", {}, FREE)
        clock.advance(90)
        changed = project.app.records.update("everything", made["id"], {"a_text": "x"}, FREE)
        clock.advance(90)
        same = project.app.records.update("everything", made["id"], {"nope": 1}, FREE)

    assert made["createdAt"] == made["updatedAt"] == "2026-01-01T00:00:00.000Z"
    assert changed["createdAt"] == made["createdAt"]
    assert changed["updatedAt"] == same["updatedAt"] == "2026-01-01T00:01:30.000Z"


def test_a_target_is_looked_for_only_when_a_relation_changes(project: TestProject) -> None:
    """A record whose target was deleted can still be changed otherwise."""
    target = project.app.records.create("lists", {"name": "one"}, FREE)
    made = project.app.records.create("everything", {"a_relation": target["id"]}, FREE)
    project.app.records.delete("lists", target["id"], FREE)

    kept = project.app.records.update(
        "everything", made["id"], {"a_relation": target["id"], "a_text": "x"}, FREE
    )
    with pytest.raises(ValidationError) as refused:
        project.app.records.update("everything", made["id"], {"a_relation": "rec_gone"}, FREE)
    blank = project.app.records.update("everything", made["id"], {"a_relation": ""}, FREE)

    assert kept["a_relation"] == target["id"]
    assert faults(refused) == [("a_relation", "exists")]
    assert blank["a_relation"] == ""


def test_users_and_files_are_looked_for_in_their_own_tables(project: TestProject) -> None:
    """A file that is there may be named, one that is not may not."""
    with project.app.database.write() as tx:
        tx.execute(
            "INSERT INTO _files (id, filename, mime_type, size, visibility, created_at)"
            " VALUES ('fil_1', 'a', 'text/plain', 1, 'public', '')"
        )

    made = project.app.records.create("everything", {"a_file": "fil_1"}, FREE)
    with pytest.raises(ValidationError) as refused:
        project.app.records.create("everything", {"a_file": "fil_2"}, FREE)

    assert made["a_file"] == "fil_1"
    assert faults(refused) == [("a_file", "exists")]
    assert 'references unknown file "fil_2"' in refused.value.faults[0].message


def test_a_definition_that_changes_under_a_write_is_obeyed(project: TestProject) -> None:
    """Values checked against an older definition are checked again against the one that holds."""
    store, catalog, database = (
        project.app.records,
        project.app.catalog,
        project.app.database,
    )
    stricter: dict[str, Any] = {
        "name": "lists",
        "fields": [
            {"name": "name", "type": "string", "required": True, "unique": True, "max": 3},
        ],
    }
    check = store._check_against
    changes = [stricter]

    def change_meanwhile(*arguments: Any, **options: Any) -> Any:
        checked = check(*arguments, **options)
        if changes:
            with database.write() as tx:
                catalog.apply(tx, [changes.pop()])
        return checked

    store._check_against = change_meanwhile  # type: ignore[method-assign]
    with pytest.raises(ValidationError) as refused:
        store.create("lists", {"name": "too long"}, FREE)

    assert faults(refused) == [("name", "max")]


def test_an_evil_pattern_holds_up_nobody() -> None:
    """A pattern that would run for ever is a fault of its field, and other writers go on."""
    evil = {
        "name": "evil",
        "fields": [{"name": "text", "type": "string", "regex": "^(a+)+$"}],
    }
    with temporary_project([evil, *COLLECTIONS]) as project:
        done = threading.Event()
        refusals: list[list[tuple[str, str]]] = []

        def attack() -> None:
            for _ in range(3):
                with pytest.raises(ValidationError) as refused:
                    project.app.records.create("evil", {"text": "a" * 5_000 + "!"}, FREE)
                refusals.append(faults(refused))
            done.set()

        thread = threading.Thread(target=attack)
        thread.start()
        written = 0
        while not done.is_set():
            project.app.records.create("everything", {}, FREE)
            written += 1
        thread.join()
        fine = project.app.records.create("evil", {"text": "aaa"}, FREE)

    assert refusals == [[("text", "regex")]] * 3
    assert written >= 3
    assert fine["text"] == "aaa"
