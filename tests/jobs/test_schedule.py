"""Cron expressions: what they mean, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bakend.jobs.schedule import Schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "after", "due"),
    [
        ("*/5 * * * *", "2026-01-01T00:00", "2026-01-01T00:05"),
        ("0 3 * * *", "2026-01-01T03:00", "2026-01-02T03:00"),
        ("0 0 * * 7", "2026-01-01T00:00", "2026-01-04T00:00"),
        ("0 0 * * MON", "2026-01-01T00:00", "2026-01-05T00:00"),
        ("0 0 13 * 5", "2026-01-01T00:00", "2026-01-02T00:00"),
        ("0 0 29 2 *", "2026-03-01T00:00", "2028-02-29T00:00"),
        (" @daily ", "2026-01-01T00:00", "2026-01-02T00:00"),
        ("@hourly", "2026-01-01T00:59", "2026-01-01T01:00"),
        ("@weekly", "2026-01-01T00:00", "2026-01-04T00:00"),
        ("@monthly", "2026-01-01T00:00", "2026-02-01T00:00"),
        ("@yearly", "2026-01-01T00:00", "2027-01-01T00:00"),
    ],
)
def test_a_schedule_has_its_next_time(text: str, after: str, due: str) -> None:
    """Day and weekday as cron has them: either is enough."""
    assert Schedule(text, "UTC").after(at(after)) == at(due)


@pytest.mark.parametrize(
    ("zone", "after", "due"),
    [
        ("Europe/Berlin", "2026-01-01T00:00", "2026-01-01T01:30"),
        ("Europe/Berlin", "2026-07-01T00:00", "2026-07-01T00:30"),
        ("Asia/Kolkata", "2026-01-01T00:00", "2026-01-01T21:00"),
        # Clocks go from 2 to 3 on March 29, and from 3 to 2 on October 25.
        ("Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("Europe/Berlin", "2026-10-24T22:30", "2026-10-25T00:30"),
        ("Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),
    ],
)
def test_a_schedule_is_one_of_its_timezone(zone: str, after: str, due: str) -> None:
    """Half past two in the night, summer and winter."""
    assert Schedule("30 2 * * *", zone).after(at(after)) == at(due)


def test_without_a_timezone_it_is_that_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever that is; a time in the past is never returned."""
    assert Schedule("0 0 * * *").after(at("2026-01-01T12:00")) > at("2026-01-01T12:00")


@pytest.mark.parametrize(
    ("text", "zone", "message"),
    [
        ("* * * * * *", None, "a schedule has 5 fields"),
        ("* * * *", None, "a schedule has 5 fields"),
        ("@reboot", None, "is not one of @hourly"),
        ("61 * * * *", None, "the schedule"),
        ("0x5 * * * *", None, "the schedule"),
        ("0 0 30 2 *", None, "the schedule"),
        ("@daily", "Mars/Olympus", 'there is no timezone "Mars/Olympus"'),
        ("@daily", "../etc/passwd", "there is no timezone"),
    ],
)
def test_what_makes_no_sense_is_refused(text: str, zone: str | None, message: str) -> None:
    """When the file is loaded."""
    with pytest.raises(ValueError, match=message):
        Schedule(text, zone)
