"""Definitions, read strictly and leniently."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.collections.definition import (
    MAX_FIELDS,
    OPERATIONS,
    RESERVED_NAMES,
    RULES,
    Collection,
    column_key,
    in_order,
    load,
    parse,
    same,
    warnings,
)
from bakend.collections.fields import TYPES
from bakend.errors import DefinitionError

POSTS: dict[str, Any] = {
    "name": "posts",
    "fields": [
        {
            "name": "title",
            "type": "string",
            "required": True,
            "min": 1,
            "max": 200.0,
            "regex": "^[A-Z]",
            "unique": True,
        },
        {"name": "authorId", "type": "relation", "collection": "users"},
        {"name": "user_id", "type": "string"},
        {"name": "state", "type": "text", "backfill": "draft", "renamedFrom": "status"},
    ],
    "permissions": dict(
        zip(OPERATIONS, ("authenticated", "public", "owner", "admin"), strict=True)
    ),
    "indexes": ["kept, without effect"],
}


def parsed(*fields: Any, name: Any = "posts", **more: Any) -> Collection:
    return parse({"name": name, "fields": list(fields), **more}, known={"posts", "tags"})


def faults(*fields: Any, name: Any = "posts", **more: Any) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as caught:
        parsed(*fields, name=name, **more)
    return caught.value.faults


def test_a_definition_is_read_whole() -> None:
    """Everything that a definition says can be asked for, and the JSON stays as it came."""
    posts = parse(copy.deepcopy(POSTS), known=())

    title, author, _owner, state = posts.fields
    assert (title.required, title.unique, title.minimum, title.maximum) == (True, True, 1, 200)
    assert title.pattern is not None
    assert title.pattern.source == "^[A-Z]"
    assert (author.type.name, author.target, author.required) == ("relation", "users", False)
    assert (state.backfill, state.renamed_from) == ("draft", "status")
    assert [posts.rule(operation) for operation in OPERATIONS] == [
        "authenticated",
        "public",
        "owner",
        "admin",
    ]
    assert posts.has_owner
    assert posts.definition == POSTS
    assert posts.field("title") is title
    assert posts.field("nothing") is None


def test_omitted_rules_are_public() -> None:
    """As in the original; a warning says so."""
    posts = parsed(permissions={"create": "admin", "read": None})

    assert [posts.rule(operation) for operation in OPERATIONS] == ["admin", *["public"] * 3]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (5, "Each field must have a name and type"),
        ({}, "Each field must have a name and type"),
        ({"name": "f"}, "Each field must have a name and type"),
        ({"name": "", "type": "text"}, "Each field must have a name and type"),
        ({"name": ["f"], "type": "text"}, "Each field must have a name and type"),
        ({"name": "F", "type": "text"}, 'field name "F" must match ^[a-z][A-Za-z0-9_]*$'),
        ({"name": "f\n", "type": "text"}, 'field name "f\n" must match ^[a-z][A-Za-z0-9_]*$'),
        (
            {"name": "f" * 64, "type": "text"},
            f'field name "{"f" * 64}" must not be longer than 63 characters',
        ),
        *(
            ({"name": name, "type": "text"}, f'Field name "{name}" is reserved')
            for name in ("id", "createdAt", "updatedAt", "created_at", "updated_at", "createdat")
        ),
        ({"name": "f", "type": "blob", "min": "x"}, 'Unsupported field type "blob"'),
        ({"name": "f", "type": "relation"}, 'Relation field "f" requires a collection'),
        (
            {"name": "f", "type": "relation", "collection": "gone"},
            'Relation field "f" references unknown collection "gone"',
        ),
        ({"name": "f", "type": "boolean", "min": 1}, 'Field "f" does not support min'),
        ({"name": "f", "type": "json", "unique": False}, 'Field "f" does not support unique'),
        ({"name": "f", "type": "integer", "regex": "x"}, 'Field "f" does not support regex'),
        ({"name": "f", "type": "float", "min": 2, "max": 1}, 'Field "f" has min greater than max'),
        ({"name": "f", "type": "float", "min": "1"}, 'Field "f" has a min that is not a number'),
        ({"name": "f", "type": "text", "max": True}, 'Field "f" has a max that is not a number'),
        ({"name": "f", "type": "text", "min": -1}, 'Field "f" has a min that is not a length'),
        ({"name": "f", "type": "text", "max": 1.5}, 'Field "f" has a max that is not a length'),
        (
            {"name": "f", "type": "text", "regex": "(a"},
            'Field "f" has invalid regex: a ( without its ) at character 1',
        ),
        (
            {"name": "f", "type": "text", "regex": 5},
            'Field "f" has invalid regex: not a string',
        ),
        (
            {"name": "f", "type": "text", "required": 1},
            'Field "f" has a required that is neither true nor false',
        ),
        (
            {"name": "f", "type": "text", "unique": "no"},
            'Field "f" has a unique that is neither true nor false',
        ),
        (
            {"name": "f", "type": "text", "renamedFrom": "F g"},
            'Field "f" has a renamedFrom that is not the name of a field',
        ),
        ({"name": "f", "type": "text", "renamedFrom": "f"}, 'Field "f" is renamed from itself'),
        (
            {"name": "f", "type": "integer", "backfill": "x"},
            'Field "f" has a backfill that must be an integer',
        ),
        (
            {"name": "f", "type": "text", "required": True, "backfill": ""},
            'Field "f" has a backfill that is empty, and is "required"',
        ),
        (
            {"name": "f", "type": "text", "min": 3, "backfill": "x"},
            'Field "f" has a backfill that is less than its min',
        ),
        (
            {"name": "f", "type": "float", "max": 3, "backfill": 4},
            'Field "f" has a backfill that is more than its max',
        ),
    ],
)
def test_a_faulty_field_is_refused(field: Any, expected: str) -> None:
    """Each mistake has its sentence."""
    assert faults(field) == (expected,)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, "A definition must have a name, a string"),
        ("Posts", 'collection name "Posts" must match ^[a-z][a-z0-9_]*$'),
        ("_posts", 'collection name "_posts" must match ^[a-z][a-z0-9_]*$'),
        ("p" * 64, f'collection name "{"p" * 64}" must not be longer than 63 characters'),
        *((name, f'Collection name "{name}" is reserved') for name in sorted(RESERVED_NAMES)),
        ("sqlite_x", 'Collection name "sqlite_x" is reserved'),
        ("bakend_x", 'Collection name "bakend_x" is reserved'),
        ("idx_x", 'Collection name "idx_x" is reserved'),
    ],
)
def test_a_faulty_name_is_refused(name: Any, expected: str) -> None:
    """Names that would clash with routes, events or SQLite cannot be given."""
    assert faults(name=name) == (expected,)


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ("nope", '"permissions" must be an object'),
        (
            {"reads": "admin"},
            'Unknown permission "reads": there are create, read, update, delete',
        ),
        ({"read": "all"}, 'Permission "read" must be one of public, authenticated, owner, admin'),
        ({"read": 1}, 'Permission "read" must be one of public, authenticated, owner, admin'),
    ],
)
def test_faulty_permissions_are_refused(permissions: Any, expected: str) -> None:
    """A slip in a rule never opens or locks a collection in silence."""
    assert faults(permissions=permissions) == (expected,)


@pytest.mark.parametrize(
    ("names", "twice"),
    [
        (["a", "a"], "a"),
        (["authorId", "author_id"], "author_id"),
        (["author_id", "authorId"], "authorId"),
        (["authorid", "authorId"], "authorId"),
    ],
)
def test_names_that_could_share_a_column_are_refused(names: list[str], twice: str) -> None:
    """Neither case nor an underscore before an upper-case letter makes a second field."""
    fields = [{"name": name, "type": "text"} for name in names]

    assert faults(*fields) == (f'Duplicate field name "{twice}"',)


def test_all_faults_are_reported_at_once() -> None:
    """Nobody corrects a definition one mistake at a time."""
    found = faults(
        {"name": "F", "type": "text"},
        {"name": "g", "type": "blob"},
        {"name": "h", "type": "text", "min": "x", "regex": "("},
        name="Posts",
        permissions={"x": 1},
    )

    assert len(found) == 6


def test_renames_that_contradict_the_fields_are_refused() -> None:
    """A field takes over another's values only when that one goes, and only once."""
    kept = faults({"name": "a", "type": "text"}, {"name": "b", "type": "text", "renamedFrom": "a"})
    twice = faults(
        {"name": "b", "type": "text", "renamedFrom": "a"},
        {"name": "c", "type": "text", "renamedFrom": "a"},
    )

    assert kept == ('Field "b" is renamed from "a", which is still a field',)
    assert twice == ('Fields "b" and "c" are both renamed from "a"',)


def test_relations_may_point_anywhere_in_the_set() -> None:
    """At another collection, at users, and at the collection itself."""
    targets = ["tags", "users", "posts"]
    fields = [
        {"name": f"f{number}", "type": "relation", "collection": target}
        for number, target in enumerate(targets)
    ]

    assert [field.target for field in parsed(*fields).fields] == targets
    assert parse({"name": "new", "fields": [fields[0] | {"collection": "new"}]}, known=())


def test_too_many_fields_are_refused() -> None:
    """SQLite has a limit, and so has a record that anybody reads."""
    fields = [{"name": f"f{number}", "type": "text"} for number in range(MAX_FIELDS + 1)]

    assert faults(*fields) == ("A collection must not have more than 500 fields",)


@pytest.mark.parametrize(
    "value",
    [float("inf"), float("nan"), 10**400, "\ud800", {"\ud800": 1}, [[[[1]]]]],
)
def test_what_could_not_be_given_back_is_refused(value: Any) -> None:
    """A definition is kept as it came; what JSON text cannot carry is not taken."""
    for _ in range(60):
        value = [value]

    assert len(faults(extra=value)) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", "b", "aB", "a_b", "id", "A"]) | JSON,
        "type": st.sampled_from(sorted(TYPES)) | JSON,
        "required": st.booleans() | JSON,
        "unique": st.booleans() | JSON,
        "min": st.integers() | JSON,
        "max": st.floats() | JSON,
        "regex": st.text("ab()[]*+?{}0,\\^$|<=!:") | JSON,
        "collection": st.sampled_from(["posts", "users", "x"]) | JSON,
        "renamedFrom": st.sampled_from(["a", "b"]) | JSON,
        "backfill": JSON,
    },
)
DEFINITIONS = JSON | st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("posts") | JSON,
        "fields": st.lists(FIELDS | JSON, max_size=4) | JSON,
        "permissions": JSON
        | st.dictionaries(st.sampled_from(OPERATIONS), st.sampled_from(RULES) | JSON),
        "more": JSON,
    },
)


@given(DEFINITIONS)
def test_any_json_is_a_collection_or_refused(data: Any) -> None:
    """Strict or lenient, nothing else comes of any JSON value; what is strict is lenient too."""
    try:
        loaded = load(data)
    except DefinitionError:
        loaded = None
    try:
        strict = parse(data, known=())
    except DefinitionError:
        strict = None
    if strict is not None:
        assert loaded is not None
        assert [field.name for field in strict.fields] == [field.name for field in loaded.fields]
    if loaded is not None:
        assert same(data, data)
        assert all(isinstance(text, str) for text in warnings(loaded))


def test_a_database_of_the_original_can_be_lived_with() -> None:
    """What the original never checked is dropped, or stays as strict as it was."""
    posts = load(
        {
            "name": "admin",
            "fields": [
                {"name": "a", "type": "text", "required": 1, "unique": "yes", "min": "3"},
                {"name": "b", "type": "text", "required": 0, "regex": "(?<=a*)b", "max": True},
                {"name": "c", "type": "relation", "collection": "gone", "unique": []},
                {"name": "d", "type": "json", "unique": True},
            ],
            "permissions": {"read": "bogus", "reads": "admin", "update": 5},
        }
    )

    a, b, c, d = posts.fields
    assert (a.required, a.unique, a.minimum) == (True, True, None)
    assert (b.required, b.maximum) == (False, None)
    assert b.pattern is not None
    assert b.pattern.compiled is None
    assert (c.target, c.unique, d.unique) == ("gone", True, False)
    assert [posts.rule(operation) for operation in OPERATIONS] == ["public", "bogus", "5", "public"]


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"fields": []},
        {"name": "Posts", "fields": []},
        {"name": "posts"},
        {"name": "posts", "fields": [1]},
        {"name": "posts", "fields": [{"name": "a b", "type": "text"}]},
        {"name": "posts", "fields": [{"name": "created_at", "type": "text"}]},
        {"name": "posts", "fields": [{"name": "a", "type": "blob"}]},
        {"name": "posts", "fields": [{"name": "a", "type": "text"}] * 2},
    ],
)
def test_what_describes_no_table_cannot_be_loaded(data: Any) -> None:
    """The catalog reports such a collection and leaves it alone."""
    with pytest.raises(DefinitionError):
        load(data)


def test_warnings_name_what_is_probably_not_meant() -> None:
    """Open, useless and slow rules are allowed and said."""
    fields = [
        {"name": "user_id", "type": "text"},
        {"name": "slug", "type": "text", "regex": "^(a+)+$"},
        {"name": "fine", "type": "text", "regex": "^a+$"},
    ]
    posts = parsed(*fields, permissions={"update": "owner", "delete": "admin"})

    assert warnings(posts) == [
        "no rule for create, read: open to everyone",
        'the rule "owner" for update needs a field "user_id" of type string or relation:'
        " administrators only",
        'field "slug" is checked in a helper process with a time limit, because in its regex'
        ' "(a+)+" at character 2 repeats what varies by itself',
    ]
    assert warnings(parse(POSTS, known=())) == []


def test_warnings_name_what_a_database_of_the_original_brings() -> None:
    """Rules that are none and patterns that cannot be used lock; the operator learns it."""
    data = {"name": "posts", "fields": [{"name": "a", "type": "text", "regex": "("}]}
    found = warnings(load(data | {"permissions": dict.fromkeys(OPERATIONS, "all")}))

    assert len(found) == 5
    assert found[0] == 'the rule "all" for create is unknown: administrators only'
    assert found[4].startswith('field "a" refuses every value')


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """Return POSTS with one value changed, or removed where it is None."""
    definition = copy.deepcopy(POSTS)
    place: Any = definition
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return definition


@pytest.mark.parametrize(
    "other",
    [
        dict(reversed(POSTS.items())),
        changed(("fields", 0, "max"), 200),
        changed(("fields", 1, "required"), False),
        changed(("fields", 3, "backfill"), None),
        changed(("fields", 3, "renamedFrom"), None),
        changed(("permissions", "read"), None),
    ],
)
def test_definitions_that_mean_the_same_are_the_same(other: dict[str, Any]) -> None:
    """Order of keys, defaults and instructions make no difference."""
    assert same(POSTS, other)
    assert same(other, POSTS)


@pytest.mark.parametrize(
    "other",
    [
        changed(("fields", 0, "max"), 201),
        changed(("fields", 0, "required"), None),
        changed(("fields", 1, "collection"), "tags"),
        changed(("permissions", "create"), None),
        changed(("indexes",), None),
        POSTS | {"fields": POSTS["fields"][::-1]},
    ],
)
def test_definitions_that_differ_are_not_the_same(other: dict[str, Any]) -> None:
    """The order of the fields is that of the answers, so it counts."""
    assert not same(POSTS, other)
    assert not same(other, POSTS)


def pointing(name: str, *targets: str) -> Collection:
    fields = [
        {"name": f"f{number}", "type": "relation", "collection": target}
        for number, target in enumerate(targets)
    ]
    return parse({"name": name, "fields": fields}, known=targets)


def test_collections_come_after_those_they_point_at() -> None:
    """Whatever order they are given in, and whatever is not in the set."""
    chain = [pointing("a", "b"), pointing("b", "c", "users"), pointing("c", "c", "elsewhere")]

    for given_order in (chain, chain[::-1]):
        assert [each.name for each in in_order(given_order)] == ["c", "b", "a"]


def test_circles_are_ordered_the_same_each_time() -> None:
    """Collections that point at each other are opened at the first name."""
    circle = [pointing("a", "b"), pointing("b", "c"), pointing("c", "a"), pointing("d", "a")]

    for given_order in (circle, circle[::-1]):
        assert [each.name for each in in_order(given_order)] == ["a", "c", "d", "b"]


def test_older_originals_made_other_columns() -> None:
    """A field's former column is known, so that its table can be kept."""
    assert column_key("authorId") == column_key("author_id") == "author_id"
