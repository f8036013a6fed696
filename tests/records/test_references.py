"""Which files the records name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from bakend import access
from bakend.errors import UnavailableError
from bakend.ids import new_id
from bakend.records import query
from bakend.records.query import ListQuery
from bakend.records.references import Use, named_files, uses_of
from bakend.testing import TestProject, temporary_project

EVERYBODY = dict.fromkeys(("create", "read", "update", "delete"), "public")
ALBUMS = {
    "name": "albums",
    "fields": [
        {"name": "cover", "type": "file"},
        {"name": "backSide", "type": "file"},
        {"name": "note", "type": "text"},
    ],
    "permissions": EVERYBODY,
}
FACES = {
    "name": "faces",
    "fields": [{"name": "picture", "type": "file"}],
    "permissions": EVERYBODY,
}


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project([ALBUMS, FACES]) as opened:
        yield opened


def add(project: TestProject, collection: str, **values: str) -> str:
    """Write a record, without asking whether its files exist, and return its id."""
    record_id = new_id("rec")
    with project.app.database.write() as tx:
        table = project.app.catalog.table(tx, collection)
        tx.execute(*query.insert(table, record_id, "2026-01-01T00:00:00.000Z", values))
    return record_id


def test_every_file_field_of_every_collection_counts(project: TestProject) -> None:
    """And no other field, whatever is in it."""
    add(project, "albums", cover="fil_1", backSide="fil_2")
    add(project, "albums", cover="fil_1", note="fil_3")
    add(project, "faces", picture="fil_4")
    add(project, "faces")

    with project.app.database.read() as snapshot:
        assert named_files(project.app.catalog, snapshot) == {"fil_1", "fil_2", "fil_4"}
        few = named_files(project.app.catalog, snapshot, ["fil_1", "fil_3", "fil_5"])
    assert few == {"fil_1"}


def break_faces(project: TestProject) -> None:
    with closing(sqlite3.connect(project.folder / "bakend.db")) as connection:
        connection.execute("UPDATE _collections SET definition = '{' WHERE name = 'faces'")
        connection.execute("PRAGMA user_version = 1000")
        connection.commit()


def test_a_broken_collection_may_name_any_file(project: TestProject) -> None:
    """So nobody may say that a file is not used."""
    break_faces(project)

    with (
        project.app.database.read() as snapshot,
        pytest.raises(UnavailableError, match='"faces" is broken'),
    ):
        named_files(project.app.catalog, snapshot)


def test_a_file_of_a_record_that_is_gone_is_free(project: TestProject) -> None:
    """What counts is what is there now."""
    guard = access.guard(access.EVERYTHING)
    add(project, "faces", picture="fil_1")
    (record,) = project.app.records.list("faces", ListQuery(), guard).items
    project.app.records.delete("faces", record["id"], guard)

    with project.app.database.read() as snapshot:
        assert named_files(project.app.catalog, snapshot) == set()


def uses(project: TestProject, *, limit: int = 100, offset: int = 0) -> tuple[list[Use], int]:
    with project.app.database.read() as snapshot:
        found = uses_of(project.app.catalog, snapshot, "fil_1", limit=limit, offset=offset)
    return found.items, found.total


def test_where_a_file_is_used_is_told_page_by_page(project: TestProject) -> None:
    """By collection, field and record; a record that names it twice is told twice."""
    both = add(project, "albums", cover="fil_1", backSide="fil_1", note="fil_1")
    back = add(project, "albums", cover="fil_2", backSide="fil_1")
    face = add(project, "faces", picture="fil_1")
    add(project, "faces")
    backs = [Use("albums", "backSide", each) for each in sorted((both, back), reverse=True)]
    everything = [Use("albums", "cover", both), *backs, Use("faces", "picture", face)]

    assert uses(project) == (everything, 4)
    for limit in (1, 2, 3):
        pages = [uses(project, limit=limit, offset=offset) for offset in range(0, 6, limit)]
        assert [use for items, _ in pages for use in items] == everything
        assert {total for _, total in pages} == {4}


def test_what_a_broken_collection_names_is_not_known(project: TestProject) -> None:
    """It is named, and the others are looked at all the same."""
    album = add(project, "albums", cover="fil_1")
    break_faces(project)

    with project.app.database.read() as snapshot:
        found = uses_of(project.app.catalog, snapshot, "fil_1", limit=10, offset=0)

    assert (found.items, found.broken) == ([Use("albums", "cover", album)], ["faces"])
