"""What a handler is given: `ctx`, or its parts by name.

Everything in it goes through the call it belongs to: nothing is interrupted half-way, and when the
call is over, or was given up, it does nothing any more.
"""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final, TypeVar

from bakend import access
from bakend.auth.user import User
from bakend.clock import Clock
from bakend.database.transaction import Snapshot, Transaction, Transactions
from bakend.errors import NotFoundError, UserCodeError
from bakend.events.event import NOBODY, Actor, Event
from bakend.records.query import ListQuery
from bakend.records.store import Page, RecordStore
from bakend.settings import Settings
from bakend.storage.files import FileStore
from bakend.structs import Struct
from bakend.usercode.binding import NAMES
from bakend.usercode.depth import require_shallow
from bakend.usercode.logger import Logger
from bakend.usercode.marks import Handler
from bakend.usercode.stored import Storage
from bakend.usercode.tasks import Enqueue, TaskQueue
from bakend.usercode.workers import Call, TimeLimitReached


class Services(Struct, kw_only=True):
    """The parts of Bakend that handlers use."""

    clock: Clock
    database: Transactions
    records: RecordStore
    files: FileStore
    settings: Settings
    secrets: Mapping[str, str]
    find_user: Callable[[Snapshot, str], User | None]
    tasks: TaskQueue


class Auth(Struct):
    """Who acted."""

    user: User | None


class Secrets(Mapping[str, str]):
    """The environment and `.env`; what is missing says where to put it."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        if name not in self._values:
            raise KeyError(
                f"{name}: put {name}=… into .env beside bakend.json, or into the environment"
            )
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{len(self._values)} secrets>"


class Records:
    """The records of all collections, with full rights: validated, and with events."""

    def __init__(self, call: Call, store: RecordStore, actor: Actor, depth: int) -> None:
        self._call = call
        self._store = store
        self._guard_for = access.everything_for(actor, depth=depth)
        self._depth = depth

    def create(self, collection: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Create a record and return it."""
        with self._writing():
            return self._store.create(collection, values, self._guard_for)

    def get(self, collection: str, record_id: str) -> dict[str, Any] | None:
        """Return a record, None where there is none of that id."""
        with self._call.shielded():
            try:
                return self._store.get(collection, record_id, self._guard_for)
            except NotFoundError:
                self._store.collection(collection)  # which has to be there all the same
                return None

    def list(
        self, collection: str, *, limit: int | None = None, offset: int = 0
    ) -> list[dict[str, Any]]:
        """Return records, newest first."""
        return self.page(collection, limit=limit, offset=offset).items

    def page(self, collection: str, *, limit: int | None = None, offset: int = 0) -> Page:
        """Return records and how many there are."""
        with self._call.shielded():
            wanted = ListQuery(limit=limit, offset=offset, count=True)
            return self._store.list(collection, wanted, self._guard_for)

    def update(self, collection: str, record_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change the named fields of a record and return it."""
        with self._writing():
            return self._store.update(collection, record_id, values, self._guard_for)

    def delete(self, collection: str, record_id: str) -> None:
        """Delete a record."""
        with self._writing():
            self._store.delete(collection, record_id, self._guard_for)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        require_shallow(self._call.name, self._depth)
        with self._call.shielded():
            yield


class Db:
    """Plain SQL. What is written so is not validated, and emits no event."""

    def __init__(
        self, call: Call, services: Services, limit_s: float, *, actor: Actor, depth: int
    ) -> None:
        self._call = call
        self._database = services.database
        self._tasks = services.tasks
        self._limit_s = limit_s
        self._actor = actor
        self._depth = depth
        self.enqueue = Enqueue(self._tasks, self._writing, actor=actor, depth=depth)

    def query(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[dict[str, Any]]:
        """Return the rows of a query, by the names of the columns."""
        with self._call.shielded(), self._database.read() as snapshot:
            return [dict(row) for row in snapshot.all(sql, parameters)]

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> int:
        """Run one statement in a transaction of its own, and return how many rows it changed."""
        with self._call.shielded(), self._database.write() as tx:
            return tx.execute(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[Statements]:
        """Run several statements that happen together or not at all.

        A thread of ours holds the transaction, so that a handler that never ends does not keep
        other writers waiting beyond its limit.
        """
        holder = _Holder(self._database, self._limit_s)
        with self._call.shielded():
            tx = holder.begin()
        statements = Statements(self._call, tx, holder)
        statements.enqueue = Enqueue(
            self._tasks, statements.writing, actor=self._actor, depth=self._depth
        )
        _open.set(statements)
        try:
            yield statements
        except BaseException:
            holder.end(commits=False)
            raise
        finally:
            _open.set(None)
        with self._call.shielded():
            holder.end(commits=True)
        if statements.has_written:
            self._tasks.wake()

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        """Write in the transaction that is open around this, or in one of its own."""
        around = _open.get()
        if around is not None and around.is_of(self._call):
            with around.writing() as tx:
                yield tx
            return
        with self._call.shielded(), self._database.write(actor=self._actor) as tx:
            yield tx
        self._tasks.wake()


class Statements:
    """An open transaction."""

    enqueue: Enqueue
    """Asks for a task that runs if this commits."""

    def __init__(self, call: Call, tx: Transaction, holder: _Holder) -> None:
        self._call = call
        self._tx = tx
        self._holder = holder
        self.has_written = False
        """Whether something was written on Bakend's own behalf."""

    def is_of(self, call: Call) -> bool:
        """Tell whether this call has opened it."""
        return self._call is call

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Write in it, for Bakend itself."""
        with self._call.shielded(), self._holder.in_time():
            self.has_written = True
            yield self._tx

    def query(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()
    ) -> list[dict[str, Any]]:
        """Return the rows of a query, with what this transaction has changed."""
        with self._call.shielded(), self._holder.in_time():
            return [dict(row) for row in self._tx.all(sql, parameters)]

    def execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> int:
        """Run one statement, and return how many rows it changed."""
        with self._call.shielded(), self._holder.in_time():
            return self._tx.execute(sql, parameters)


_open: Final[ContextVar[Statements | None]] = ContextVar("_open", default=None)
"""The transaction around what runs here: of this thread, and of this coroutine."""


class _Holder:
    """Holds a transaction on a thread of its own, for a limited time.

    Thread: made by a worker; `_hold` runs on `bakend-worker-tx`.
    """

    def __init__(self, database: Transactions, limit_s: float) -> None:
        self._database = database
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._begun = threading.Event()
        self._ended = threading.Event()
        self._commits = False
        self._is_open = False
        self._tx: Transaction | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._hold, name="bakend-worker-tx", daemon=True)

    def begin(self) -> Transaction:
        """Begin, and return the transaction."""
        self._thread.start()
        self._begun.wait()
        if self._tx is None:
            self._thread.join()
            assert self._error is not None
            raise self._error
        return self._tx

    def end(self, *, commits: bool) -> None:
        """Commit or roll back, and raise what went wrong with that."""
        self._commits = commits
        self._ended.set()
        self._thread.join()
        if commits and self._error is not None:
            raise self._error

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Use the transaction, if it is still open."""
        with self._lock:
            if not self._is_open:
                raise UserCodeError("The transaction has ended")
            yield

    def _hold(self) -> None:
        try:
            with self._database.write() as tx:
                self._tx, self._is_open = tx, True
                self._begun.set()
                is_in_time = self._ended.wait(self._limit_s)
                with self._lock:
                    self._is_open = False
                if not is_in_time:
                    raise UserCodeError(f"A transaction was held for {self._limit_s:g} s")
                if not self._commits:
                    raise _RolledBack
        except _RolledBack:
            pass
        except BaseException as error:  # noqa: BLE001  handed to the one who waits
            self._error = error
        finally:
            self._begun.set()


class _RolledBack(Exception):
    """Ends a transaction that is not to happen."""


class Context:
    """What a handler is given.

    Thread: the worker that runs the handler, and threads that the handler starts.
    """

    def __init__(
        self,
        services: Services,
        call: Call,
        logger: Logger,
        *,
        event: Event | None = None,
        actor: Actor = NOBODY,
        depth: int = 1,
    ) -> None:
        """Take the parts.

        Args:
            services: What handlers use.
            call: What this belongs to.
            logger: For its lines.
            event: What happened, if it was an event.
            actor: Who acts, where there is no event that says so.
            depth: How many handlers deep this is, where there is no event.
        """
        actor = actor if event is None else Actor(id=event.actor)
        depth = depth if event is None else event.depth + 1
        self._services = services
        self._call = call
        self._actor = actor
        self.event = (
            None
            if event is None
            else event.replaced(
                payload=copy.deepcopy(event.payload), before=copy.deepcopy(event.before)
            )
        )
        """What happened; None in a job, task or route."""
        self.record: dict[str, Any] = {} if event is None else copy.deepcopy(event.payload)
        """A copy of the record, or of what else the event is about."""
        self.old: dict[str, Any] | None = None if event is None else copy.deepcopy(event.before)
        """The record before it was changed or deleted."""
        self.records = Records(call, services.records, actor, depth)
        self.db = Db(call, services, call.limit_s, actor=actor, depth=depth)
        self.enqueue = self.db.enqueue
        """Lets a task run: `ctx.enqueue(task, **args)`, `.after(seconds, …)`, `.at(moment, …)`."""
        self.storage = Storage(call, services.files, actor, depth)
        self.settings = services.settings
        self.secrets = Secrets(services.secrets)
        self.logger = logger
        self._auth: Auth | None = None

    @property
    def now(self) -> datetime:
        """The present moment, in UTC."""
        return self._services.clock.now()

    @property
    def auth(self) -> Auth:
        """Who acted: `ctx.auth.user` is None where nobody was signed in."""
        if self._auth is None:
            actor = self._actor.id
            if actor is None and self.event is not None and self.event.type.startswith("auth."):
                actor = self.event.subject
            user = None
            if actor is not None:
                with self._call.shielded(), self._services.database.read() as snapshot:
                    user = self._services.find_user(snapshot, actor)
            self._auth = Auth(user)
        return self._auth


C = TypeVar("C", bound=Context)


def bound(handler: Handler) -> Callable[[Context], Any]:
    """Return what calls a handler with what its parameters ask for.

    Raises:
        TypeError: It asks for something that there is not.
    """
    parameters = list(inspect.signature(handler).parameters.values())
    plain = [
        each
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if not parameters:
        return lambda _ctx: handler()
    if len(plain) == 1 == len(parameters) and plain[0].name not in NAMES:
        return handler
    unknown = [
        each.name
        for each in parameters
        if each.name not in (*NAMES, "ctx")
        and each.default is each.empty
        and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if unknown or any(each.kind is each.POSITIONAL_ONLY for each in parameters):
        raise TypeError(
            f"asks for {', '.join(unknown) or 'parameters without a name'};"
            f" there are ctx, {', '.join(NAMES)}"
        )
    wanted = [each.name for each in parameters if each.name in (*NAMES, "ctx")]

    def call(ctx: Context) -> Any:
        given = {name: ctx if name == "ctx" else getattr(ctx, name) for name in wanted}
        return handler(**given)

    return call


def run(handler: Callable[[C], Any], ctx: C, limit_s: float) -> Any:
    """Call a handler to its end, also one that is `async`, and return what it returns.

    Raises:
        TimeLimitReached: One that is `async` took too long.
    """
    made = handler(ctx)
    if not inspect.isawaitable(made):
        return made
    import asyncio  # only for handlers that are `async`

    async def wait() -> Any:
        try:
            async with asyncio.timeout(limit_s) as limit:
                return await made
        except TimeoutError:
            if limit.expired():
                raise TimeLimitReached from None
            raise  # one of its own

    return asyncio.run(wait())
