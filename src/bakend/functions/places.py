"""Up to where in the log each function is: table `_functions`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from bakend.database.transaction import Snapshot, Transaction
from bakend.events.log import EventLog
from bakend.functions.registry import Function

READER: Final = "functions"
"""Name in `_readers` of the place that the slowest function has; no trim goes beyond it."""

Parked = Sequence[tuple[str, int]]
"""Functions and numbers of events that are done once they are written down as parked."""


class Places:
    """Owner of `_functions`. Thread: the engine's."""

    def __init__(self, log: EventLog) -> None:
        self._events = log
        self.taken: dict[str, int] = {}
        """Up to where each function's events were taken in."""
        self.kept: dict[str, int] = {}
        """Up to where its place is written down."""
        self.open: dict[str, set[int]] = {}
        """Events that were taken in and are not done."""

    def adopt(
        self,
        tx: Transaction,
        functions: Mapping[str, Function],
        broken: Iterable[str],
        *,
        now: str,
        oldest: str,
    ) -> None:
        """Give new functions a place at the end of the log, and forget those that are long gone.

        Args:
            tx: The transaction to do it in.
            functions: Those that run from now on.
            broken: Files that do not load: the places of their functions stay.
            now: The time.
            oldest: What was there last before this time is gone.
        """
        end = self._events.end(tx)
        rows = tx.all("SELECT name, seq FROM _functions WHERE kind = 'after'")
        known = {row["name"]: row["seq"] for row in rows}
        for name, each in functions.items():
            seq = known.get(name, end)
            tx.execute(
                "INSERT INTO _functions (name, file, kind, collection, event_type, seq, seen_at)"
                " VALUES (?, ?, 'after', ?, ?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at",
                (name, each.file, each.mark.collection, each.mark.event_type, seq, now),
            )
            if name not in self.taken:
                self.taken[name] = self.kept[name] = seq
                self.open[name] = set()
        for path in broken:
            tx.execute("UPDATE _functions SET seen_at = ? WHERE file = ?", (now, path))
        tx.execute("DELETE FROM _functions WHERE kind = 'after' AND seen_at < ?", (oldest,))
        self._note_slowest(tx)

    def drop(self, names: Iterable[str]) -> None:
        """Let go of functions that are gone; their places stay where they are written down."""
        for name in names:
            del self.taken[name], self.kept[name], self.open[name]

    def behind(self, snapshot: Snapshot, most: int) -> list[str]:
        """Return the functions that keep more events from being trimmed than so many."""
        end = self._events.end(snapshot)
        rows = snapshot.all(
            "SELECT name FROM _functions WHERE kind = 'after' AND seq < ? ORDER BY seq",
            (end - most,),
        )
        return [row["name"] for row in rows]

    def place(self, name: str, parked: Parked = ()) -> int:
        """Return up to where a function is done, once what is to be parked has been."""
        still = self.open[name] - {seq for each, seq in parked if each == name}
        return min(still) - 1 if still else self.taken[name]

    def moved(self, parked: Parked) -> dict[str, int]:
        """Return the places that are not written down yet."""
        places = {name: self.place(name, parked) for name in self.taken}
        return {name: seq for name, seq in places.items() if seq != self.kept[name]}

    def write(self, tx: Transaction, moved: Mapping[str, int]) -> None:
        """Write places down."""
        for name, seq in moved.items():
            tx.execute("UPDATE _functions SET seq = ? WHERE name = ?", (seq, name))
        if moved:
            self._note_slowest(tx)

    def written(self, moved: Mapping[str, int], parked: Parked) -> None:
        """Note that places and parked events were committed."""
        self.kept.update(moved)
        for name, seq in parked:
            self.open[name].discard(seq)

    def _note_slowest(self, tx: Transaction) -> None:
        slowest = tx.value("SELECT min(seq) FROM _functions WHERE kind = 'after'")
        if slowest is None:
            self._events.forget(tx, READER)
        else:
            self._events.pass_over(tx, READER, slowest)
