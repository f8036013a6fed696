"""Attempts of functions: handed to a worker, and back with how they ended."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from typing import Final

from bakend.events.event import Draft, Event, function_ran
from bakend.functions.registry import Function
from bakend.structs import Struct
from bakend.usercode import context
from bakend.usercode.context import Context, Logger, Services
from bakend.usercode.runs import Run
from bakend.usercode.workers import Call, Outcome, Workers

_log: Final = logging.getLogger("bakend.functions")


class Ended(Struct, kw_only=True):
    """An attempt that has ended."""

    function: Function
    event: Event
    run: Run | None
    """What it was parked as; None for the first attempt."""
    outcome: Outcome
    log: str

    @property
    def error(self) -> str | None:
        """What went wrong; None where nothing did."""
        return self.outcome.error


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

    def begin(self, function: Function, event: Event, run: Run | None) -> None:
        """Hand one to a worker."""
        logger = Logger(function.name)
        limit_s = function.limit_s(self._limit_s)

        def perform(call: Call) -> None:
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
            self._tell(_told("started", function, event))

    def ended(self) -> Iterator[Ended]:
        """Return those that have ended since the last time, each failure written into the log."""
        while True:
            try:
                ended = self._results.get_nowait()
            except queue.Empty:
                return
            self.handed -= 1
            word = "completed"
            if ended.error is not None:
                word = "failed"
                trace = f"\n{ended.outcome.trace}" if ended.outcome.trace else ""
                _log.error(
                    "%s failed for %s: %s%s",
                    ended.function.name,
                    ended.event.id,
                    ended.error,
                    trace,
                )
            self._tell(_told(word, ended.function, ended.event, ended.error))
            yield ended


def _told(action: str, function: Function, event: Event, error: str | None = None) -> Draft:
    return function_ran(
        action,
        collection=function.mark.collection,
        trigger=function.mark.type,
        event_type=function.mark.event_type,
        file_path=function.file,
        event_id=event.id,
        error=error,
    )
