"""The last lines of the log for administrators."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bakend import logs
from bakend.testing import FakeClock, TestProject, temporary_project

PATH = "/api/admin/logs"
LOG = logging.getLogger("bakend.test")


@pytest.fixture
def project() -> Iterator[TestProject]:
    """A project with a log in which there are already some lines."""
    log = logs.configure(level="INFO", clock=FakeClock(), stream=io.StringIO())
    try:
        LOG.info("Apples are here")
        LOG.warning("Bananas are late")
        LOG.error("Cherries are gone")
        with temporary_project(recent_lines=log.recent) as opened:
            yield opened
    finally:
        log.close()


def messages(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [item["message"].split()[0] for item in answer.get_json()["items"]]


def test_a_line_has_its_number_time_level_and_message(ask: Any) -> None:
    """The original's keys, and the number to go on from."""
    answer = ask("GET", f"{PATH}?search=apples").get_json()

    (item,) = answer["items"]
    assert item == {
        "seq": answer["next"],
        "timestamp": "2026-01-01T00:00:00.000Z",
        "level": "INFO",
        "message": "Apples are here",
    }


def test_a_level_is_the_lowest_that_is_wanted(ask: Any) -> None:
    """Severer lines come with it."""
    assert messages(ask("GET", f"{PATH}?level=WARN")) == ["Bananas", "Cherries"]
    assert messages(ask("GET", f"{PATH}?level=ERROR")) == ["Cherries"]
    assert messages(ask("GET", f"{PATH}?level=DEBUG"))[:3] == ["Apples", "Bananas", "Cherries"]


def test_who_follows_the_log_does_not_fill_it(ask: Any) -> None:
    """Asking leaves no line at the level of other requests; what is refused does."""
    ask("GET", "/api/admin/events")
    for _ in range(3):
        ask("GET", PATH)
    assert ask("GET", f"{PATH}?level=LOUD").status_code == 400
    lines = [
        item["message"] for item in ask("GET", f"{PATH}?search=/api/admin").get_json()["items"]
    ]
    assert [line.split()[1:3] for line in lines] == [["/api/admin/events", "200"], [PATH, "400"]]


def test_a_part_of_a_message_is_searched_for(ask: Any) -> None:
    """Whatever its case; a limit counts what was found."""
    assert messages(ask("GET", f"{PATH}?search=ARE L")) == ["Bananas"]
    assert messages(ask("GET", f"{PATH}?search= are &limit=2")) == ["Bananas", "Cherries"]
    assert ask("GET", f"{PATH}?search=nothing").get_json() == {"items": [], "next": 0}


def test_whoever_follows_the_log_misses_nothing(ask: Any) -> None:
    """Page by page from the first line on, and from the end when something comes."""
    first = ask("GET", f"{PATH}?after=0&limit=2")
    second = ask("GET", f"{PATH}?level=WARN&limit=2&after={first.get_json()['next']}")
    end = second.get_json()["next"]
    nothing = ask("GET", f"{PATH}?level=WARN&after={end}").get_json()
    LOG.warning("Dates are new")

    assert messages(first) == ["Apples", "Bananas"]
    assert messages(second) == ["Cherries"]
    assert nothing == {"items": [], "next": end}
    assert messages(ask("GET", f"{PATH}?level=WARN&after={end}")) == ["Dates"]


@pytest.mark.parametrize(
    ("limit", "found"),
    [("1", 1), ("0", 100), ("-5", 1), ("500", 500), ("501", 500), ("9" * 5_000, 500), ("007", 7)],
)
def test_a_limit_is_brought_into_its_bounds(ask: Any, limit: str, found: int) -> None:
    """1 to 500; 0 means the default of 100."""
    for number in range(logs.RECENT_LINES):
        LOG.info("%d", number)

    assert len(ask("GET", f"{PATH}?limit={limit}").get_json()["items"]) == found
    assert len(ask("GET", PATH).get_json()["items"]) == 100


@pytest.mark.parametrize("level", ["", "warn", "WARNING", "TRACE", "DEBUG "])
def test_a_level_is_one_of_four_words(ask: Any, level: str) -> None:
    """Written as they are."""
    answer = ask("GET", PATH, query_string={"level": level})

    assert (answer.status_code, answer.get_json()["error"]) == (
        400,
        {"code": "bad_request", "message": "level must be one of: DEBUG, INFO, WARN, ERROR"},
    )


@pytest.mark.parametrize(
    "query", ["limit=", "limit=x", "limit=1.5", "limit=--1", "limit=٣", "after=", "after=-1"]
)
def test_what_is_no_number_is_refused(ask: Any, query: str) -> None:
    """And named."""
    answer = ask("GET", f"{PATH}?{query}")

    assert answer.status_code == 400
    assert answer.get_json()["error"]["message"].startswith(query.partition("=")[0])


def test_where_no_log_is_kept_there_are_no_lines() -> None:
    """As in a short command."""
    assert list(logs.none_kept(100, "DEBUG", search="", after=None)) == []
