"""Tasks: what handlers ask to be run in the background, and how they ask.

A task is a row in `_runs`, written in the transaction of whoever asks, or in one of its own. So it
runs if and only if that commits, and it is not lost with the process.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from bakend import wire
from bakend.clock import Clock, to_text
from bakend.database.transaction import Transaction
from bakend.events.event import Actor
from bakend.structs import Struct
from bakend.usercode.binding import WITHOUT_EVENT, Wanted, wanted
from bakend.usercode.loader import UserFile
from bakend.usercode.marks import TASK, Handler, Mark, task_name
from bakend.usercode.runs import Runs

_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*", re.A)


class Task(Struct, kw_only=True):
    """One handler that can be asked for."""

    name: str
    file: str
    mark: Mark
    wanted: Wanted

    @property
    def place(self) -> str:
        """Where it stands: `functions/mails.py:3`."""
        return f"{self.file}:{self.mark.line}"

    @property
    def attempts(self) -> int:
        """How often it is tried."""
        return int(self.mark.options.get("attempts", 1))

    def limit_s(self, default_s: float) -> float:
        """Return how long an attempt may take."""
        return float(self.mark.options.get("timeout", default_s))


def tasks_of(file: UserFile, taken: Mapping[str, Task]) -> list[Task]:
    """Return the tasks of a file.

    Args:
        file: Loaded.
        taken: Those that there are already.

    Raises:
        ValueError: Something about one is wrong; the sentence has the line.
    """
    found: dict[str, Task] = {}
    for mark in file.marks:
        if mark.kind != TASK:
            continue
        here = f"{file.path}:{mark.line}"
        twin = found.get(mark.name) or taken.get(mark.name)
        if twin is not None:
            raise ValueError(
                f'{here}: "{mark.name}" is a task of {twin.place} already: give it another name'
            )
        if not _NAME.fullmatch(mark.name):
            raise ValueError(f'{here}: "{mark.name}" cannot be the name of a task')
        try:
            asks = wanted(mark.handler, WITHOUT_EVENT)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{here}: {mark.name} {error}") from error
        found[mark.name] = Task(name=mark.name, file=file.path, mark=mark, wanted=asks)
    return [*found.values()]


def still_free(tasks: Sequence[Task], file: str, taken: Mapping[str, Task]) -> list[Task]:
    """Return the tasks of a file that does not load any more, but for those that others now have."""
    return [each for each in tasks if each.file == file and each.name not in taken]


class TaskQueue:
    """Takes tasks that are asked for. Thread: any, inside the caller's transaction."""

    def __init__(self, runs: Runs, *, clock: Clock) -> None:
        self._runs = runs
        self._clock = clock
        self.tasks: Mapping[str, Task] = {}
        """Those of the last load, by their names; replaced whole."""
        self.wake: Callable[[], None] = lambda: None
        """Tells who runs them that there is one; to be called behind the commit."""

    def put(
        self,
        tx: Transaction,
        task: Handler | str,
        args: Mapping[str, Any],
        *,
        actor: Actor,
        depth: int,
        at: datetime | None = None,
    ) -> str:
        """Write down that a task is to be run; return the id of the run.

        Args:
            tx: The transaction that it comes with.
            task: The handler, or its name.
            args: What it is called with: JSON.
            actor: Who acts.
            depth: How many handlers deep.
            at: Not before then.

        Raises:
            TypeError: It is no task, or the arguments do not fit, or are no JSON.
            ValueError: There is no task of that name.
        """
        name = task if isinstance(task, str) else task_name(task)
        if name is None:
            raise TypeError(f"{task!r} is no task: put @task above it, and above other decorators")
        known = self.tasks.get(name)
        if known is None:
            raise ValueError(f'There is no task "{name}" in a file of functions/ or jobs/')
        missing, unknown = known.wanted.misfits(args)
        if missing or unknown:
            what = f"needs {', '.join(missing)}" if missing else f"takes no {', '.join(unknown)}"
            raise TypeError(f"Task {name} ({known.place}) {what}")
        text = _as_json(name, args)
        next_at = to_text(max(self._clock.now(), at) if at else self._clock.now())
        return self._runs.enqueue(tx, name, text, actor=actor.id, depth=depth, next_at=next_at)

    def moment_after(self, seconds: float) -> datetime:
        """Return when so many seconds have passed.

        Raises:
            ValueError: That is no time to come.
        """
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
            raise ValueError(f"A task can run after some seconds, not {seconds!r}")
        try:
            return self._clock.now() + timedelta(seconds=seconds)
        except OverflowError:
            raise ValueError(f"A task cannot run after {seconds!r} seconds") from None


class Enqueue:
    """Asks for tasks: `ctx.enqueue`, and `tx.enqueue` in a transaction."""

    def __init__(
        self,
        queue: TaskQueue,
        writing: Callable[[], AbstractContextManager[Transaction]],
        *,
        actor: Actor,
        depth: int,
    ) -> None:
        """Take the parts.

        Args:
            queue: What takes tasks.
            writing: Opens the transaction that they come with.
            actor: Who acts.
            depth: How many handlers deep.
        """
        self._queue = queue
        self._writing = writing
        self._actor = actor
        self._depth = depth

    def __call__(self, task: Handler | str, /, **args: Any) -> str:
        """Let a task run as soon as may be; return the id of its run.

        Args:
            task: The function that `@task` marks, or its name.
            args: What it is called with; JSON only.
        """
        return self._put(None, task, args)

    def after(self, seconds: float, task: Handler | str, /, **args: Any) -> str:
        """Let a task run when some seconds have passed; return the id of its run."""
        return self._put(self._queue.moment_after(seconds), task, args)

    def at(self, moment: datetime, task: Handler | str, /, **args: Any) -> str:
        """Let a task run at a moment, which says its timezone; return the id of its run."""
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise ValueError(f"A task runs at a datetime with a timezone, not {moment!r}")
        return self._put(moment.astimezone(UTC), task, args)

    def _put(self, at: datetime | None, task: Handler | str, args: Mapping[str, Any]) -> str:
        with self._writing() as tx:
            return self._queue.put(tx, task, args, actor=self._actor, depth=self._depth, at=at)


def _as_json(name: str, args: Mapping[str, Any]) -> str:
    for key, value in args.items():
        try:
            wire.encode(value).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"Task {name}: {key} is not JSON: {error}") from None
    return wire.encode(dict(args))
