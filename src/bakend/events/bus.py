"""Wakes the readers of the event log; each has its own position and goes at its own pace.

After a commit the writer only says that there is more: no event passes through here. A reader
fetches from the log what came after its position, so a restart, a slow reader and a commit by
another process are all the same case. Other processes can't wake us; a waiting reader looks
by itself once a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from bakend.clock import Clock
from bakend.database.connection import Database
from bakend.events.event import Event
from bakend.events.log import EventLog

LOOK_EVERY_S: Final = 1.0
"""How long a commit of another process may go unseen."""


class Bus:
    """Wakes readers. Thread: any."""

    def __init__(self, database: Database, log: EventLog, clock: Clock) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._condition = threading.Condition()
        self._wakes = 0
        """How often there was more; a reader that has seen this many need not look."""
        self._listeners: tuple[Callable[[], None], ...] = ()

    def wake(self) -> None:
        """Say that there is more in the log."""
        with self._condition:
            self._wakes += 1
            self._condition.notify_all()
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call a function at each wake, for a reader that does not wait here; return what ends that.

        It is called by whoever has committed, and has to return at once.
        """
        with self._condition:
            self._listeners = (*self._listeners, listener)
        return lambda: self._forget(listener)

    def _forget(self, listener: Callable[[], None]) -> None:
        with self._condition:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

    def reader(self, *, after: int | None = None) -> Reader:
        """Return a reader that starts behind an event, or at the end of the log."""
        if after is None:
            with self._database.read() as snapshot:
                after = self._log.end(snapshot)
        return Reader(self, after)

    def _fetch(self, after: int, *, limit: int, timeout_s: float) -> list[Event]:
        deadline = self._clock.monotonic() + timeout_s
        while True:
            with self._condition:
                seen = self._wakes
            with self._database.read() as snapshot:
                events = self._log.since(snapshot, after, limit=limit)
            left_s = deadline - self._clock.monotonic()
            if events or left_s <= 0:
                return events
            with self._condition:
                if self._wakes == seen:
                    self._clock.wait(self._condition, min(left_s, LOOK_EVERY_S))


class Reader:
    """One consumer's place in the log. Thread: its consumer's."""

    def __init__(self, bus: Bus, position: int) -> None:
        self._bus = bus
        self.position = position
        """Number of the last event that the consumer is done with."""

    def next(self, *, timeout_s: float, limit: int = 500) -> list[Event]:
        """Return what came after the position, or an empty list when the time ran out."""
        return self._bus._fetch(self.position, limit=limit, timeout_s=timeout_s)

    def pass_over(self, event: Event) -> None:
        """Move on: this event is done with."""
        self.position = event.seq
