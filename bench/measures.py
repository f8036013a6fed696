"""What is measured, and in which order: ours and the baseline in turns, so that drift cancels out."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench import load
from bench.load import Request, Result
from bench.servers import Command, Memory, Server, idle_connections

IDLE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Start:
    """How long processes of one kind took from their start to the first good answer."""

    name: str
    seconds: list[float]

    @property
    def median_ms(self) -> float:
        """The middle one."""
        return 1_000 * statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the load table."""

    name: str
    server: Server
    request: Request
    idle: int = 0
    """Connections that are open beside, and send nothing; for the baseline too."""


@dataclass(slots=True)
class Row:
    """What one case gave: a result per round, and the baseline's just before and just after."""

    case: Case
    results: list[Result]
    baselines: list[tuple[Result, Result]]

    def ratios(self, figure: str) -> list[float]:
        """Return the result as a multiple of the baseline, round by round; 0 where it is unknown."""
        found = []
        for result, (before, after) in zip(self.results, self.baselines, strict=True):
            bare = (getattr(before, figure) + getattr(after, figure)) / 2
            found.append(getattr(result, figure) / bare if bare else 0.0)
        return found


@dataclass(frozen=True, slots=True)
class Sizes:
    """The memory of one process."""

    name: str
    after_start: Memory | None
    after_load: Memory | None


def starts(commands: Sequence[Command], *, rounds: int) -> list[Start]:
    """Start each several times, in turns, and the bare interpreter beside them."""
    found = [Start("python -c pass", []), *(Start(each.name, []) for each in commands)]
    for number in range(rounds + 1):
        times = [_bare_interpreter()]
        for command in commands:
            server = command.start()
            try:
                times.append(server.wait_healthy())
            finally:
                server.stop()
        if number:  # the first round fills caches: of the disk, and of compiled modules
            for each, seconds in zip(found, times, strict=True):
                each.seconds.append(seconds)
    return found


def loads(bare: Server, cases: Sequence[Case], *, rounds: int, seconds: int) -> list[Row]:
    """Load the baseline and each case in turns: A B A C A …, and again.

    Args:
        bare: The baseline.
        cases: The others; those with the same number of idle connections stand together.
        rounds: How often each case is measured.
        seconds: How long, each time.
    """
    rows = [Row(case, [], []) for case in cases]
    hello = Request("GET", "/health")
    for _ in range(rounds):
        before: Result | None = None
        idle_before = 0
        for row in rows:
            case = row.case
            if before is None or idle_before != case.idle:
                before = _measure(bare, hello, case.idle, seconds)
            result = _measure(case.server, case.request, case.idle, seconds)
            after = _measure(bare, hello, case.idle, seconds)
            row.results.append(result)
            row.baselines.append((before, after))
            before, idle_before = after, case.idle
    return rows


def _measure(server: Server, request: Request, idle: int, seconds: int) -> Result:
    with idle_connections(server, idle):
        return load.measure(server, request, seconds=seconds)


def _bare_interpreter() -> float:
    began_at = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - began_at
