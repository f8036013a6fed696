"""Attempts of functions and tasks: how they end, and when the next one is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from bakend.clock import Clock, to_text
from bakend.database.transaction import Transaction
from bakend.events.event import Actor, Event
from bakend.functions.registry import Function
from bakend.structs import Struct
from bakend.usercode import context
from bakend.usercode.context import Context, Services
from bakend.usercode.logger import Logger
from bakend.usercode.runs import Run, Runs
from bakend.usercode.tasks import Task
from bakend.usercode.workers import Call, Outcome

PAUSES_S: Final = (1, 5, 25, 125)
"""Before the second attempt, the third, …; the last one for all further ones."""


class Ended(Struct, kw_only=True):
    """An attempt that has ended, on its way from the worker to the engine."""

    function: Function | Task
    event: Event | None
    """None for a task."""
    run: Run | None
    """What it was parked or asked for as; None for the first attempt of a function."""
    outcome: Outcome
    log: str

    @property
    def about(self) -> str:
        """The id of the event, or of the run, for the log."""
        if self.event is not None:
            return self.event.id
        return "" if self.run is None else self.run.id

    @property
    def lane(self) -> tuple[str, str] | None:
        """What waits for each other in order; None for tasks, which do not."""
        return None if self.event is None else (self.function.name, self.event.subject)


def next_attempt(clock: Clock, attempts: int) -> str:
    """Return when the next attempt is, after some that have failed."""
    pause_s = PAUSES_S[min(attempts, len(PAUSES_S)) - 1]
    return to_text(clock.now() + timedelta(seconds=pause_s))


def write_down(tx: Transaction, runs: Runs, ended: Ended, clock: Clock) -> None:
    """Note how an attempt ended that has a run."""
    run, error = ended.run, ended.outcome.error
    assert run is not None
    attempts = run.attempts + 1
    if error is None or attempts >= ended.function.attempts:
        runs.end(tx, run, error=error, log=ended.log)
    else:
        at = next_attempt(clock, attempts)
        runs.wait(tx, run.id, next_at=at, error=error, log=ended.log)


def run_task(task: Task, run: Run, services: Services, call: Call, logger: Logger) -> None:
    """Run a task to its end, in the name of who asked for it."""
    args = run.args or {}
    missing, unknown = task.wanted.misfits(args)
    if missing or unknown:  # its function has changed since
        what = f"needs {', '.join(missing)}" if missing else f"takes no {', '.join(unknown)}"
        raise TypeError(f"{task.place} {what} (it was asked for before that changed)")
    ctx = Context(services, call, logger, actor=Actor(id=run.actor), depth=run.depth)
    context.run(lambda made: task.wanted.call(made, args), ctx, call.limit_s)
