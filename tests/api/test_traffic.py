"""Requests of the last hour, counted."""

from __future__ import annotations

import threading

import pytest

from bakend.api.traffic import BOUNDS_MS, MINUTES, Traffic
from bakend.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def traffic(clock: FakeClock) -> Traffic:
    return Traffic(clock)


def test_nothing_is_told_of_nothing(traffic: Traffic) -> None:
    """A server that has just begun has one empty minute."""
    told = traffic.as_json()

    assert (told["total"], told["p50Ms"], told["p95Ms"]) == (0, None, None)
    assert [minute["count"] for minute in told["minutes"]] == [0]


def test_requests_are_counted_by_minute_and_end(clock: FakeClock, traffic: Traffic) -> None:
    """A refusal is no error of the server; a quiet minute is told as well."""
    for status in (200, 201, 404, 500):
        traffic.count("/api/posts", status, 4.0)
    clock.advance(120)
    traffic.count("/api/posts", 200, 4.0)

    told = traffic.as_json()

    assert (told["total"], told["refused"], told["errors"]) == (5, 1, 1)
    assert [minute["count"] for minute in told["minutes"]] == [4, 0, 1]


@pytest.mark.parametrize("path", ["/health", "/_/", "/_/a.js", "/api/admin/stats", "/api/admin"])
def test_what_no_application_asks_is_not_counted(traffic: Traffic, path: str) -> None:
    """A dashboard that is left open would be most of the traffic."""
    traffic.count(path, 200, 1.0)

    assert traffic.as_json()["total"] == 0


def test_an_hour_is_kept(clock: FakeClock, traffic: Traffic) -> None:
    """Older minutes make way, also when hours pass without a request."""
    for _minute in range(200):
        traffic.count("/api/posts", 200, 1.0)
        clock.advance(60)
    assert traffic.as_json()["total"] == MINUTES - 1
    assert len(traffic.as_json()["minutes"]) == MINUTES

    clock.advance(7 * 3600)
    assert traffic.as_json()["total"] == 0


def test_percentiles_are_bounds_that_were_not_exceeded(traffic: Traffic) -> None:
    """Ten slow ones of a hundred are above the median and in the last part."""
    for number in range(100):
        traffic.count("/api/posts", 200, 40.0 if number < 10 else 1.5)
    assert (traffic.as_json()["p50Ms"], traffic.as_json()["p95Ms"]) == (2, 50)

    for _number in range(1_000):
        traffic.count("/api/posts", 200, 90_000)
    assert traffic.as_json()["p95Ms"] == BOUNDS_MS[-1]


def test_no_request_is_lost_to_another_thread(traffic: Traffic) -> None:
    """Several threads answer at once."""

    def ask() -> None:
        for _number in range(2_000):
            traffic.count("/api/posts", 200, 1.0)

    threads = [threading.Thread(target=ask) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert traffic.as_json()["total"] == 8_000
