"""Attempts of functions and tasks: handed to a worker, and back with how they ended."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from typing import Final

from bakend.events.event import Actor, Draft, Event, function_ran
from bakend.functions.registry import Function
from bakend.structs import Struct
from bakend.usercode import context
from bakend.usercode.context import Context, Services
from bakend.usercode.logger import Logger
from bakend.usercode.runs import Run
from bakend.usercode.tasks import Task
from bakend.usercode.workers import Call, Outcome, Workers

_log: Final = logging.getLogger("bakend.functions")


class Ended(Struct, kw_only=True):
    """An attempt that has ended."""

    function: Function | Task
    event: Event | None
    """None for a task."""
    run: Run | None
    """What it was parked or asked for as; None for the first attempt of a function."""
    outcome: Outcome
    log: str

    @property
    def error(self) -> str | None:
        """What went wrong; None where nothing did."""
        return self.outcome.error

    @property
    def lane(self) -> tuple[str, str] | None:
        """What is kept in order; None for a task, which is not."""
        return None if self.event is None else (self.function.name, self.event.subject)


class Attempts:
    """The way to the workers and back. Thread: the engine's."""

    def __init__(
        self,
        workers: Workers,
        services: Services,
        *,
        limit_s: float,
        tell: Callable[[Draft], None],
        wake: Callable[[], None],
    ) -> None:
        """Take the parts.

        Args:
            workers: What runs the handlers.
            services: What handlers use.
            limit_s: How long an attempt may take, where the function does not say so.
            tell: Told of each attempt as it begins and ends.
            wake: Called, on any thread, when one has ended.
        """
        self._workers = workers
        self._services = services
        self._limit_s = limit_s
        self._tell = tell
        self._wake = wake
        self._results: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self.handed = 0
        """How many have not come back."""

    def free(self) -> int:
        """Return how many would begin at once."""
        return self._workers.free()

    @property
    def is_idle(self) -> bool:
        """Tell whether none runs, and none is on its way back."""
        return not (self.handed or self._results.qsize())

    def begin(self, function: Function | Task, event: Event | None, run: Run | None) -> None:
        """Hand one to a worker.

        Args:
            function: What is to run.
            event: What it is for; None for a task.
            run: What was parked or asked for; None for the first attempt of a function.
        """
        logger = Logger(function.name)
        limit_s = function.limit_s(self._limit_s)

        def perform(call: Call) -> None:
            if isinstance(function, Task):
                assert run is not None
                _run_task(function, run, self._services, call, logger)
                return
            ctx = Context(self._services, call, logger, event=event)
            context.run(function.call, ctx, limit_s)

        def done(outcome: Outcome) -> None:
            log = "\n".join([*logger.lines, *([outcome.trace] if outcome.trace else [])])
            self._results.put(
                Ended(function=function, event=event, run=run, outcome=outcome, log=log)
            )
            self._wake()

        if self._workers.submit(Call(function.name, perform, done, limit_s=limit_s)):
            self.handed += 1
            self._tell(_told("started", function, _id_of(event, run)))

    def ended(self) -> Iterator[Ended]:
        """Return those that have ended since the last time, each failure written into the log."""
        while True:
            try:
                ended = self._results.get_nowait()
            except queue.Empty:
                return
            self.handed -= 1
            about = _id_of(ended.event, ended.run)
            word = "completed"
            if ended.error is not None:
                word = "failed"
                trace = f"\n{ended.outcome.trace}" if ended.outcome.trace else ""
                _log.error(
                    "%s failed for %s: %s%s",
                    ended.function.name,
                    about,
                    ended.error,
                    trace,
                )
            self._tell(_told(word, ended.function, about, ended.error))
            yield ended


def _run_task(task: Task, run: Run, services: Services, call: Call, logger: Logger) -> None:
    """Run a task to its end, in the name of who asked for it."""
    args = run.args or {}
    missing, unknown = task.wanted.misfits(args)
    if missing or unknown:  # its function has changed since
        what = f"needs {', '.join(missing)}" if missing else f"takes no {', '.join(unknown)}"
        raise TypeError(f"{task.place} {what} (it was asked for before that changed)")
    ctx = Context(services, call, logger, actor=Actor(id=run.actor), depth=run.depth)
    context.run(lambda made: task.wanted.call(made, args), ctx, call.limit_s)


def _id_of(event: Event | None, run: Run | None) -> str:
    """Return what an attempt is about: an event, or for a task its run."""
    if event is not None:
        return event.id
    assert run is not None
    return run.id


def _told(action: str, function: Function | Task, about: str, error: str | None = None) -> Draft:
    return function_ran(
        action,
        collection=function.mark.collection,
        trigger=function.mark.type,
        event_type=function.mark.event_type,
        file_path=function.file,
        event_id=about,
        error=error,
    )
