"""Runs functions before a write: inside its transaction, on a thread of their own, within a limit.

The thread that writes holds the transaction and waits; the function's thread works in it. At the
limit the function is shut out of the transaction, which is rolled back, whatever the function's
thread does. So nobody but the limit decides for how long other writers wait.

What a file asks for is remembered in `_functions`. A file that does not load any more and holds
such a function shuts the door that it guarded: writes to the collection are refused until it loads
or is gone.
"""

from __future__ import annotations

import copy
import inspect
import logging
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from bakend.clock import Clock, to_text
from bakend.collections.definition import OWNER_FIELD, SYSTEM_FIELDS
from bakend.database.connection import Database
from bakend.database.joined import Joined
from bakend.database.transaction import Row, Transaction
from bakend.errors import (
    BakendError,
    DatabaseBusyError,
    StorageFullError,
    UnavailableError,
    UserCodeError,
)
from bakend.functions.registry import Function, Registry
from bakend.records.hooks import Change, Record
from bakend.structs import Struct
from bakend.usercode.context import Services
from bakend.usercode.inside import InsideContext
from bakend.usercode.logger import Logger
from bakend.usercode.reject import Reject
from bakend.usercode.runs import Runs
from bakend.usercode.workers import Call, Outcome, TimeLimitReached, Workers

THREADS_MAX: Final = 64
"""One write at a time asks, at most `DEPTH_MAX` deep; the rest is for those that do not end. When
that many hang, no more are begun: each would leave one more thread behind."""

SHUT_RETRY_S: Final = 10

_log: Final = logging.getLogger("bakend.functions")

Key = tuple[str, str]
"""A collection and an operation."""


class _Failure(Struct, kw_only=True):
    """A run that is to be written down once its transaction is rolled back."""

    name: str
    subject: str
    error: str
    trace: str
    log: str


class BeforeFailedError(UserCodeError):
    """Raised where a function before a write fails."""

    def __init__(self, failure: _Failure) -> None:
        super().__init__(f"{failure.name} failed: {failure.error}")
        self.failure = failure


class BeforeLateError(UnavailableError):
    """Raised where a function before a write takes too long."""

    def __init__(self, message: str, failure: _Failure) -> None:
        super().__init__(message, hint=f"{failure.name} {failure.error}")
        self.failure = failure


class _State(Struct, kw_only=True):
    """What the files ask for, as of one load."""

    hooks: Mapping[Key, tuple[Function, ...]] = MappingProxyType({})
    shut: Mapping[str, tuple[str, str]] = MappingProxyType({})
    """Collection to the file that guarded it and why that does not load."""


class _Answer:
    """How a function has ended. Thread: written by the function's, read by the one that waits."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.record: Record | None = None
        self.error: BaseException | None = None
        self.outcome: Outcome | None = None


class Before:
    """The functions before writes, as the record store asks them.

    Thread: `use` on the one that loads; `stop` on the main thread; the rest on any that writes. The
    functions run on `bakend-before-N`, and `bakend-before-watch` looks at their limits.
    """

    def __init__(
        self, database: Database, runs: Runs, services: Services, *, clock: Clock, limit_s: float
    ) -> None:
        """Take the parts; nobody is asked yet.

        Args:
            database: Where `_functions` and `_runs` are.
            runs: Where failures are noted.
            services: What functions use.
            clock: Where time comes from.
            limit_s: How long a run may take that says nothing itself.
        """
        self._database = database
        self._runs = runs
        self._services = services
        self._clock = clock
        self._limit_s = limit_s
        self._workers = Workers(THREADS_MAX, clock=clock, name="bakend-before")
        self._state = _State()

    @property
    def given_up(self) -> list[str]:
        """Names of runs that did not end, oldest first."""
        return self._workers.given_up

    # Loading.

    def use(self, registry: Registry) -> None:
        """Ask these functions from now on, and remember them."""
        hooks: dict[Key, tuple[Function, ...]] = {}
        for each in registry.hooks:
            key = (each.mark.collection, each.mark.type.removeprefix("before_"))
            hooks[key] = (*hooks.get(key, ()), each)
        with self._database.read() as snapshot:
            known = snapshot.all("SELECT * FROM _functions WHERE kind = 'before'")
        running = {each.name for each in registry.hooks}
        lost = [
            row for row in known if row["file"] in registry.errors and row["name"] not in running
        ]
        shut = {row["collection"]: (row["file"], registry.errors[row["file"]]) for row in lost}
        for collection, (file, _why) in shut.items():
            _log.error('Writes to "%s" are refused until %s loads or is removed', collection, file)
        self._state = _State(hooks=hooks, shut=shut)
        try:
            self._remember(registry, known, {row["name"] for row in lost})
        except BakendError as error:  # such as a full disk: reads have to be served all the same
            _log.warning("Functions before writes are not remembered: %s", error.message)

    def _remember(self, registry: Registry, known: list[Row], lost: set[str]) -> None:
        wanted = {each.name: each for each in registry.hooks}
        new = wanted.keys() - {row["name"] for row in known}
        gone = {row["name"] for row in known} - wanted.keys() - lost
        if not new and not gone:
            return
        now = to_text(self._clock.now())
        with self._database.write() as tx:
            for name in gone:
                tx.execute("DELETE FROM _functions WHERE name = ? AND kind = 'before'", (name,))
            for name in new:
                mark, file = wanted[name].mark, wanted[name].file
                tx.execute(
                    "INSERT OR REPLACE INTO _functions"
                    " (name, file, kind, collection, event_type, seq, seen_at)"
                    " VALUES (?, ?, 'before', ?, ?, 0, ?)",
                    (name, file, mark.collection, mark.event_type, now),
                )

    def stop(self) -> list[str]:
        """Ask nobody any more, and return what has not ended; no write waits for it by now."""
        return self._workers.drain(0.0)

    # For the record store.

    def has(self, collection: str, operation: str) -> bool:
        """Tell whether there is anybody to ask.

        Raises:
            UnavailableError: The file that has the answer does not load.
        """
        state = self._state
        if collection in state.shut:
            file, why = state.shut[collection]
            raise UnavailableError(
                f'Writes to "{collection}" wait until {file} loads',
                retry_after_s=SHUT_RETRY_S,
                hint=why,
            )
        return (collection, operation) in state.hooks

    def ask(self, tx: Transaction, change: Change) -> Record:
        """Ask all functions, in the order of their files; each sees what the one before changed.

        Raises:
            Reject: One of them refuses.
            UnavailableError: One takes too long, or the server is stopping.
            UserCodeError: One fails.
        """
        record = change.record
        for hook in self._state.hooks.get((change.table.name, change.operation), ()):
            record = self._run(tx, hook, change.replaced(record=record))
        return record

    def rolled_back(self, error: Exception) -> None:
        """Keep a failure as a failed run, now that its transaction is over."""
        failure = error.failure if isinstance(error, BeforeFailedError | BeforeLateError) else None
        if failure is None:
            return
        _log.error(
            "%s failed for %s: %s%s",
            failure.name,
            failure.subject,
            failure.error,
            f"\n{failure.trace}" if failure.trace else "",
        )
        lines = "\n".join(part for part in (failure.log, failure.trace) if part)
        try:
            with self._database.write() as tx:
                self._runs.note_failed(
                    tx,
                    "function",
                    failure.name,
                    subject=failure.subject,
                    error=failure.error,
                    log=lines,
                )
        except BakendError as problem:
            _log.warning("The failure of %s is not kept: %s", failure.name, problem.message)

    def _run(self, tx: Transaction, hook: Function, change: Change) -> Record:
        now = self._clock.monotonic()
        ends_at = now + hook.limit_s(self._limit_s)
        if isinstance(tx, Joined):  # asked for a write of a function: within the limit of that one
            ends_at = min(ends_at, tx.ends_at)
        limit_s = max(0.0, ends_at - now)
        joined, logger, answer = Joined(tx, ends_at=ends_at), Logger(hook.name), _Answer()

        def perform(call: Call) -> None:
            try:
                ctx = InsideContext(
                    self._services,
                    call,
                    logger,
                    joined,
                    record=change.record,
                    old=change.old,
                    depth=change.depth + 1,
                )
                made = hook.call(ctx)
                answer.record = _taken(hook, made, ctx.record, change)
            except BaseException as error:
                answer.error = error
                raise

        def done(outcome: Outcome) -> None:
            answer.outcome = outcome
            answer.ended.set()

        call = Call(hook.name, perform, done, limit_s=limit_s)
        if self._workers.free() <= self._workers.left_behind():
            raise UnavailableError(
                f"{THREADS_MAX} functions before writes do not end",
                hint="the log names them; a restart ends them",
            )
        tx.lasts(limit_s)
        try:
            if not self._workers.submit(call):
                raise UnavailableError("The server is stopping")
            # Looked at before the rest is broken off: what ends by that, ends late.
            outcome = answer.outcome if self._clock.wait(answer.ended, limit_s) else None
        finally:
            joined.shut_out()
            tx.lasts(0)
        return self._judged(hook, change, answer, outcome, joined, logger, limit_s)

    def _judged(
        self,
        hook: Function,
        change: Change,
        answer: _Answer,
        outcome: Outcome | None,
        joined: Joined,
        logger: Logger,
        limit_s: float,
    ) -> Record:
        """Return the record of an answer, or raise what it means; no outcome is one too late."""
        error = answer.error

        def failure(what: str, trace: str = "") -> _Failure:
            return _Failure(
                name=hook.name,
                subject=change.record["id"],
                error=what,
                trace=trace,
                log="\n".join(logger.lines),
            )

        is_interrupted = outcome is not None and outcome.error is not None and error is None
        if outcome is None or is_interrupted or isinstance(error, TimeLimitReached):
            raise BeforeLateError(
                f'A check before the {change.operation} in "{change.table.name}" took too long',
                failure(f"took longer than {limit_s:g} s"),
            )
        if joined.loss is not None:  # whatever the function made of it
            error = joined.loss
        if isinstance(
            error, BeforeFailedError
        ):  # one deeper; told anew, its traceback is long by now
            raise BeforeFailedError(error.failure)
        if isinstance(error, UnavailableError | DatabaseBusyError | StorageFullError):
            raise error
        if joined.loss is not None:
            raise BeforeFailedError(failure(f"{type(error).__name__}: {error}"))
        if isinstance(error, Reject):
            raise error
        if outcome.error is not None:
            raise BeforeFailedError(failure(outcome.error, outcome.trace))
        assert answer.record is not None
        return answer.record


def _taken(hook: Function, made: Any, record: Any, change: Change) -> Record:
    """Return the record as a function has left it.

    Raises:
        UserCodeError: It is no record of this collection any more.
    """
    if inspect.isawaitable(made) or inspect.isgenerator(made):
        if hasattr(made, "close"):
            made.close()
        raise UserCodeError(f"{hook.name} has not run: a function before a write is a plain def")
    before, collection = change.record, change.table.collection
    if not isinstance(record, dict):
        raise UserCodeError(f"ctx.record must stay a dict, and is {type(record).__name__}")
    for name in record.keys() - before.keys():
        raise UserCodeError(f'ctx.record has "{name}", and "{collection.name}" has no such field')
    taken: Record = {}
    for name, was in before.items():
        value = record.get(name)
        is_same = bool(value == was) and isinstance(value, bool) == isinstance(was, bool)
        if not is_same and (name in SYSTEM_FIELDS or name == OWNER_FIELD):
            raise UserCodeError(f'ctx.record["{name}"] cannot be changed before a write')
        taken[name] = was if is_same else copy.deepcopy(value)
    return taken
