"""The field types: what is a value, and does it read back equal."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.collections.fields import TYPES, utf16_length

UNICODE = st.text(st.characters(exclude_categories=["Cs"]))
JSON_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | UNICODE
JSON = st.recursive(
    JSON_SCALARS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.fixture(scope="module", name="connection")
def open_connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for name, field_type in TYPES.items():
            connection.execute(f'CREATE TABLE "{name}" (value {field_type.column})')
        yield connection


def through_sqlite(connection: sqlite3.Connection, name: str, value: Any) -> Any:
    field_type = TYPES[name]
    connection.execute(f'DELETE FROM "{name}"')
    connection.execute(f'INSERT INTO "{name}" VALUES (?)', (field_type.to_sqlite(value),))
    return field_type.from_sqlite(connection.execute(f'SELECT value FROM "{name}"').fetchone()[0])


@pytest.mark.parametrize("name", TYPES)
@given(value=JSON | st.floats().map(lambda number: number if number == number else 0.5))
def test_what_is_accepted_reads_back_equal(
    connection: sqlite3.Connection, name: str, value: Any
) -> None:
    """A value without fault comes back from SQLite as the same JSON value."""
    if value is None or TYPES[name].fault(value) is not None:
        return

    read = through_sqlite(connection, name, value)

    if name in ("integer", "float"):
        assert read == value
        assert json.dumps(read) != "-0.0"
    else:
        assert json.dumps(read) == json.dumps(value)  # order of keys, types, -0.0


@given(value=st.lists(st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_json_keeps_every_finite_number(connection: sqlite3.Connection, value: Any) -> None:
    """Inside `json` a number comes back as it was written, however large."""
    assert TYPES["json"].fault(value) is None
    assert json.dumps(through_sqlite(connection, "json", value)) == json.dumps(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("string", ""),
        ("string", "\0 and 😀"),
        ("integer", 3.0),
        ("integer", 1.5e3),
        ("integer", 2**63 - 1),
        ("integer", -(2**63)),
        ("float", 2**53),
        ("float", 10**22),
        ("float", -0.0),
        ("boolean", False),
        ("json", {}),
        ("json", [10**399, -0.0, None]),
        ("relation", ""),
        ("file", "fil_1"),
    ],
)
def test_edges_are_accepted(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """The outermost values of a type have no fault and read back equal."""
    assert TYPES[name].fault(value) is None
    assert through_sqlite(connection, name, value) == value


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("string", 1, "must be a string"),
        ("text", None, "must be a string"),
        ("string", "\ud800", "must be a string without lone surrogates"),
        ("integer", True, "must be an integer"),
        ("integer", "3", "must be an integer"),
        ("integer", 3.5, "must be an integer"),
        ("integer", float("inf"), "must be an integer"),
        ("integer", 2**63, "must be an integer of at most 64 bits"),
        ("integer", 9.3e18, "must be an integer of at most 64 bits"),
        ("float", False, "must be a number"),
        ("float", "1", "must be a number"),
        ("float", float("nan"), "must be a finite number"),
        ("float", 2**53 + 1, "must be a number that a 64-bit float holds exactly"),
        ("float", 10**400, "must be a number that a 64-bit float can hold"),
        ("boolean", 1, "must be a boolean"),
        ("boolean", "true", "must be a boolean"),
        ("json", "{}", "must be a JSON value"),
        ("json", 1, "must be a JSON value"),
        ("json", [float("inf")], "must be a JSON value"),
        ("json", {"\udc00": 1}, "must be a JSON value without lone surrogates"),
        ("relation", 5, "must be a string"),
        ("file", ["fil_1"], "must be a string"),
    ],
)
def test_faults_are_named(name: str, value: Any, fault: str) -> None:
    """What does not fit is refused with the text that the API shows."""
    assert TYPES[name].fault(value) == fault


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T16:05:48.347Z",
        "2026-11-23T16:05:48.347123",
        "2026-11-23T16:05:48.347123Z",
        "2026-11-23 16:05",
        "2026-11-23",
        "2024-02-29T00:00:00+05:30",
        "2026-11-23T16:05:48-0800",
        "2026-11-23T16:05Z",
        "2000-02-29",
        "0000-02-29",
    ],
)
def test_iso_datetimes_are_kept_byte_for_byte(connection: sqlite3.Connection, value: str) -> None:
    """What JavaScript, Dart and Python write is a datetime, and is not normalised."""
    assert TYPES["datetime"].fault(value) is None
    assert through_sqlite(connection, "datetime", value) == value


@pytest.mark.parametrize(
    "value",
    [
        "x 1",
        "1",
        "hello 2020",
        "20260101",
        "2026-02-30",
        "2026-02-29",
        "1900-02-29",
        "2026-13-01",
        "2026-00-10",
        "2026-01-00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T10:60:00Z",
        "2026-01-01T10:00:00.Z",
        "2026-01-01Z",
        "2026-01-01 10:00\n",
        "٢٠٢٦-01-01",
        "",
        20260101,
        None,
    ],
)
def test_other_datetimes_are_refused(value: Any) -> None:
    """Days that no calendar has and what only a lenient reader takes are no datetimes."""
    assert TYPES["datetime"].fault(value) == "must be a valid ISO-8601 datetime"


@pytest.mark.parametrize(
    ("name", "stored", "shown"),
    [
        ("integer", 1e19, 10**19),
        ("float", 3.0, 3),
        ("float", 1e21, 1e21),
        ("float", float("inf"), None),
        ("json", "{broken", "{broken"),
        ("json", "[NaN]", "[NaN]"),
        ("json", "[1e400]", "[1e400]"),
        ("json", "[" * 200_000, "[" * 200_000),
        ("json", b"\xff", b"\xff"),
        ("boolean", 7, True),
        *((name, None, None) for name in TYPES),
    ],
)
def test_reading_never_raises(name: str, stored: Any, shown: Any) -> None:
    """What the original or another program stored is shown as near as can be."""
    assert TYPES[name].from_sqlite(stored) == shown


def test_lengths_count_as_javascript_does() -> None:
    """A character beyond U+FFFF counts twice."""
    assert [utf16_length(text) for text in ("", "abc", "é", "a😀")] == [0, 3, 1, 3]
    assert TYPES["text"].measure("😀") == 2
