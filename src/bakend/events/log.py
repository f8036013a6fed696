"""The durable log of events: table `_events`.

Appended to inside the transaction that made the change, so that neither is without the other.
SQLite has one writer at a time and takes numbers back with a rollback: numbers have no gaps and
follow the order of commits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from bakend import wire
from bakend.clock import Clock, to_text
from bakend.database.transaction import Row, Snapshot, Transaction
from bakend.events.event import Draft, Event
from bakend.ids import new_id

TRIM_EVERY: Final = 256
"""After so many events old ones are trimmed: rarely enough to cost nothing, often enough that one
step stays small."""

GAPS: Final = "event_gaps"
"""Key in `_bakend_meta`: `[[after, up to], …]`, the numbers that a restore left out."""

GAPS_MAX: Final = 20

TRIM_STEP: Final = 2 * TRIM_EVERY
"""Rows that one trim deletes at the most; twice what comes in between, so that a backlog shrinks."""

_SELECT: Final = (
    "SELECT seq, id, type, source, at, subject, actor, by_admin, depth, payload, before"
    " FROM _events"
)


class EventLog:
    """Owner of `_events`. Thread: any, inside the caller's transaction."""

    def __init__(self, *, clock: Clock, retention_s: float, max_rows: int) -> None:
        self._clock = clock
        self._retention = timedelta(seconds=retention_s)
        self._max_rows = max_rows

    def append(self, tx: Transaction, drafts: Sequence[Draft]) -> None:
        """Number what happened and keep it; called just before the commit."""
        at = to_text(self._clock.now())
        last = 0
        for draft in drafts:
            last = tx.value(
                "INSERT INTO _events"
                " (id, type, source, at, subject, actor, by_admin, depth, payload, before)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING seq",
                (
                    new_id("evt"),
                    draft.type,
                    draft.source,
                    at,
                    draft.subject,
                    tx.actor.id,
                    int(tx.actor.is_admin),
                    tx.depth,
                    wire.encode(draft.payload),
                    None if draft.before is None else wire.encode(draft.before),
                ),
            )
        if last % TRIM_EVERY < len(drafts):
            self.trim(tx, last)

    def since(
        self, snapshot: Snapshot, seq: int, *, limit: int = 500, kind: str = ""
    ) -> list[Event]:
        """Return the events after a number, oldest first.

        Args:
            snapshot: What to read.
            seq: The number.
            limit: Most events to return.
            kind: A type, or `posts.*` for all that begin with `posts.`; empty for all.
        """
        which, parameters = _of_kind(kind)
        sql = _SELECT + " WHERE seq > ? AND " + which + " ORDER BY seq LIMIT ?"
        return [_event(row) for row in snapshot.all(sql, (seq, *parameters, limit))]

    def last(
        self, snapshot: Snapshot, *, limit: int, kind: str = "", before: int | None = None
    ) -> list[Event]:
        """Return the last events, oldest first; with `before`, the last ones below that number."""
        which, parameters = _of_kind(kind)
        if before is not None:
            which, parameters = f"seq < ? AND {which}", (before, *parameters)
        sql = _SELECT + " WHERE " + which + " ORDER BY seq DESC LIMIT ?"
        return [_event(row) for row in reversed(snapshot.all(sql, (*parameters, limit)))]

    def by_admins(
        self, snapshot: Snapshot, seq: int, *, kinds: Sequence[str], limit: int
    ) -> list[Event]:
        """Return the events after a number that administrators caused, or that are of some types."""
        sql = (
            _SELECT
            + " WHERE seq > ? AND (by_admin = 1 OR type IN (SELECT value FROM json_each(?)))"
            + " ORDER BY seq LIMIT ?"
        )
        return [_event(row) for row in snapshot.all(sql, (seq, wire.encode([*kinds]), limit))]

    def between(
        self, snapshot: Snapshot, seq: int, upto: int, *, kinds: Sequence[str], limit: int
    ) -> list[Event]:
        """Return the events after a number and up to another, of any of some kinds, oldest first."""
        conditions = [_of_kind(kind) for kind in kinds]
        which = " OR ".join(condition for condition, _ in conditions) or "FALSE"
        parameters = [value for _, values in conditions for value in values]
        sql = _SELECT + " WHERE seq > ? AND seq <= ? AND (" + which + ") ORDER BY seq LIMIT ?"
        return [_event(row) for row in snapshot.all(sql, (seq, upto, *parameters, limit))]

    def oldest(self, snapshot: Snapshot) -> int:
        """Return the number of the oldest event in the log; in an empty one, of the next to come."""
        seq = snapshot.value("SELECT seq FROM _events ORDER BY seq LIMIT 1")
        return self.end(snapshot) + 1 if seq is None else int(seq)

    def end(self, snapshot: Snapshot) -> int:
        """Return the number of the last event ever written, 0 when there was none."""
        seq = snapshot.value("SELECT seq FROM sqlite_sequence WHERE name = '_events'")
        return 0 if seq is None else int(seq)

    def leap(self, tx: Transaction, to: int) -> None:
        """Leave numbers out, up to one: others had them before a restore, for other events."""
        end = self.end(tx)
        if to <= end:
            return
        if tx.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = '_events'", (to,)) == 0:
            tx.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('_events', ?)", (to,))
        gaps = [*_gaps(tx), [end, to]][-GAPS_MAX:]
        tx.execute(
            "INSERT INTO _bakend_meta (key, value) VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (GAPS, wire.encode(gaps)),
        )

    def is_left_out(self, snapshot: Snapshot, seq: int) -> bool:
        """Tell whether a number is one that `leap` has left out: who knows it knows another past."""
        return any(after < seq <= to for after, to in _gaps(snapshot))

    def position(self, snapshot: Snapshot, reader: str) -> int:
        """Return the number of the last event that a reader is done with; 0 for a new one."""
        return snapshot.value("SELECT seq FROM _readers WHERE name = ?", (reader,)) or 0

    def is_reader(self, snapshot: Snapshot, reader: str) -> bool:
        """Tell whether a reader has a position, a trim beyond which would cost it events."""
        return snapshot.one("SELECT 1 FROM _readers WHERE name = ?", (reader,)) is not None

    def pass_over(self, tx: Transaction, reader: str, seq: int) -> None:
        """Note that a reader is done with the events up to a number; no trim goes beyond it.

        In the transaction that holds what the reader made of them, so that a crash repeats nothing.
        """
        tx.execute(
            "INSERT INTO _readers (name, seq) VALUES (?, ?)"
            " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
            (reader, seq),
        )

    def forget(self, tx: Transaction, reader: str) -> None:
        """Let a reader be no more; nothing waits for it."""
        tx.execute("DELETE FROM _readers WHERE name = ?", (reader,))

    def blank(self, tx: Transaction, user_id: str) -> None:
        """Take what is personal of a deleted user out of the log: only ids stay."""
        tx.execute(
            "UPDATE _events SET payload = ?, before = NULL WHERE subject = ? AND type GLOB 'auth.*'",
            (wire.encode({"userId": user_id}), user_id),
        )

    def trim(self, tx: Transaction, end: int) -> int:
        """Delete up to `TRIM_STEP` events that are too old or too many; return how many.

        What a reader has not passed yet stays.

        Args:
            tx: The transaction to do it in.
            end: Number of the last event.
        """
        oldest = to_text(self._clock.now() - self._retention)
        return tx.execute(
            "DELETE FROM _events WHERE seq IN (SELECT seq FROM _events"
            " WHERE (seq <= ? OR at < ?) AND seq <= ? ORDER BY seq LIMIT ?)",
            (end - self._max_rows, oldest, self._passed_by_all(tx, end), TRIM_STEP),
        )

    def _passed_by_all(self, snapshot: Snapshot, end: int) -> int:
        slowest = snapshot.value("SELECT min(seq) FROM _readers")
        return end if slowest is None else int(slowest)


def _gaps(snapshot: Snapshot) -> list[list[int]]:
    text = snapshot.value("SELECT value FROM _bakend_meta WHERE key = ?", (GAPS,))
    return json.loads(text) if text else []


def _of_kind(kind: str) -> tuple[str, tuple[object, ...]]:
    """Return the condition for a type, or for all that begin alike, with its parameters."""
    if not kind:
        return "TRUE", ()
    if kind.endswith(".*"):
        return "substr(type, 1, ?) = ?", (len(kind) - 1, kind[:-1])
    return "type = ?", (kind,)


def _event(row: Row) -> Event:
    return Event(
        seq=row["seq"],
        id=row["id"],
        type=row["type"],
        source=row["source"],
        at=row["at"],
        subject=row["subject"],
        actor=row["actor"],
        by_admin=bool(row["by_admin"]),
        depth=row["depth"],
        payload=json.loads(row["payload"]),
        before=None if row["before"] is None else json.loads(row["before"]),
    )
