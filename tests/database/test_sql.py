"""Names in SQL text."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.database.sql import quote
from bakend.errors import InvalidInputError


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_any_name_reads_back(name: str) -> None:
    """SQLite understands a quoted name as exactly that name."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"CREATE TABLE t ({quote(name)} TEXT)")
        (column,) = connection.execute("PRAGMA table_info(t)")

    assert column[1] == name


def test_a_nul_is_refused() -> None:
    """A name with a NUL, at which SQLite would stop reading, never becomes SQL."""
    with pytest.raises(InvalidInputError):
        quote('posts\0"; DROP TABLE posts')
