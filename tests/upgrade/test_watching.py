"""When a restart has gone well, and when it has not: what systemd says, second by second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from bakend.testing import FakeClock
from bakend.upgrade.service import Sight
from bakend.upgrade.watching import wait_for_answer, wait_for_service


class Moving(FakeClock):
    """A clock that a pause moves."""

    def pause(self, seconds: float) -> None:
        """Go on at once."""
        self.advance(seconds)


OLD = Sight("active", "running", "old", 10, "Serving on port 8080", 0, True)
ENDING = OLD.replaced(state="deactivating", sub="stop-sigterm", status="Stopping")
STARTS = Sight("activating", "start", "new", 20, "", 0, True)
SERVES = STARTS.replaced(state="active", sub="running", status="Serving on port 8080")
WELL: Any = ({"version": "2.0.0"}, None)
SILENT: Any = ({}, "no answer")


def watch(
    sights: Sequence[tuple[float, Sight]], answer: Any = WELL, patience_s: float | None = None
) -> tuple[str | None, float]:
    """Wait, with each sight from a second on; return what came of it, and when."""
    clock = Moving()

    def look() -> Sight:
        return [sight for at, sight in sights if clock.monotonic() >= at][-1]

    def ask() -> tuple[Mapping[str, str], str | None]:
        found: tuple[Mapping[str, str], str | None] = answer
        return found

    problem = wait_for_service(
        look, ask, version="2.0.0", before="old", clock=clock, patience_s=patience_s
    )
    return problem, clock.monotonic()


def test_it_serves() -> None:
    """The new process says that it is ready, and answers as the new version."""
    assert watch([(0, OLD), (1, ENDING), (2, STARTS), (3, SERVES)])[0] is None


def test_the_old_one_may_take_its_time() -> None:
    """It answers what is in flight, for longer than the patience with the new one."""
    problem, at = watch([(0, OLD), (1, ENDING), (30, STARTS), (31, SERVES)])

    assert problem is None
    assert at == pytest.approx(31.1, abs=0.2)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(STARTS.replaced(sub="auto-restart", pid=0, code=1), id="tried again"),
        pytest.param(
            STARTS.replaced(state="failed", sub="failed", pid=0, code=1), id="not tried again"
        ),
        pytest.param(STARTS.replaced(invocation="next", pid=21, code=1), id="missed in between"),
    ],
)
def test_it_exits(after: Sight) -> None:
    """That is known at once, however systemd goes on."""
    problem, at = watch([(0, OLD), (1, STARTS), (2, after)])

    assert problem == "it ended with exit code 1"
    assert at < 3


def test_it_hangs() -> None:
    """Ten seconds after its last sign of life it is given up."""
    problem, at = watch(
        [(0, OLD), (1, STARTS), (3, STARTS.replaced(status="Opening the database"))]
    )

    assert problem == "it gave no sign of life for 10 s, at 'Opening the database'"
    assert at == pytest.approx(13, abs=0.5)


def test_nothing_starts_at_all() -> None:
    """A restart that systemd never does is given up as well."""
    stopped = Sight("inactive", "dead", "old", 0, "", 0, True)

    assert watch([(0, stopped)])[0] == "it gave no sign of life for 10 s"


def test_a_migration_is_waited_for() -> None:
    """It says every five seconds for how long it has run, and so may run for ten minutes and longer."""
    says = [
        (5.0 * n, STARTS.replaced(status=f"Database: migrating ({5 * n} s)")) for n in range(1, 120)
    ]
    assert watch([(0, STARTS), *says, (600, SERVES)])[0] is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [(SILENT, "no answer"), (({"version": "1.0.0"}, None), "it answers as version 1.0.0")],
)
def test_ready_is_not_enough(answer: Any, said: str) -> None:
    """It has to answer, as the version that was put there."""
    assert watch([(0, STARTS), (1, SERVES)], answer)[0] == said


def test_who_cannot_tell_gets_more_time() -> None:
    """A unit without Type=notify shows no signs, so that it may be migrating."""
    silent = SERVES.replaced(tells=False, status="")

    assert watch([(0, silent)], SILENT)[1] == pytest.approx(60, abs=1)
    assert watch([(0, silent)], SILENT, patience_s=5)[1] == pytest.approx(5, abs=1)


def test_an_answer_alone() -> None:
    """Where only the address is known, the old version may answer for a while."""
    clock = Moving()

    def ask() -> tuple[Mapping[str, str], str | None]:
        return {"version": "2.0.0" if clock.monotonic() > 5 else "1.0.0"}, None

    assert wait_for_answer(ask, version="2.0.0", clock=clock, patience_s=None) is None
    assert wait_for_answer(ask, version="3.0.0", clock=clock, patience_s=3) == (
        "not within 3 s: version 2.0.0 still answers"
    )
