"""Chores: done when they are due, and none keeps another from its turn."""

from __future__ import annotations

import threading

import pytest

from bakend.errors import DatabaseBusyError
from bakend.housekeeping import Chore, Housekeeper
from bakend.testing import FakeClock


class Done:
    """Counts how often a chore was done, and lets a test wait for it."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.count = 0
        self.failure = failure
        self._changed = threading.Condition()

    def __call__(self) -> None:
        with self._changed:
            self.count += 1
            self._changed.notify_all()
        if self.failure is not None:
            raise self.failure

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= count, timeout=10)


def test_a_chore_is_done_each_time_it_is_due() -> None:
    """Not at the start, then once in each of its times."""
    clock, often, seldom = FakeClock(), Done(), Done()
    keeper = Housekeeper(
        (Chore(name="often", every_s=5, run=often), Chore(name="seldom", every_s=12, run=seldom)),
        clock=clock,
    )
    keeper.start()
    try:
        assert (often.count, seldom.count) == (0, 0)
        for times in range(1, 4):
            clock.advance(5)
            often.wait_for(times)
        seldom.wait_for(1)
        assert (often.count, seldom.count) == (3, 1)
    finally:
        keeper.stop()


@pytest.mark.parametrize("failure", [DatabaseBusyError("busy"), ValueError("a fault of ours")])
def test_one_that_fails_is_tried_again_and_stops_no_other(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk may have room later."""
    clock, failing, other = FakeClock(), Done(failure), Done()
    keeper = Housekeeper(
        (Chore(name="failing", every_s=5, run=failing), Chore(name="other", every_s=5, run=other)),
        clock=clock,
    )
    keeper.start()
    try:
        for times in (1, 2):
            clock.advance(5)
            failing.wait_for(times)
            other.wait_for(times)
    finally:
        keeper.stop()

    assert "failing failed and is tried again later" in caplog.text


def test_it_ends_at_once_also_before_it_began() -> None:
    """A stop waits for no due time."""
    keeper = Housekeeper((Chore(name="never", every_s=1e6, run=Done()),), clock=FakeClock())
    keeper.stop()

    keeper = Housekeeper((Chore(name="never", every_s=1e6, run=Done()),), clock=FakeClock())
    keeper.start()
    keeper.stop()
    assert not any(each.name == "bakend-housekeeper" for each in threading.enumerate())
