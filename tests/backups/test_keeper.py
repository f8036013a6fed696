"""Backups that the server makes by itself."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bakend.backups.keeper import RETRY_S, BackupKeeper
from bakend.errors import ConflictError, SettingsError
from bakend.events.event import OPERATOR
from bakend.testing import FakeClock, TestProject, temporary_project

from processes import wait_until


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 25, 12, 30, tzinfo=UTC))


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project(clock=clock) as opened:
        yield opened


def hourly(moment: datetime) -> datetime:
    """Return the next full hour."""
    return moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def keeper_of(project: TestProject, clock: FakeClock, *, keep: int = 3) -> BackupKeeper:
    app = project.app
    return BackupKeeper(
        app.upkeep.backups(), app.database, clock=clock, keep=keep, next_after=hourly
    )


def times(keeper: BackupKeeper) -> list[str]:
    return [each.created_at[11:16] for each in keeper.entries() if each.is_scheduled]


def test_one_is_made_when_it_is_due(project: TestProject, clock: FakeClock) -> None:
    """Not at the start, then at each time of the schedule, once."""
    keeper = keeper_of(project, clock)
    keeper.look()
    assert times(keeper) == []
    clock.advance(30 * 60)
    keeper.look()
    keeper.look()
    assert times(keeper) == ["13:00"]
    clock.advance(59 * 60)
    keeper.look()
    assert times(keeper) == ["13:00"]


def test_a_missed_one_is_made_after_the_next_start(project: TestProject, clock: FakeClock) -> None:
    """Once, however many were missed."""
    keeper = keeper_of(project, clock)
    clock.advance(30 * 60)
    keeper.look()
    clock.advance(5 * 3_600 + 60)

    later = keeper_of(project, clock)
    later.look()
    later.look()

    assert times(later) == ["18:01", "13:00"]


def test_old_ones_go(project: TestProject, clock: FakeClock) -> None:
    """As many stay as the setting says; one made by hand stays, too."""
    by_hand = project.app.upkeep.backups().create().path.name
    keeper = keeper_of(project, clock, keep=2)
    for _ in range(4):
        clock.advance(3_600)
        keeper.look()

    assert times(keeper) == ["16:30", "15:30"]
    assert by_hand in {each.name for each in keeper.entries()}


def test_of_two_processes_one_makes_it(project: TestProject, clock: FakeClock) -> None:
    """While the other has the lock nothing is made; after it, nothing is due."""
    one, other = keeper_of(project, clock), keeper_of(project, clock)
    clock.advance(3_600)
    folder = project.folder / "backups"
    folder.mkdir()
    descriptor = os.open(folder / ".schedule.lock", os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    one.look()
    assert times(one) == []
    os.close(descriptor)

    one.look()
    other.look()

    assert len(times(one)) == 1


def test_one_that_fails_is_tried_again_later(
    project: TestProject,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged and shown, not tried all the time, and forgotten when one is made."""
    keeper = keeper_of(project, clock)
    clock.advance(3_600)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Full)
    with caplog.at_level(logging.ERROR, "bakend"):
        keeper.look()
        keeper.look()
    assert len(caplog.records) == 1
    assert keeper.failed is not None
    assert "may need" in keeper.failed.message
    monkeypatch.undo()
    keeper.look()
    assert times(keeper) == []

    clock.advance(RETRY_S)
    keeper.look()

    assert len(times(keeper)) == 1
    assert keeper.failed is None


class _Full:
    free = 0


def test_only_one_is_made_at_a_time(project: TestProject, clock: FakeClock) -> None:
    """Who asks meanwhile is told so; afterwards it is there, with its event."""
    keeper = keeper_of(project, clock)
    name = keeper.request(OPERATOR)
    with pytest.raises(ConflictError, match=name):
        keeper.request(OPERATOR)
    wait_until(lambda: keeper.running is None, 30, what="it is made")
    wait_until(lambda: project.events()[-1:], 30, what="the event is there")
    keeper.stop()

    assert [each.name for each in keeper.entries()] == [name]
    (event,) = project.events()
    assert (event.type, event.subject) == ("system.backup.created", name)


def test_a_stop_gives_up_what_is_being_made(
    project: TestProject, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it stays, and nobody waits for its end."""
    keeper = keeper_of(project, clock)
    copy = project.app.database.copy_to

    def stop_then_copy(*args: Any) -> None:
        keeper._stopped.set()
        copy(*args)

    monkeypatch.setattr(project.app.database, "copy_to", stop_then_copy)
    keeper.request(OPERATOR)
    keeper.stop()

    assert list((project.folder / "backups").iterdir()) == []


def test_a_schedule_that_makes_no_sense_is_told() -> None:
    """As a fault of the settings."""
    with (
        temporary_project(settings={"backup_schedule": "61 * * * *"}) as project,
        pytest.raises(SettingsError, match=r"backup\.schedule"),
    ):
        project.app.upkeep.keeper()


def test_another_schedule_is_followed_from_now_on(project: TestProject, clock: FakeClock) -> None:
    """What it would have made before is not missed, and fewer stay if it says so."""
    keeper = keeper_of(project, clock)
    for _ in range(3):
        clock.advance(3600)
        keeper.look()
    assert times(keeper) == ["15:30", "14:30", "13:30"]

    keeper.follow(None, keep=3)
    assert keeper.next_at() is None
    clock.advance(24 * 3600)
    keeper.look()
    keeper.follow(hourly, keep=1)
    try:
        at = keeper.next_at()
        keeper.look()
        assert times(keeper) == ["15:30", "14:30", "13:30"]
        assert at == datetime(2026, 11, 26, 16, 0, tzinfo=UTC)
        clock.advance(1800)
        wait_until(lambda: times(keeper) == ["16:00"], 30, what="its own thread makes it")
    finally:
        keeper.stop()
