"""Tables and how they change, in a real SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.collections import ddl
from bakend.collections.definition import Collection, parse
from bakend.collections.fields import TYPES
from bakend.collections.migration import LOSSLESS, plan

Shape = tuple[list[Any], list[Any]]


@pytest.fixture(name="connection")
def open_connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


def posts(*fields: dict[str, Any]) -> Collection:
    return parse({"name": "posts", "fields": list(fields)}, known={"posts"})


def field(name: str, type_name: str = "string", **more: Any) -> dict[str, Any]:
    target = {"collection": "users"} if type_name == "relation" else {}
    return {"name": name, "type": type_name} | target | more


def create(
    connection: sqlite3.Connection, collection: Collection, columns: Mapping[str, str] | None = None
) -> None:
    for statement in ddl.create(collection, columns):
        connection.execute(statement)


def insert(connection: sqlite3.Connection, collection: Collection, *rows: dict[str, Any]) -> None:
    for number, row in enumerate(rows):
        values = [
            None if row.get(field.name) is None else field.type.to_sqlite(row[field.name])
            for field in collection.fields
        ]
        marks = ", ".join("?" * (3 + len(values)))
        connection.execute(
            f'INSERT INTO "{collection.name}" VALUES ({marks})',
            [f"rec_{number}", "2026-01-01", "2026-01-02", *values],
        )


def obstacles(
    connection: sqlite3.Connection,
    old: Collection,
    new: Collection,
    columns: Mapping[str, str] | None = None,
) -> list[str]:
    columns = columns or {field.name: field.name for field in old.fields}
    return [
        message
        for check in ddl.checks(old, new, plan(old, new), columns)
        if (message := check.message(connection.execute(check.sql, check.parameters).fetchall()))
    ]


def alter(
    connection: sqlite3.Connection,
    old: Collection,
    new: Collection,
    columns: Mapping[str, str] | None = None,
) -> dict[str, str]:
    columns = columns or {field.name: field.name for field in old.fields}
    steps = plan(old, new)
    for sql, parameters in ddl.alter(old, new, steps, columns):
        connection.execute(sql, parameters)
    return ddl.columns_after(new, steps, columns)


def read(
    connection: sqlite3.Connection, collection: Collection, columns: Mapping[str, str]
) -> list[dict[str, Any]]:
    names = ", ".join(f'"{columns[field.name]}"' for field in collection.fields)
    rows = connection.execute(
        f'SELECT id, created_at, updated_at{", " + names if names else ""} FROM "posts" ORDER BY id'
    )
    found = []
    for number, (record_id, created, updated, *values) in enumerate(rows):
        assert (record_id, created, updated) == (f"rec_{number}", "2026-01-01", "2026-01-02")
        found.append(
            {
                field.name: None if value is None else field.type.from_sqlite(value)
                for field, value in zip(collection.fields, values, strict=True)
            }
        )
    return found


def shape(connection: sqlite3.Connection, name: str = "posts") -> Shape:
    """Return columns and indexes, without the order of the columns."""
    columns = sorted(row[1:] for row in connection.execute(f'PRAGMA table_info("{name}")'))
    indexes = []
    for _number, index, unique, origin, partial in connection.execute(
        f'PRAGMA index_list("{name}")'
    ):
        parts = [row[2] for row in connection.execute(f'PRAGMA index_info("{index}")')]
        # The numbers of automatic indexes follow the order of the columns.
        indexes.append(("" if origin == "u" else index, unique, origin, partial, parts))
    return columns, sorted(indexes)


def fresh_shape(collection: Collection, columns: Mapping[str, str] | None = None) -> Shape:
    with closing(sqlite3.connect(":memory:")) as connection:
        create(connection, collection, columns)
        return shape(connection)


def test_a_table_has_the_columns_of_its_definition(connection: sqlite3.Connection) -> None:
    """System columns first, then the fields by their own names."""
    collection = posts(
        field("title", required=True, unique=True),
        field("authorId", "relation"),
        *(field(f"a_{name}", name) for name in TYPES if name != "relation"),
    )
    create(connection, collection)

    info = [row[1:4] for row in connection.execute("PRAGMA table_info(posts)")]
    assert info[:5] == [
        ("id", "TEXT", 0),
        ("created_at", "TEXT", 1),
        ("updated_at", "TEXT", 1),
        ("title", "TEXT", 1),
        ("authorId", "TEXT", 0),
    ]
    assert {name: kind for name, kind, _required in info[5:]} == {
        "a_string": "TEXT",
        "a_text": "TEXT",
        "a_integer": "INTEGER",
        "a_float": "REAL",
        "a_boolean": "INTEGER",
        "a_datetime": "TEXT",
        "a_json": "TEXT",
        "a_file": "TEXT",
    }


def test_lists_and_relations_have_an_index(connection: sqlite3.Connection) -> None:
    """The newest records and the records of a target are found without a scan."""
    collection = posts(field("authorId", "relation"))
    create(connection, collection)

    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE sql > ''")]
    query = "EXPLAIN QUERY PLAN SELECT * FROM posts ORDER BY created_at DESC, id DESC LIMIT 50"
    assert names == ["posts", "bakend_posts_created", "idx_posts.authorId"]
    assert list(ddl.indexes(collection)) == names[1:]
    assert "USING INDEX bakend_posts_created" in connection.execute(query).fetchone()[3]


def test_indexes_of_two_collections_never_collide(connection: sqlite3.Connection) -> None:
    """(a, b_c) and (a_b, c) have two indexes."""
    for name, relation in (("a", "b_c"), ("a_b", "c")):
        collection = parse({"name": name, "fields": [field(relation, "relation")]}, known=())
        create(connection, collection)

    assert connection.execute(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name LIKE 'idx%'"
    ).fetchone() == (2,)


def test_optional_fields_are_added_without_a_rebuild() -> None:
    """A large table is not copied where SQLite can add or rename."""
    old = posts(field("a"))
    new = posts(field("b", renamedFrom="a"), field("c", backfill="x"), field("d", "relation"))

    statements = ddl.alter(old, new, plan(old, new), {"a": "a"})

    assert not any("INSERT" in sql for sql, _parameters in statements)
    assert ('UPDATE "posts" SET "c" = :backfill', {"backfill": "x"}) in statements


def test_rules_and_limits_leave_the_table_alone() -> None:
    """What only the definition says needs no statement."""
    old, new = posts(field("a", min=1)), posts(field("a", min=2))

    assert ddl.alter(old, new, plan(old, new), {"a": "a"}) == []
    assert ddl.checks(old, new, plan(old, new), {"a": "a"}) == []


def test_a_kept_field_keeps_its_old_column(connection: sqlite3.Connection) -> None:
    """A table of an older original keeps `author_id` for `authorId`, also when it is built anew."""
    old, columns = posts(field("authorId"), field("b")), {"authorId": "author_id", "b": "b"}
    create(connection, old, columns)
    insert(connection, old, {"authorId": "usr_1", "b": "x"})
    new = posts(field("authorId", unique=True))

    after = alter(connection, old, new, columns)

    assert after == {"authorId": "author_id"}
    assert read(connection, new, after) == [{"authorId": "usr_1"}]
    assert shape(connection) == fresh_shape(new, after)


def test_a_rename_to_the_old_column_is_none(connection: sqlite3.Connection) -> None:
    """`authorId` in a column `author_id` becomes `author_id` without touching the table."""
    old, columns = posts(field("authorId")), {"authorId": "author_id"}
    create(connection, old, columns)
    insert(connection, old, {"authorId": "usr_1"})
    new = posts(field("author_id", renamedFrom="authorId"))

    assert read(connection, new, alter(connection, old, new, columns)) == [{"author_id": "usr_1"}]


@pytest.mark.parametrize("name", ["tItle", "other"])
def test_a_renamed_relation_has_a_renamed_index(connection: sqlite3.Connection, name: str) -> None:
    """Also where only the case of the name changes."""
    old, new = (
        posts(field("title", "relation")),
        posts(field(name, "relation", renamedFrom="title")),
    )
    create(connection, old)
    insert(connection, old, {"title": "usr_1"})

    after = alter(connection, old, new)

    assert read(connection, new, after) == [{name: "usr_1"}]
    assert shape(connection) == fresh_shape(new)


def test_a_backfill_fills_what_is_empty(connection: sqlite3.Connection) -> None:
    """Making a field required, or adding one, gives empty rows the backfill and no other."""
    old = posts(field("a"), field("n", "integer"))
    new = posts(
        field("a", required=True, backfill="?"),
        field("n", "integer", required=True, backfill=-1),
        field("j", "json", required=True, backfill={"k": [1]}),
    )
    create(connection, old)
    insert(connection, old, {"a": "x", "n": 0}, {"a": ""}, {"a": None, "n": 7})

    assert obstacles(connection, old, new) == []
    after = alter(connection, old, new)

    assert read(connection, new, after) == [
        {"a": "x", "n": 0, "j": {"k": [1]}},
        {"a": "?", "n": -1, "j": {"k": [1]}},
        {"a": "?", "n": 7, "j": {"k": [1]}},
    ]


def test_a_backfill_that_stays_in_its_file_does_nothing(connection: sqlite3.Connection) -> None:
    """Only the change that adds or requires a field fills it."""
    old, new = posts(field("a", backfill="?")), posts(field("a", backfill="?", unique=True))
    create(connection, old)
    insert(connection, old, {"a": None})

    assert read(connection, new, alter(connection, old, new)) == [{"a": None}]


def test_empty_rows_stand_in_the_way_of_required(connection: sqlite3.Connection) -> None:
    """Each field says how many records have no value, the empty text included."""
    old = posts(field("a"), field("n", "integer"))
    new = posts(
        field("a", required=True), field("n", "integer", required=True), field("b", required=True)
    )
    create(connection, old)
    assert obstacles(connection, old, new) == []
    insert(connection, old, {"a": "x", "n": 0}, {"a": "", "n": None}, {"a": None, "n": 1})

    assert obstacles(connection, old, new) == [
        'Field "a" cannot be required: 2 records have no value for it; give the field a "backfill"',
        'Field "n" cannot be required: 1 record has no value for it; give the field a "backfill"',
        'Field "b" cannot be required: 3 records have no value for it; give the field a "backfill"',
    ]


def test_duplicates_stand_in_the_way_of_unique(connection: sqlite3.Connection) -> None:
    """The first few values are named; null is no value, the empty text is one."""
    old, new = (
        posts(field("a"), field("n", "integer")),
        posts(
            field("a", unique=True),
            field("n", "integer", unique=True),
            field("b", unique=True, backfill="same"),
        ),
    )
    create(connection, old)
    values = [*"aaabbccdd", "", "", None, None, "z"]
    insert(connection, old, *({"a": value, "n": place} for place, value in enumerate(values)))

    assert obstacles(connection, old, new) == [
        'Field "a" cannot be unique: 5 values occur more than once:'
        ' "a" (3 times), "" (2 times), "b" (2 times), …',
        'Field "b" cannot be unique: 1 value occurs more than once: "same" (14 times)',
    ]


def test_a_backfill_may_not_make_duplicates(connection: sqlite3.Connection) -> None:
    """What is looked at are the values as they will be."""
    old, new = (
        posts(field("a", unique=True)),
        posts(field("a", unique=True, required=True, backfill="x")),
    )
    create(connection, old)
    insert(connection, old, {"a": "x"}, {"a": None})

    assert len(obstacles(connection, old, new)) == 1


def test_integers_that_no_float_holds_stand_in_the_way_of_float(
    connection: sqlite3.Connection,
) -> None:
    """No number is rounded by a change of type."""
    old, new = posts(field("n", "integer")), posts(field("n", "float"))
    create(connection, old)
    exact = [0, -1, 2**53, -(2**63), 2**62, None]
    rounded = [2**53 + 1, 2**63 - 1, -(2**63) + 1]
    insert(connection, old, *({"n": number} for number in exact))
    assert obstacles(connection, old, new) == []
    connection.execute("DELETE FROM posts")
    insert(connection, old, *({"n": number} for number in exact + rounded))

    assert obstacles(connection, old, new) == [
        'Field "n" cannot become float: 3 records have a number that it would round'
    ]


@pytest.mark.parametrize(
    ("before", "value", "after", "becomes"),
    [
        ("integer", 5, "float", 5),
        ("integer", -(2**63), "text", "-9223372036854775808"),
        ("boolean", True, "integer", 1),
        ("boolean", False, "float", 0),
        ("string", "\0 a", "text", "\0 a"),
        ("datetime", "2026-01-01", "string", "2026-01-01"),
        ("relation", "usr_1", "string", "usr_1"),
        ("file", "", "text", ""),
    ],
)
def test_values_survive_a_change_of_type(
    connection: sqlite3.Connection, before: str, value: Any, after: str, becomes: Any
) -> None:
    """The value of the new type says what the old one said; null stays null."""
    old, new = posts(field("f", before)), posts(field("f", after))
    create(connection, old)
    insert(connection, old, {"f": value}, {"f": None})

    columns = alter(connection, old, new)

    assert read(connection, new, columns) == [{"f": becomes}, {"f": None}]
    assert shape(connection) == fresh_shape(new)


@pytest.mark.parametrize("legacy", ["ON", "OFF"])
def test_a_rebuild_works_whatever_sqlite_does_on_rename(
    connection: sqlite3.Connection, legacy: str
) -> None:
    """Both ways in which SQLite renames a table lead to the same one."""
    connection.execute(f"PRAGMA legacy_alter_table = {legacy}")
    old, new = posts(field("a", unique=True)), posts(field("a", "relation", unique=True))
    old, new = new, old
    create(connection, old)
    insert(connection, old, {"a": "usr_1"})

    columns = alter(connection, old, new)

    assert shape(connection) == fresh_shape(new)
    assert read(connection, new, columns) == [{"a": "usr_1"}]
    with pytest.raises(sqlite3.IntegrityError, match=r"posts\.a"):
        insert(connection, new, {"a": "usr_1"} | {"id": "rec_9"})


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text("ab", max_size=2),
    "text": st.text("ab", max_size=2),
    "integer": st.integers(-(2**63), 2**63 - 1) | st.integers(-2, 2),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "datetime": st.sampled_from(["2026-01-01", "2026-01-01 10:00"]),
    "json": st.lists(st.integers(), max_size=2),
    "relation": st.sampled_from(["", "usr_1", "usr_2"]),
    "file": st.sampled_from(["", "fil_1"]),
}
NAMES = ("a", "b", "cD", "e", "f")


@st.composite
def field_json(draw: st.DrawFn, name: str, types: list[str]) -> dict[str, Any]:
    type_name = draw(st.sampled_from(types))
    made = field(name, type_name, required=draw(st.booleans()))
    if "unique" in TYPES[type_name].options:
        made["unique"] = draw(st.integers(0, 3)) == 0
    value = draw(st.none() | VALUES[type_name])
    if value is not None and value != "":
        made["backfill"] = value
    return made


@st.composite
def collections(draw: st.DrawFn) -> Collection:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    return posts(*(draw(field_json(name, sorted(TYPES))) for name in names))


@st.composite
def changes(draw: st.DrawFn) -> tuple[Collection, Collection]:
    """Draw a definition and another that it can become: fields go, come, change, are renamed."""
    old = draw(collections())
    free = draw(st.permutations([name for name in NAMES if old.field(name) is None]))
    fields = []
    for each in old.fields:
        types = [each.type.name, *sorted(LOSSLESS.get(each.type.name, ()))]
        what = draw(st.sampled_from(["keep", "rename", "drop"]))
        if what == "rename" and free:
            made = draw(field_json(free.pop(), types))
            fields.append(made | {"renamedFrom": each.name})
        elif what != "drop":
            fields.append(draw(field_json(each.name, types)))
    added = free[: draw(st.integers(0, 2))]
    fields += [draw(field_json(name, sorted(TYPES))) for name in added]
    return old, posts(*draw(st.permutations(fields)))


@given(change=changes(), data=st.data())
def test_a_changed_table_is_like_a_fresh_one_and_keeps_its_values(
    change: tuple[Collection, Collection], data: st.DataObject
) -> None:
    """Whatever changes: shape of a new table, values of kept fields, or a refusal beforehand."""
    old, new = change
    steps = plan(old, new)
    row = st.fixed_dictionaries(
        {
            each.name: VALUES[each.type.name] | (st.nothing() if each.required else st.none())
            for each in old.fields
        }
    )
    rows = data.draw(st.lists(row, max_size=3))
    with closing(sqlite3.connect(":memory:")) as connection:
        create(connection, old)
        try:
            insert(connection, old, *rows)
        except sqlite3.IntegrityError:  # two equal values in a unique field
            return
        before = read(connection, old, {each.name: each.name for each in old.fields})
        if obstacles(connection, old, new):
            return

        after = read(connection, new, alter(connection, old, new))

        assert shape(connection) == fresh_shape(new)
    for was, now in zip(before, after, strict=True):
        for each in new.fields:
            source = old.field(steps.renames.get(each.name, each.name))
            is_required_now = each.required and not (source and source.required)
            if source is None or (is_required_now and was[source.name] in (None, "")):
                assert now[each.name] == each.backfill
            elif each.type.name in LOSSLESS.get(source.type.name, ()) and each.type.name in (
                "string",
                "text",
            ):
                value = was[source.name]
                assert now[each.name] == (None if value is None else str(value))
            else:
                assert now[each.name] == was[source.name]
