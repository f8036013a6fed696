"""The threads of the user's code: limits, and what does not heed them."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from bakend.clock import SystemClock
from bakend.errors import UserCodeError
from bakend.usercode import workers as workers_module
from bakend.usercode.workers import Call, Outcome, Workers

CLOCK = SystemClock()


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(2, clock=CLOCK)
    yield made
    made.drain(5)


def start(
    workers: Workers, run: Callable[[Call], object], *, limit_s: float = 10
) -> queue.Queue[Outcome]:
    """Let something run, and return where its end is told."""
    ended: queue.Queue[Outcome] = queue.Queue()
    assert workers.submit(Call("it", run, ended.put, limit_s=limit_s))
    return ended


def test_a_call_that_returns_has_no_error(workers: Workers) -> None:
    """Nor a trace."""
    assert start(workers, lambda _call: 1).get(timeout=10) == Outcome()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_what_a_call_raises_ends_that_call_only(workers: Workers, error: BaseException) -> None:
    """Also what would end a program."""

    def run(_call: Call) -> None:
        raise error

    outcome = start(workers, run).get(timeout=10)

    assert outcome.error is not None
    assert outcome.error.startswith(type(error).__name__)
    assert "usercode/workers.py" not in outcome.trace
    assert start(workers, lambda _call: 1).get(timeout=10) == Outcome()


def test_a_call_that_computes_for_ever_is_interrupted(workers: Workers) -> None:
    """Also one that catches every exception."""

    def run(_call: Call) -> None:
        while True:
            with contextlib.suppress(Exception):
                sum(range(100))

    outcome = start(workers, run, limit_s=0.05).get(timeout=10)

    assert outcome.error == "took longer than 0.05 s"
    assert workers.given_up == []


def test_a_call_that_does_not_heed_its_limit_is_left_behind(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others go on in its place, and what it does later is refused."""
    monkeypatch.setattr(workers_module, "GRACE_S", 0.05)
    gate, late = threading.Event(), queue.Queue[str]()

    def run(call: Call) -> None:
        try:
            gate.wait()
            with call.shielded():
                late.put("did it")
        except UserCodeError as error:
            late.put(error.message)

    stuck = [start(workers, run, limit_s=0.05) for _ in range(2)]
    outcomes = [each.get(timeout=10) for each in stuck]
    other = start(workers, lambda _call: 1).get(timeout=10)
    gate.set()

    assert {outcome.error for outcome in outcomes} == {
        "took longer than 0.05 s, did not end and was given up"
    }
    assert other == Outcome()
    assert workers.given_up == ["it", "it"]
    # The exception of the limit may arrive first, when the wait returns.
    for thread in threading.enumerate():
        if thread.name.startswith("given up"):
            thread.join(10)
    assert all("has ended" in text for text in late.queue)


def test_nothing_is_interrupted_inside_bakend(workers: Workers) -> None:
    """The exception comes when the call into Bakend returns."""
    steps: list[str] = []

    def run(call: Call) -> None:
        with call.shielded():
            CLOCK.pause(0.2)
            steps.append("whole")
        steps.append("never")

    outcome = start(workers, run, limit_s=0.05).get(timeout=10)

    assert steps == ["whole"]
    assert outcome.error == "took longer than 0.05 s"


def test_a_stop_waits_for_what_runs_and_begins_nothing() -> None:
    """And says what did not end."""
    workers = Workers(1, clock=CLOCK)
    gate, begun = threading.Event(), threading.Event()

    def run(_call: Call) -> None:
        begun.set()
        gate.wait()

    ended = start(workers, run)
    begun.wait(10)
    left = workers.drain(0.05)
    gate.set()

    assert left == ["it"]
    assert ended.get(timeout=10).error is not None
    assert not workers.submit(Call("late", lambda _call: 1, lambda _outcome: None, limit_s=1))
