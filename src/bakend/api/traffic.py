"""How many requests there were in the last hour, how they ended, and how long they took: in memory.

`bakend.metrics` counts from the start on and by route, for a monitor that asks again and again; this
is for somebody who looks once.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from datetime import timedelta
from typing import Any, Final

from bakend.clock import Clock, to_text

MINUTES: Final = 60
BOUNDS_MS: Final = (
    1,
    2,
    3,
    5,
    7,
    10,
    15,
    20,
    30,
    50,
    75,
    100,
    150,
    200,
    300,
    500,
    1000,
    2000,
    5000,
)
"""Latencies are counted by the first of these that they do not exceed."""

_APPLICATIONS: Final = "/api/"
_ADMINISTRATION: Final = "/api/admin"


class _Minute:
    __slots__ = ("at", "count", "errors", "latencies", "refused")

    def __init__(self, at: int) -> None:
        self.at = at
        """Minutes since the start."""
        self.count = 0
        self.refused = 0
        self.errors = 0
        self.latencies = [0] * (len(BOUNDS_MS) + 1)


class Traffic:
    """Counts what applications ask for: what is below `/api`, but not what administrators look at.

    Thread: any. Holds an hour, whatever comes.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin to count."""
        self._clock = clock
        self._begun = clock.monotonic()
        self.started_at = clock.now()
        self._ring: list[_Minute | None] = [None] * MINUTES
        self._lock = threading.Lock()

    def uptime_s(self) -> float:
        """Return for how long it has been counting."""
        return self._clock.monotonic() - self._begun

    def count(self, path: str, status: int, ms: float) -> None:
        """Take note of a request."""
        if not path.startswith(_APPLICATIONS) or path.startswith(_ADMINISTRATION):
            return
        at = int(self.uptime_s() // 60)
        with self._lock:
            minute = self._ring[at % MINUTES]
            if minute is None or minute.at != at:
                minute = self._ring[at % MINUTES] = _Minute(at)
            minute.count += 1
            minute.refused += 400 <= status < 500
            minute.errors += status >= 500
            minute.latencies[bisect_left(BOUNDS_MS, ms)] += 1

    def as_json(self) -> dict[str, Any]:
        """Return the last hour, or what there has been of it, the oldest minute first."""
        last = int(self.uptime_s() // 60)
        with self._lock:
            kept = {each.at: each for each in self._ring if each is not None}
        minutes = [
            kept.get(at) or _Minute(at) for at in range(max(0, last - MINUTES + 1), last + 1)
        ]
        latencies = [sum(each) for each in zip(*(m.latencies for m in minutes), strict=True)]
        return {
            "total": sum(minute.count for minute in minutes),
            "refused": sum(minute.refused for minute in minutes),
            "errors": sum(minute.errors for minute in minutes),
            "p50Ms": _percentile(latencies, 0.5),
            "p95Ms": _percentile(latencies, 0.95),
            "minutes": [
                {
                    "at": to_text(self.started_at + timedelta(minutes=minute.at)),
                    "count": minute.count,
                    "refused": minute.refused,
                    "errors": minute.errors,
                }
                for minute in minutes
            ],
        }


def _percentile(latencies: list[int], part: float) -> int | None:
    """Return the bound that this part of the requests did not exceed; None where there were none."""
    total = sum(latencies)
    seen = 0
    for bound, count in zip((*BOUNDS_MS, BOUNDS_MS[-1]), latencies, strict=True):
        seen += count
        if total and seen >= total * part:
            return bound
    return None
