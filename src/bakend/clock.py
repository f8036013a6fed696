"""The door to time: nothing else in the package asks what time it is, or waits.

Whoever needs time is given a `Clock`; tests give a fake one that moves when it is told to.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the rest of Bakend knows about time."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that only moves forward; its zero means nothing."""
        ...

    def wait(self, condition: threading.Event | threading.Condition, timeout_s: float) -> bool:
        """Wait until an event is set or a held condition is notified; False when the time ran out."""
        ...

    def pause(self, seconds: float) -> None:
        """Let some time pass, for retries that nothing can wake."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    def wait(self, condition: threading.Event | threading.Condition, timeout_s: float) -> bool:
        """Wait for an event or a held condition; False when the time ran out."""
        return condition.wait(timeout_s)

    def pause(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


def to_text(moment: datetime) -> str:
    """Write an aware moment as the wire and the database have it: `2026-11-23T16:05:48.347Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
