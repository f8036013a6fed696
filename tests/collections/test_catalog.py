"""The catalog: definitions and tables change together, or not at all."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bakend import access
from bakend.collections.definition import RESERVED_NAMES
from bakend.errors import (
    CollectionNotFoundError,
    DefinitionError,
    DestructiveChangeError,
    UnavailableError,
)
from bakend.events.event import NAMESPACES
from bakend.records.query import ListQuery
from bakend.testing import TestProject, temporary_project

import original
from samples import COLLECTIONS, EVERYTHING, LISTS, TODOS

FREE = access.guard(access.EVERYTHING)


def fields(*names: str, **options: Any) -> list[dict[str, Any]]:
    return [{"name": name, "type": "string", **options} for name in names]


def notes(*given: dict[str, Any], name: str = "notes", **more: Any) -> dict[str, Any]:
    return {"name": name, "fields": list(given), **more}


def change(project: TestProject, *wanted: Any, **options: Any) -> list[str]:
    with project.app.database.write() as tx:
        plans = project.app.catalog.apply(tx, wanted, **options)
    return [f"{plan.name}: {step.kind}" for plan in plans for step in plan.steps]


def rows(project: TestProject, sql: str) -> list[tuple[Any, ...]]:
    with project.app.database.read() as snapshot:
        return [tuple(row) for row in snapshot.all(sql)]


def values(project: TestProject, name: str) -> list[dict[str, Any]]:
    page = project.app.records.list(name, ListQuery(), FREE)
    return [
        {key: value for key, value in item.items() if key not in ("id", "createdAt", "updatedAt")}
        for item in page.items
    ]


def create(project: TestProject, name: str, **body: Any) -> dict[str, Any]:
    return project.app.records.create(name, body, FREE)


def shape(project: TestProject, name: str) -> Any:
    """Return columns and indexes of a table; the order of columns is not seen by anybody."""
    columns = rows(project, f"SELECT name, type, \"notnull\", pk FROM pragma_table_info('{name}')")
    indexes = rows(project, f"SELECT name, \"unique\" FROM pragma_index_list('{name}')")
    return sorted(columns), sorted(
        (("unique" if index.startswith("sqlite_autoindex") else index), unique)
        for index, unique in indexes
    )


def test_a_definition_and_its_table_come_together() -> None:
    """A new collection has its row, its table and its event."""
    with temporary_project() as project:
        done = change(project, notes(*fields("title")))

        assert done == ["notes: create_collection"]
        assert rows(project, "SELECT count(*) FROM notes") == [(0,)]
        assert rows(project, "SELECT name FROM _collections") == [("notes",)]
        assert [(e.type, e.payload) for e in project.events()] == [
            ("system.collection.created", {"name": "notes"})
        ]


def test_a_refused_change_leaves_definition_and_table_as_they_were() -> None:
    """When one of several changes is refused, none happens, and nothing is told."""
    with temporary_project([notes(*fields("title"))]) as project:
        create(project, "notes", title="same")
        create(project, "notes", title="same")
        before = shape(project, "notes"), rows(project, "SELECT * FROM _collections")
        told = project.last_event()

        with pytest.raises(DefinitionError) as refused:
            change(
                project,
                notes(*fields("title", unique=True)),
                notes(*fields("x"), name="others"),
            )

        assert "2 times" in refused.value.message
        assert (shape(project, "notes"), rows(project, "SELECT * FROM _collections")) == before
        assert project.events(after=told) == []
        with pytest.raises(CollectionNotFoundError):
            project.app.records.collection("others")


def test_all_faults_of_all_definitions_are_told_at_once() -> None:
    """One look is enough to mend everything."""
    with temporary_project() as project:
        with pytest.raises(DefinitionError) as refused:
            change(
                project,
                notes({"name": "A", "type": "string"}, {"name": "b", "type": "nope"}),
                notes({"name": "c", "type": "relation", "collection": "gone"}, name="others"),
            )

        assert len(refused.value.faults) == 3
        assert all("notes" in text or "others" in text for text in refused.value.faults)


def test_relations_in_a_circle_and_to_itself_are_possible() -> None:
    """The set is judged as one: order does not matter, circles are fine."""
    with temporary_project() as project:
        change(
            project,
            notes({"name": "b", "type": "relation", "collection": "bs"}, name="as"),
            notes({"name": "a", "type": "relation", "collection": "as"}, name="bs"),
            notes({"name": "parent", "type": "relation", "collection": "nodes"}, name="nodes"),
        )
        a = create(project, "as")
        b = create(project, "bs", a=a["id"])

        assert project.app.records.update("as", a["id"], {"b": b["id"]}, FREE)["b"] == b["id"]


def test_a_rename_carries_its_values() -> None:
    """Only `renamedFrom` makes a rename; it is followed once and then means nothing."""
    renamed = notes({"name": "heading", "type": "string", "renamedFrom": "title"})
    with temporary_project([notes(*fields("title"))]) as project:
        create(project, "notes", title="Milk")

        first = change(project, renamed)
        second = change(project, renamed)

        assert (first, second) == (["notes: rename_field"], [])
        assert values(project, "notes") == [{"heading": "Milk"}]


def test_a_field_that_goes_and_one_that_comes_are_not_the_same() -> None:
    """Values never surface under another name by a guess; losing them has to be allowed."""
    changed = notes(*fields("public_bio"))
    with temporary_project([notes(*fields("phone"))]) as project:
        create(project, "notes", phone="123")

        with pytest.raises(DestructiveChangeError, match="phone"):
            change(project, changed)
        untouched = values(project, "notes")
        change(project, changed, allow_destructive=True)

        assert untouched == [{"phone": "123"}]
        assert values(project, "notes") == [{"public_bio": None}]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (fields("a"), fields("a", "b")),
        (fields("a"), [*fields("a"), *fields("b", required=True, backfill="x")]),
        (fields("a"), [*fields("a"), *fields("b", unique=True)]),
        (fields("a", unique=True), fields("a")),
        (fields("a"), fields("a", unique=True)),
        (fields("a"), fields("a", required=True)),
        (fields("a", required=True), fields("a")),
        ([{"name": "a", "type": "integer"}], [{"name": "a", "type": "float"}]),
        ([{"name": "a", "type": "integer"}], [{"name": "a", "type": "string"}]),
        ([{"name": "a", "type": "relation", "collection": "users"}], fields("b")),
        (fields("a", "b"), fields("b", "a")),
        (fields("a"), [{"name": "c", "type": "string", "renamedFrom": "a", "unique": True}]),
    ],
    ids=lambda given: json.dumps(given)[:60],
)
def test_a_changed_table_equals_a_fresh_one(before: Any, after: Any) -> None:
    """However a table came to its definition, columns and indexes are those of a new one."""
    with temporary_project([notes(*before)]) as project:
        change(project, notes(*after), allow_destructive=True)
        changed = shape(project, "notes")
    with temporary_project([notes(*after)]) as project:
        fresh = shape(project, "notes")

    assert changed == fresh


def test_a_rebuild_keeps_rows_and_what_was_made_by_hand() -> None:
    """Records, and indexes and triggers of the user's own, outlive a rebuilt table."""
    with temporary_project([notes(*fields("title", "extra"))]) as project:
        made = create(project, "notes", title="Milk", extra="x")
        with project.app.database.write() as tx:
            tx.execute("CREATE INDEX mine ON notes (title)")
            tx.execute("CREATE VIEW seen AS SELECT title FROM notes")

        change(project, notes(*fields("title", required=True)), allow_destructive=True)

        assert project.app.records.get("notes", made["id"], FREE) == {
            "id": made["id"],
            "createdAt": made["createdAt"],
            "updatedAt": made["updatedAt"],
            "title": "Milk",
        }
        assert rows(project, "SELECT name FROM sqlite_schema WHERE name = 'mine'") == [("mine",)]
        assert rows(project, "SELECT title FROM seen") == [("Milk",)]


def test_what_was_made_by_hand_is_not_dropped_silently() -> None:
    """An index over a field that goes stops the change and is named."""
    with temporary_project([notes(*fields("title", "extra"))]) as project:
        with project.app.database.write() as tx:
            tx.execute("CREATE INDEX mine ON notes (extra)")

        with pytest.raises(DefinitionError, match="mine"):
            change(project, notes(*fields("title")), allow_destructive=True)

        assert rows(project, "SELECT name FROM sqlite_schema WHERE name = 'mine'") == [("mine",)]


def test_a_collection_that_is_pointed_at_stays() -> None:
    """Deleting it is refused with the collections that refer to it."""
    with temporary_project([LISTS, TODOS, EVERYTHING]) as project:
        with pytest.raises(DefinitionError, match="everything, todos"):
            change(project, drop=["lists"], allow_destructive=True)
        change(project, drop=["lists", "todos", "everything"], allow_destructive=True)

        assert rows(project, "SELECT name FROM _collections") == []


def test_a_change_by_another_process_is_seen() -> None:
    """The next look at a collection finds what another process made of it."""
    with temporary_project([notes(*fields("title"))]) as project:
        create(project, "notes", title="Milk")
        with temporary_project(folder=project.folder) as other:
            change(other, notes(*fields("title", "more")))

        assert create(project, "notes", title="Eggs", more="12")["more"] == "12"


def test_a_change_that_is_rolled_back_is_not_remembered() -> None:
    """What a transaction saw of itself is forgotten with it."""
    with temporary_project([notes(*fields("title"))]) as project:
        with pytest.raises(ZeroDivisionError), project.app.database.write() as tx:
            project.app.catalog.apply(tx, [notes(*fields("title", "gone"))])
            project.app.catalog.table(tx, "notes")
            raise ZeroDivisionError
        change(project, notes(*fields("title", "kept")))

        assert set(create(project, "notes")) >= {"title", "kept"}
        assert "gone" not in create(project, "notes")


BROKEN = [
    ("no json", "{", "not JSON"),
    ("no fields", '{"name":"notes"}', "no fields"),
    ("another's", '{"name":"other","fields":[]}', "other"),
    (
        "a clash with a system column",
        '{"name":"notes","fields":[{"name":"created_at","type":"string"}]}',
        "created_at",
    ),
    (
        "a column that the table lacks",
        '{"name":"notes","fields":[{"name":"lost","type":"string"}]}',
        "lost",
    ),
]


@pytest.mark.parametrize(
    ("definition", "reason"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_a_broken_collection_is_set_aside(
    definition: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are served, the broken one says 503, and the log says why."""
    with temporary_project([notes(*fields("title")), notes(name="fine")]) as project:
        with project.app.database.write() as tx:
            tx.execute("UPDATE _collections SET definition = ? WHERE name = 'notes'", (definition,))
            tx.execute("PRAGMA user_version = 1000")
        project.app.catalog.open()

        answer = project.client.get("/api/notes")

        assert project.client.post("/api/fine", json={}).status_code == 201
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (503, "unavailable")
        assert answer.headers["Retry-After"]
        assert any(
            record.levelname == "ERROR" and reason in record.getMessage()
            for record in caplog.records
        )
        with pytest.raises(UnavailableError):
            project.app.records.collection("notes")


def test_a_missing_table_is_made_again() -> None:
    """A collection whose table is gone gets an empty one at the next start."""
    with temporary_project([notes(*fields("title"))]) as project:
        with project.app.database.write() as tx:
            tx.execute("DROP TABLE notes")
            tx.execute("PRAGMA user_version = 1000")
        project.app.catalog.open()

        assert values(project, "notes") == []
        create(project, "notes", title="Milk")


def test_a_table_that_cannot_be_made_again_does_not_stop_the_others() -> None:
    """What SQLite refuses to make is set aside."""
    with temporary_project([notes(name="fine")]) as project:
        with project.app.database.write() as tx:
            tx.execute(
                "INSERT INTO _collections (name, definition) VALUES"
                ' (\'sqlite_x\', \'{"name":"sqlite_x","fields":[]}\')'
            )
            tx.execute("PRAGMA user_version = 1000")
        project.app.catalog.open()

        assert create(project, "fine")
        with pytest.raises(UnavailableError):
            project.app.records.collection("sqlite_x")


def test_a_collection_of_the_original_is_served_with_the_columns_that_it_has(
    tmp_path: Any,
) -> None:
    """Old column names are kept, indexes are brought up to date, records read and write."""
    original.make(tmp_path / "bakend.db")
    with temporary_project(folder=tmp_path) as project:
        made = create(project, "posts", title="New", authorId="usr_1", slug="n")

        assert made["authorId"] == "usr_1"
        assert [item["authorId"] for item in values(project, "posts")] == ["usr_1"] * 4
        assert {name for name, _unique in shape(project, "posts")[1]} == {
            "bakend_posts_created",
            "idx_posts.authorId",
            "unique",
        }


def test_names_cannot_clash_with_what_is_ours() -> None:
    """No collection takes a name of the API, of an event, of an index or of SQLite."""
    with temporary_project() as project:
        wsgi_app = project.client.application
        rules = {rule.rule for rule in wsgi_app.url_map.iter_rules()}
        # Beside /api, as /metrics, there are no collections to clash with.
        paths = {rule.removeprefix("/api") for rule in rules if rule.startswith("/api/")}
        words = {word for path in paths if (word := path.split("/")[1]).isidentifier()}
        taken = words | RESERVED_NAMES | NAMESPACES | {"sqlite_x", "bakend_x", "idx_x"}
        for name in sorted(taken - {"_"}):
            with pytest.raises(DefinitionError, match="reserved"):
                change(project, notes(name=name))


def test_a_collection_of_the_original_with_a_reserved_name_is_set_aside(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It cannot be reached, and the log says so."""
    with temporary_project() as project:
        with project.app.database.write() as tx:
            tx.execute(
                "INSERT INTO _collections (name, definition) VALUES"
                ' (\'health\', \'{"name":"health","fields":[]}\')'
            )
            tx.execute("PRAGMA user_version = 1000")
        project.app.catalog.open()

        assert "its name is reserved" in caplog.text


def test_the_samples_are_all_served(project: TestProject) -> None:
    """What the other tests stand on is there."""
    assert rows(project, "SELECT count(*) FROM _collections") == [(len(COLLECTIONS),)]
