"""A transaction that somebody else takes part in, who may be shut out at any moment.

The user's code that runs before a write is part of that write, and runs on another thread. Each of
its statements passes here. Once it was shut out, no statement of it reaches the database any more,
whatever its thread does; so whoever began the transaction can roll it back and let others write.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from bakend.database.transaction import Parameters, Row, Snapshot, Transaction
from bakend.errors import BakendError, UserCodeError
from bakend.events.event import NOBODY, Actor, Draft

BREAK_OFF_S: Final = 0.02
"""Between two tries to break off a statement that runs."""

# What would end the transaction, or a part of it that others have begun; a comment may stand before.
_ENDS: Final = re.compile(
    r"(?:[\s\ufeff;]|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*(?:BEGIN|COMMIT|END|ROLLBACK|SAVEPOINT|RELEASE)\b",
    re.IGNORECASE | re.DOTALL,
)


class Joined(Transaction):
    """A part of an open transaction; what it changes happens with it, and so do its events.

    `read` and `write` are those of a database, so that what works on one works on this.

    Thread: made by the one that holds the transaction, which waits while others use it; `shut_out`
    is called by that one, all else on the threads of the user's code, which take turns.
    """

    def __init__(self, outer: Transaction, *, ends_at: float) -> None:
        """Join a transaction, or what has joined one.

        Args:
            outer: The transaction.
            ends_at: When this one will be shut out at the latest, monotonic seconds.
        """
        super().__init__(outer._connection, actor=outer.actor, depth=outer.depth)
        self.drafts = outer.drafts
        self.ends_at = ends_at
        self.loss: BaseException | None = None
        """What made SQLite take back the whole transaction, if it has; nothing may go on then."""
        self._outer = outer
        self._lock = threading.Lock()
        """Held for each statement."""
        self._turn = threading.RLock()
        """Held for each block that happens as a whole."""
        self._is_open = True

    def shut_out(self) -> None:
        """Let nothing more be done; a statement that runs is broken off."""
        while not self._lock.acquire(timeout=BREAK_OFF_S):
            self._connection.interrupt()
        self._is_open = False
        self._lock.release()

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """Read the state as the transaction has made it."""
        yield self

    @contextmanager
    def write(self, *, actor: Actor = NOBODY, depth: int = 0) -> Iterator[Transaction]:
        """Do several things together or not at all; who acts is who began the transaction."""
        del actor, depth
        with self._turn:
            told = len(self.drafts)
            self._control("SAVEPOINT joined")
            try:
                yield self
            except BaseException:
                with suppress(BakendError):  # shut out, or all is lost: there is nothing to undo
                    self._control("ROLLBACK TO joined")
                    self._control("RELEASE joined")
                    with self._using():
                        del self.drafts[told:]
                raise
            self._control("RELEASE joined")

    def all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return every row of a query."""
        with self._using(sql):
            return self._outer.all(sql, parameters)

    def one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """Return the first row of a query, or None."""
        with self._using(sql):
            return self._outer.one(sql, parameters)

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement and return how many rows it changed (-1 where SQLite doesn't count)."""
        with self._using(sql):
            return self._outer.execute(sql, parameters)

    def emit(self, draft: Draft) -> None:
        """Tell what happened, with all else that the transaction tells."""
        with self._using():
            self._outer.emit(draft)

    def lasts(self, seconds: float) -> None:
        """Do nothing: whoever joined cannot take longer than the one who let him."""

    def _control(self, sql: str) -> Any:
        with self._using():
            outer = self._outer
            return outer._control(sql) if isinstance(outer, Joined) else outer.execute(sql)

    @contextmanager
    def _using(self, sql: str = "") -> Iterator[None]:
        if _ENDS.match(sql):
            raise UserCodeError(
                f"{sql.strip()[:40]}: this is part of a transaction that others end",
                hint="`with ctx.db.transaction() as tx` makes several statements happen together",
            )
        with self._lock:
            if not self._is_open:
                raise UserCodeError("The transaction has ended")
            try:
                yield
            except BaseException as error:
                # SQLite takes all back where it has no space, or where a write was broken off.
                self._look(error)
                raise
            self._look(UserCodeError("The transaction was ended by one who only takes part in it"))

    def _look(self, error: BaseException) -> None:
        if not self._connection.in_transaction:
            self._is_open, self.loss = False, error
