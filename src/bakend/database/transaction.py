"""Reading from and writing to an open connection, with SQLite's errors turned into ours.

A `Snapshot` reads one unchanging state of the database. A `Transaction` also writes, and collects
the events that its changes mean; they enter the log just before the commit, or not at all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from bakend.database.failures import translate
from bakend.events.event import NOBODY, Actor, Draft

Parameters = Sequence[object] | Mapping[str, object]
Row = sqlite3.Row


@contextmanager
def translated() -> Iterator[None]:
    """Raise SQLite's errors as errors of ours."""
    try:
        yield
    except sqlite3.Error as error:
        ours = translate(error)
        if ours is error:
            raise
        raise ours from error


class Snapshot:
    """One state of the database, as long as the block that made it lasts.

    Thread: the one that opened it.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return every row of a query."""
        with translated():
            return self._connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, or None."""
        with translated():
            row: Row | None = self._connection.execute(sql, parameters).fetchone()
            return row

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """Return the first value of the first row, or None when there is no row."""
        row = self.one(sql, parameters)
        return None if row is None else row[0]


class Transaction(Snapshot):
    """A write transaction: everything in it happens, or nothing does.

    Thread: the one that opened it; it holds the only writer of this process.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        actor: Actor = NOBODY,
        depth: int = 0,
        lasts: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__(connection)
        self._lasts = lasts
        self.actor = actor
        """Who acts, stamped on the events."""
        self.depth = depth
        """How many handlers deep this change is; 0 for a request."""
        self.drafts: list[Draft] = []
        """What happened so far, in order."""

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement and return how many rows it changed (-1 where SQLite doesn't count)."""
        with translated():
            return self._connection.execute(sql, parameters).rowcount

    def emit(self, draft: Draft) -> None:
        """Tell what happened; it becomes an event if and only if this transaction commits."""
        self.drafts.append(draft)

    def lasts(self, seconds: float) -> None:
        """Tell the writers who wait that this one may take so long from now on."""
        if self._lasts is not None:
            self._lasts(seconds)


class Transactions(Protocol):
    """Where to read and to write: the database, or a transaction that somebody takes part in."""

    def read(self) -> AbstractContextManager[Snapshot]:
        """Read one state."""
        ...

    def write(
        self, *, actor: Actor = NOBODY, depth: int = 0
    ) -> AbstractContextManager[Transaction]:
        """Change it: all of the block happens, or nothing does."""
        ...
