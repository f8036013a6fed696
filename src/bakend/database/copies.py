"""Looking into the copy of a database: a file that stands alone and that nobody writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from bakend.database.transaction import Snapshot, translated
from bakend.errors import BakendError

PROBLEMS_MAX: Final = 10
"""Of a damaged database; there may be one for each page."""


@contextmanager
def opened(copy: Path) -> Iterator[Snapshot]:
    """Read a copy; nothing is written, not even beside it.

    Raises:
        DatabaseError: It is no database, or damaged.
    """
    with translated():
        connection = sqlite3.connect(
            f"{copy.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None
        )
        connection.row_factory = sqlite3.Row
    with closing(connection):
        yield Snapshot(connection)


def problems(copy: Path, *, deep: bool = True) -> list[str]:
    """Return what is wrong with a copy, nothing if it is whole.

    Args:
        copy: The file.
        deep: Whether indexes are compared with their tables, which takes several times as long.
    """
    try:
        with opened(copy) as snapshot:
            return check(snapshot, deep=deep)
    except BakendError as error:
        return [error.message]


def check(snapshot: Snapshot, *, deep: bool) -> list[str]:
    """Return what is wrong with an open database; arguments as for `problems`."""
    pragma = "integrity_check" if deep else "quick_check"
    found = [str(row[0]) for row in snapshot.all(f"PRAGMA {pragma}({PROBLEMS_MAX})")]
    return [] if found == ["ok"] else found


def has_table(snapshot: Snapshot, name: str) -> bool:
    """Tell whether there is a table of that name; old schemas have fewer."""
    sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    return snapshot.one(sql, (name,)) is not None
