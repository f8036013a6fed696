"""The figures of the dashboard as tables for a person, and as JSON for a program."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.screens import EMPTY, Frames, Seen, Updates


@dataclass(frozen=True, slots=True)
class ScreenReport:
    """One run."""

    machine: dict[str, Any]
    seen: Seen

    def text(self) -> str:
        """Return the tables."""
        machine = "  ".join(f"{key}={value}" for key, value in self.machine.items())
        return "\n".join([machine, *self._times(), *self._frames(), *self._updates()])

    def json(self) -> dict[str, Any]:
        """Return every figure, each round's and each frame's too."""
        return {"machine": self.machine, **asdict(self.seen)}

    def _times(self) -> list[str]:
        seen = self.seen
        rows = [
            ("list, its request", seen.request),
            ("list, from its address until drawn", seen.opened),
            ("list, from a link until drawn", seen.followed),
            ("a far row, from a jump until drawn", seen.jumped),
        ]
        head = f"{'100,000 records':<38} median ms   (from-to)"
        return ["", head, *(_line(name, times) for name, times in rows)]

    def _frames(self) -> list[str]:
        head = (
            f"{'Between frames, ms':<26} frames    p50    p95    p99  >33  >50"
            "  x empty p95   p99  cpu ms"
        )
        lines = ["", head]
        empty = self.seen.frames[0]
        for each in self.seen.frames:
            if each.name == EMPTY:
                empty = each
            lines.append(_frames(each, empty))
        return lines

    def _updates(self) -> list[str]:
        updates = self.seen.updates
        return ["", *_updates(updates)]


def _line(name: str, times: Sequence[float]) -> str:
    spread = f"({min(times):.0f}-{max(times):.0f})"
    return f"  {name:<36} {statistics.median(times):>9.0f}   {spread}"


def _frames(each: Frames, empty: Frames) -> str:
    p50, p95, p99 = (each.at(part) for part in (0.5, 0.95, 0.99))
    return (
        f"  {each.name:<24} {len(each.gaps):>6} {p50:>6.1f} {p95:>6.1f} {p99:>6.1f}"
        f" {each.over(33.4):>4} {each.over(50):>4}"
        f" {p95 / empty.at(0.95):>12.2f} {p99 / empty.at(0.99):>5.2f} {each.cpu_ms:>7.1f}"
    )


def _updates(updates: Updates) -> list[str]:
    before, after = updates.before, updates.after
    tasks = updates.long_tasks_ms
    return [
        f"{updates.count:,} live updates in {updates.seconds:.0f} s",
        _line("a click, until its effect is drawn", updates.clicks_ms),
        f"  tasks over 50 ms: {len(tasks)}, the longest {max(tasks, default=0):.0f} ms;"
        f" cpu {updates.cpu_ms:.1f} ms an update",
        f"  heap {before.heap_mib:.1f} -> {after.heap_mib:.1f} MiB,"
        f" nodes {before.nodes:,} -> {after.nodes:,}, rows {before.rows} -> {after.rows}",
    ]
