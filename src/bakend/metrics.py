"""Numbers about this process, in the text format of Prometheus.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4). A library for it
would be 30 times as long as what is needed here.

What happens often is counted as it happens, under one lock for a moment; what can be looked up is looked
up when somebody asks. Labels come from fixed sets (routes, methods, statuses), so that no client can make
new ones.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from bakend.structs import Struct

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends of the buckets of durations; one more is for all that is longer."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER: Final = "other"

Labels = Mapping[str, str]


class Sample(Struct):
    """One number that was looked up."""

    name: str
    kind: str
    """`gauge` or `counter`."""
    help: str
    value: float
    labels: Labels = MappingProxyType({})


class _Durations:
    """How long the requests of one route took."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0


class Metrics:
    """Counts what happens. Thread: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, str, int]] = Counter()
        self._durations: dict[str, _Durations] = {}
        self._refusals: Counter[int] = Counter()
        self._runs: Counter[tuple[str, str]] = Counter()
        self._in_flight = 0

    def begun(self) -> None:
        """Count a request that the application begins with."""
        with self._lock:
            self._in_flight += 1

    def ended(self) -> None:
        """Count a request that it is done with."""
        with self._lock:
            self._in_flight -= 1

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer.

        Args:
            route: As it is declared: `/api/storage/<id>`.
            method: Whatever a client has sent.
            status: The HTTP status.
            seconds: From the begin of the request to its answer, without the sending.
        """
        with self._lock:
            self._answers[(route, method if method in METHODS else OTHER, status)] += 1
            durations = self._durations.get(route)
            if durations is None:
                durations = self._durations[route] = _Durations()
            durations.buckets[bisect_left(BOUNDS_S, seconds)] += 1
            durations.sum_s += seconds

    def refused(self, status: int) -> None:
        """Count a request that did not get as far as the application."""
        with self._lock:
            self._refusals[status] += 1

    def ran(self, kind: str, result: str) -> None:
        """Count what has ended, `completed` or `failed`: an attempt of a function, a run of a job."""
        with self._lock:
            self._runs[(kind, result)] += 1

    def text(self, samples: Iterable[Sample]) -> str:
        """Return everything, with what was looked up."""
        with self._lock:
            answers, refusals, runs = dict(self._answers), dict(self._refusals), dict(self._runs)
            durations = {
                route: (list(each.buckets), each.sum_s) for route, each in self._durations.items()
            }
            in_flight = self._in_flight
        lines = _head("bakend_http_requests_total", "counter", "Answers, by route and status.")
        for (route, method, status), count in sorted(answers.items()):
            labels = {"route": route, "method": method, "status": str(status)}
            lines.append(_line("bakend_http_requests_total", labels, count))
        name = "bakend_http_request_duration_seconds"
        lines += _head(name, "histogram", "From the begin of a request to its answer.")
        for route, (buckets, sum_s) in sorted(durations.items()):
            total = 0
            for bound, count in zip((*map(_number, BOUNDS_S), "+Inf"), buckets, strict=True):
                total += count
                lines.append(_line(f"{name}_bucket", {"route": route, "le": bound}, total))
            lines.append(_line(f"{name}_sum", {"route": route}, sum_s))
            lines.append(_line(f"{name}_count", {"route": route}, total))
        name = "bakend_http_requests_in_flight"
        lines += [*_head(name, "gauge", "Requests being answered."), _line(name, {}, in_flight)]
        name = "bakend_http_refused_total"
        lines += _head(name, "counter", "Requests refused before the application: bad, too large.")
        for status, count in sorted(refusals.items()):
            lines.append(_line(name, {"status": str(status)}, count))
        name = "bakend_runs_total"
        lines += _head(name, "counter", "Attempts of functions, runs of jobs.")
        for (kind, result), count in sorted(runs.items()):
            lines.append(_line(name, {"kind": kind, "result": result}, count))
        seen = ""
        for sample in samples:
            if sample.name != seen:
                lines += _head(sample.name, sample.kind, sample.help)
                seen = sample.name
            lines.append(_line(sample.name, sample.labels, sample.value))
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {_number(value)}" if inside else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return (
        repr(float(value))
        if isinstance(value, float) and not value.is_integer()
        else str(int(value))
    )
