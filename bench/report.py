"""The figures as tables for a person, and as JSON for a program."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from bench.measures import Row, Sizes, Start
from bench.servers import Memory

FIGURES: Final = ("per_s", "p50_ms", "p99_ms", "cpu_us")


@dataclass(frozen=True, slots=True)
class Report:
    """One run."""

    machine: dict[str, Any]
    starts: Sequence[Start]
    sizes: Sequence[Sizes]
    rows: Sequence[Row]

    def text(self) -> str:
        """Return the tables."""
        machine = "  ".join(f"{key}={value}" for key, value in self.machine.items())
        return "\n".join([machine, *self._starts(), *self._sizes(), *self._loads()])

    def json(self) -> dict[str, Any]:
        """Return every figure, each round's too."""
        return {
            "machine": self.machine,
            "start": [
                {"name": each.name, "median_ms": each.median_ms, "seconds": each.seconds}
                for each in self.starts
            ],
            "memory": [asdict(each) for each in self.sizes],
            "load": [
                {
                    "name": row.case.name,
                    "idle_connections": row.case.idle,
                    "rounds": [asdict(result) for result in row.results],
                    "baselines": [
                        [asdict(before), asdict(after)] for before, after in row.baselines
                    ],
                    "ratios": {each: statistics.median(row.ratios(each)) for each in FIGURES},
                }
                for row in self.rows
            ],
        }

    def _starts(self) -> list[str]:
        bare, hello = self.starts[0].median_ms, self.starts[1].median_ms
        lines = ["", "Start to first answer, median      ms   x python   x hello-flask"]
        for each in self.starts:
            ms = each.median_ms
            lines.append(f"  {each.name:<26} {ms:>8.0f} {ms / bare:>10.1f} {ms / hello:>15.2f}")
        return lines

    def _sizes(self) -> list[str]:
        lines = ["", "Memory, MiB               RSS start    PSS start    RSS load    PSS load"]
        for each in self.sizes:
            start, load = _mib(each.after_start), _mib(each.after_load)
            lines.append(
                f"  {each.name:<22} {start[0]:>10} {start[1]:>12} {load[0]:>11} {load[1]:>11}"
            )
        return lines

    def _loads(self) -> list[str]:
        lines = [
            "",
            "Load, median             req/s  x bare   (from-to)       "
            "p50 ms x bare  p99 ms x bare  cpu us x bare",
        ]
        for row in self.rows:
            speeds = row.ratios("per_s")
            per_s, p50, p99, cpu = (_median(row, figure) for figure in FIGURES)
            x_p50, x_p99, x_cpu = (statistics.median(row.ratios(figure)) for figure in FIGURES[1:])
            lines.append(
                f"  {row.case.name:<20} {per_s:>7.0f} {statistics.median(speeds):>7.2f}"
                f"   ({min(speeds):.2f}-{max(speeds):.2f})   "
                f" {p50:>7.2f} {x_p50:>6.1f} {p99:>7.2f} {x_p99:>6.1f} {cpu:>7.0f} {x_cpu:>6.1f}"
            )
        bare = [after for row in self.rows for _, after in row.baselines if not row.case.idle]
        per_s, p50, p99, cpu = (
            statistics.median(getattr(result, figure) for result in bare) for figure in FIGURES
        )
        lines.append(
            f"  {'bare Waitress':<20} {per_s:>7.0f} {1:>7.2f}{'':<17}"
            f" {p50:>7.2f} {1:>6.1f} {p99:>7.2f} {1:>6.1f} {cpu:>7.0f} {1:>6.1f}"
        )
        return lines


def _median(row: Row, figure: str) -> float:
    values: list[float] = [getattr(result, figure) for result in row.results]
    return statistics.median(values)


def _mib(memory: Memory | None) -> tuple[str, str]:
    return ("-", "-") if memory is None else (f"{memory.rss_mib:.1f}", f"{memory.pss_mib:.1f}")
