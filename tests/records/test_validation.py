"""A record's body against its definition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.collections.definition import Collection, parse
from bakend.collections.fields import TYPES
from bakend.collections.patterns import Pattern
from bakend.records import validation


def matches(pattern: Pattern, text: str) -> bool | None:
    """Match at once, but give up on one text."""
    assert pattern.compiled is not None
    return None if text == "too slow" else pattern.compiled.search(text) is not None


def collection(*fields: dict[str, Any]) -> Collection:
    return parse({"name": "posts", "fields": list(fields)}, known={"posts"})


def faults(of: Collection, body: dict[str, Any], *, partial: bool = False) -> list[tuple[str, ...]]:
    return [
        (fault.field, fault.rule, fault.message)
        for fault in validation.faults(of, body, partial=partial, matches=matches)
    ]


TITLE = {"name": "title", "type": "string", "required": True}
ALL_TYPES = [
    {"name": f"a_{name}", "type": name} | ({"collection": "users"} if name == "relation" else {})
    for name in TYPES
]


@pytest.mark.parametrize("body", [{}, {"title": None}, {"title": ""}])
def test_a_required_field_must_have_a_value(body: dict[str, Any]) -> None:
    """Absent, null and the empty text are all empty, and stop further checks."""
    posts = collection(TITLE | {"min": 3, "regex": "^x"})

    assert faults(posts, body) == [("title", "required", 'Field "title" is required')]


@pytest.mark.parametrize(
    ("type_name", "value"), [("boolean", False), ("integer", 0), ("json", []), ("text", " ")]
)
def test_false_and_zero_are_values(type_name: str, value: Any) -> None:
    """Only null and the empty text are empty."""
    assert faults(collection(TITLE | {"type": type_name}), {"title": value}) == []


def test_an_empty_text_is_empty_for_every_required_field() -> None:
    """The empty text in a required number is reported as missing, not as of the wrong type."""
    assert faults(collection(TITLE | {"type": "integer"}), {"title": ""})[0][1] == "required"


def test_an_optional_field_is_checked_unless_null() -> None:
    """Null clears an optional field; the empty text is a value like others."""
    posts = collection({"name": "title", "type": "string", "min": 1})

    assert faults(posts, {"title": None}) == []
    assert faults(posts, {"title": ""})[0][1] == "min"


def test_a_partial_body_is_checked_only_where_it_speaks() -> None:
    """What an update does not name stays, what it clears must be optional."""
    posts = collection(TITLE, {"name": "body", "type": "text"})

    assert faults(posts, {"body": "x"}, partial=True) == []
    assert faults(posts, {"title": None}, partial=True)[0][1] == "required"


def test_a_wrong_type_stops_the_field_and_no_other() -> None:
    """All fields report, in the order of the definition."""
    posts = collection(
        {"name": "title", "type": "string", "min": 5, "regex": "^x"},
        {"name": "size", "type": "integer", "max": 3},
    )

    assert faults(posts, {"size": 4, "title": 1}) == [
        ("title", "type", 'Field "title" must be a string'),
        ("size", "max", 'Field "size" must be at most 3'),
    ]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ({"type": "string", "min": 3}, "😀", [("min", "must be at least 3 characters")]),
        ({"type": "text", "max": 1}, "😀", [("max", "must be at most 1 characters")]),
        ({"type": "float", "min": 0.5}, 0.25, [("min", "must be at least 0.5")]),
        ({"type": "integer", "max": 3.0}, 2**60, [("max", "must be at most 3")]),
        ({"type": "integer", "min": 2**53}, 2**53 + 1, []),
        ({"type": "string", "regex": "^x"}, "y", [("regex", "does not match required pattern")]),
        (
            {"type": "string", "regex": "^x"},
            "too slow",
            [("regex", "could not be checked against its pattern in time")],
        ),
        (
            {"type": "string", "min": 3, "max": 4, "regex": "^x"},
            "y",
            [
                ("min", "must be at least 3 characters"),
                ("regex", "does not match required pattern"),
            ],
        ),
        ({"type": "datetime"}, "soon", [("type", "must be a valid ISO-8601 datetime")]),
        ({"type": "json"}, 5, [("type", "must be a JSON value")]),
    ],
)
def test_limits_are_reported_in_their_order(
    field: dict[str, Any], value: Any, expected: list[tuple[str, str]]
) -> None:
    """Length or size first, then the pattern; several may be broken at once."""
    found = faults(collection({"name": "f"} | field), {"f": value})

    assert found == [("f", rule, f'Field "f" {text}') for rule, text in expected]


def test_unknown_keys_are_nobodys_business() -> None:
    """Keys that no field has are neither reported nor kept."""
    posts = collection(TITLE)
    body = {"title": "x", "id": "rec_1", "createdAt": 5, "nonsense": []}

    assert faults(posts, body) == []
    assert validation.values(posts, body) == {"title": "x"}


def test_values_are_as_sqlite_keeps_them() -> None:
    """Present fields in the definition's order, null as NULL, each by its type."""
    posts = collection(*ALL_TYPES)

    body = {"a_json": {"b": [1]}, "a_boolean": True, "a_text": None, "a_integer": 2.0}

    assert list(validation.values(posts, body).items()) == [
        ("a_text", None),
        ("a_integer", 2),
        ("a_boolean", 1),
        ("a_json", '{"b":[1]}'),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([field["name"] for field in ALL_TYPES]), JSON))
def test_any_body_is_faulty_or_can_be_stored(body: dict[str, Any]) -> None:
    """Validation never raises, and what passes has a form for SQLite."""
    posts = collection(*ALL_TYPES)

    if not faults(posts, body):
        stored = validation.values(posts, body)
        assert stored.keys() == body.keys()
        assert all(isinstance(value, str | int | float | None) for value in stored.values())
