"""What is counted, in the text format of Prometheus."""

from __future__ import annotations

import re
import threading

from bakend.metrics import BOUNDS_S, Metrics, Sample

LINE = re.compile(
    r'[a-z_]+(\{[a-z_]+="(?:[^"\\\n]|\\[\\"n])*"(,[a-z_]+="(?:[^"\\\n]|\\[\\"n])*")*\})? [-+.e0-9]+'
)


def lines(metrics: Metrics, *samples: Sample) -> list[str]:
    return metrics.text(samples).splitlines()


def test_every_line_is_in_the_format() -> None:
    """Names, labels, numbers; each name has its help and type, once, in front."""
    metrics = Metrics()
    metrics.answered("/api/<collection>", "GET", 200, 0.0123)
    metrics.refused(413)
    metrics.ran("function", "failed")
    sample = Sample("bakend_x", "gauge", "An x.", 1.5, {"of": 'a"b\\c\nd'})

    text = metrics.text([sample, Sample("bakend_x", "gauge", "An x.", 2)])

    assert text.endswith("\n")
    seen: list[str] = []
    for line in text.splitlines():
        if line.startswith("# HELP "):
            seen.append(line.split()[2])
        elif line.startswith("# TYPE "):
            assert line.split()[2] == seen[-1]
        else:
            assert LINE.fullmatch(line), line
            assert line.startswith(seen[-1])
    assert len(seen) == len(set(seen))
    assert 'bakend_x{of="a\\"b\\\\c\\nd"} 1.5' in text


def test_durations_fall_into_their_buckets() -> None:
    """Each bucket counts all that were at most so long; the last one counts all."""
    metrics = Metrics()
    for seconds in (0.001, 0.005, 0.0051, 9.0, 99.0):
        metrics.answered("/x", "GET", 200, seconds)

    text = lines(metrics)

    name = "bakend_http_request_duration_seconds"
    assert f'{name}_bucket{{route="/x",le="0.005"}} 2' in text
    assert f'{name}_bucket{{route="/x",le="0.01"}} 3' in text
    assert f'{name}_bucket{{route="/x",le="10"}} 4' in text
    assert f'{name}_bucket{{route="/x",le="+Inf"}} 5' in text
    assert f'{name}_count{{route="/x"}} 5' in text
    assert len([line for line in text if "_bucket" in line]) == len(BOUNDS_S) + 1


def test_no_client_makes_a_label() -> None:
    """A method of its own is `other`."""
    metrics = Metrics()
    metrics.answered("none", "BREW", 405, 0.1)
    assert 'bakend_http_requests_total{route="none",method="other",status="405"} 1' in lines(
        metrics
    )


def test_nothing_is_lost_between_threads() -> None:
    """Counts from many at once add up."""
    metrics = Metrics()

    def count() -> None:
        for _ in range(2_000):
            metrics.begun()
            metrics.answered("/x", "GET", 200, 0.1)
            metrics.ended()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    text = lines(metrics)
    assert 'bakend_http_requests_total{route="/x",method="GET",status="200"} 8000' in text
    assert "bakend_http_requests_in_flight 0" in text
