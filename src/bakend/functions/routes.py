"""Routes of the project's own: which there are, and letting one answer a request.

A handler runs on a thread of a small pool while the request's thread waits for it, so that one that
never ends is given up like any function and no thread of the server is lost to it. There are fewer
of them than the server has threads: whatever routes do, the rest of the API goes on answering.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bakend import wire
from bakend.auth.identity import Identity
from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.errors import BakendError, UnavailableError, UserCodeError
from bakend.structs import Struct
from bakend.usercode import context
from bakend.usercode.binding import wanted
from bakend.usercode.context import Services
from bakend.usercode.loader import UserFile
from bakend.usercode.logger import Logger
from bakend.usercode.marks import ROUTE, Mark
from bakend.usercode.request import PARTS, Request, Response, RouteContext
from bakend.usercode.runs import Runs
from bakend.usercode.workers import GRACE_S, Call, Outcome, Workers, theirs, trace_of

SPARED: Final = 2
"""Threads of the server that routes leave to all else."""

_SEGMENT: Final = re.compile(r"(?:[^<>/?#%\s\x00-\x1f\x7f]|<(?:(?:int|path):)?[A-Za-z]\w*>)+", re.A)
_PARAMETER: Final = re.compile(r"<(?:(\w+):)?(\w+)>")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_OURS: Final = frozenset({"connection", "content-length", "transfer-encoding", "x-request-id"})
"""Headers that the server writes."""

_log: Final = logging.getLogger("bakend.functions")


RouteKey = tuple[str, str]
"""A method, and a path without the names of its parameters."""


class Route(Struct, kw_only=True):
    """One handler of requests."""

    name: str
    """`functions/hello.py:hello@GET /api/_/hello/<name>`."""
    file: str
    mark: Mark
    call: Callable[[RouteContext], Any]

    @property
    def place(self) -> str:
        """Where it stands: `functions/hello.py:3`."""
        return f"{self.file}:{self.mark.line}"

    @property
    def path(self) -> str:
        """What is behind `/api/_`: `/hello/<name>`."""
        return str(self.mark.options["path"])

    @property
    def methods(self) -> tuple[str, ...]:
        """Which it answers."""
        return tuple(self.mark.options["methods"])

    @property
    def auth(self) -> str | None:
        """Whom it is for: None for everybody, `user`, `admin`."""
        auth: str | None = self.mark.options.get("auth")
        return auth

    @property
    def keys(self) -> list[RouteKey]:
        """Each method with the path as requests see it: other names of parameters are the same path."""
        shape = _PARAMETER.sub(lambda found: f"<{found[1] or ''}>", self.path)
        return [(method, shape) for method in self.methods]

    def limit_s(self, default_s: float) -> float:
        """Return how long a request may take."""
        return float(self.mark.options.get("timeout", default_s))


class Answer(Struct, kw_only=True):
    """What goes back to the client."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    """None for no body at all."""
    headers: tuple[tuple[str, str], ...] = ()


def routes_of(file: UserFile) -> list[Route]:
    """Return the routes of a file.

    Raises:
        ValueError: One cannot be; the sentence has the line.
    """
    return [_route(file, mark) for mark in file.marks if mark.kind == ROUTE]


def require_free(routes: Sequence[Route], taken: Mapping[RouteKey, Route]) -> None:
    """Refuse what is served already.

    Raises:
        ValueError: Two routes answer the same requests; the sentence names both places.
    """
    known = dict(taken)
    for route in routes:
        for key in route.keys:
            if key in known:
                raise ValueError(
                    f"{route.place}: {key[0]} {route.path} is served by {known[key].place} already"
                )
            known[key] = route


def _route(file: UserFile, mark: Mark) -> Route:
    path: str = mark.options["path"]
    names = [found[2] for found in _PARAMETER.finditer(path)]
    try:
        if not all(map(_SEGMENT.fullmatch, path[1:].split("/"))):
            raise ValueError(
                f'"{path}" is no path of a route: words, and <name>, <int:name> or <path:name>'
            )
        for name in names:
            if name in (*PARTS, "ctx") or names.count(name) > 1:
                raise ValueError(f"<{name}> in {path} needs another name")
        call = wanted(mark.handler, PARTS, values=names)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file.path}:{mark.line}: {mark.word} {error}") from error
    return Route(
        name=f"{file.path}:{mark.word}@{mark.event_type}",
        file=file.path,
        mark=mark,
        call=lambda ctx: call.call(ctx, ctx.params),
    )


def answer_of(made: object, route: Route) -> Answer:
    """Return the answer that a handler means by what it returned.

    Raises:
        UserCodeError: Nothing that could be one.
    """
    status: object = 200
    headers: Mapping[str, str] = {}
    if isinstance(made, tuple):
        if not 2 <= len(made) <= 3:
            raise _unfit(route, "a tuple that is not (value, status) or (value, status, headers)")
        made, status, *rest = made
        headers = rest[0] if rest else {}
    if isinstance(made, Response):
        usual = "text/plain; charset=utf-8"
        body = made.body
        if isinstance(body, str):
            body = body.encode()
        elif isinstance(body, bytes | bytearray | memoryview):
            body, usual = bytes(body), "application/octet-stream"
        else:
            raise _unfit(route, f"a Response of what is neither bytes nor text: {body!r}")
        if made.headers and headers:
            raise _unfit(route, "a Response with headers, and headers beside it")
        status = made.status if status == 200 else status
        return _answer(route, status, headers or made.headers, body, made.content_type or usual)
    if made is None:
        return _answer(route, 204 if status == 200 else status, headers, b"", None)
    try:
        body = wire.encode(made).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _unfit(route, f"what cannot be JSON: {error}") from None
    return _answer(route, status, headers, body, "application/json; charset=utf-8")


def _answer(
    route: Route,
    status: object,
    headers: Mapping[str, str],
    body: bytes,
    content_type: str | None,
) -> Answer:
    if type(status) is not int or not 200 <= status <= 599:
        raise _unfit(route, f"the status {status!r}")
    if not isinstance(headers, Mapping):
        raise _unfit(route, f"headers that are no dict: {headers!r}")
    kept = []
    for name, value in [("Content-Type", content_type or ""), *headers.items()]:
        if not (isinstance(name, str) and isinstance(value, str)):
            raise _unfit(route, f"a header that is no text: {name!r}")
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
            raise _unfit(route, f"a header that cannot be sent: {name!r}")
        if name.lower() in _OURS:
            raise _unfit(route, f"the header {name}, which the server writes")
        if name.lower() == "content-type":
            content_type = value if content_type is not None else None
        else:
            kept.append((name, value))
    if status in (204, 304):
        body, content_type = b"", None
    return Answer(status=status, body=body, content_type=content_type, headers=tuple(kept))


def _unfit(route: Route, what: str) -> UserCodeError:
    return UserCodeError(f"{route.place}: the route returned {what}")


class Routes:
    """Lets routes answer.

    Thread: `answer` on any of the server's; handlers run on `bakend-route-N`.
    """

    def __init__(
        self,
        database: Database,
        runs: Runs,
        services: Services,
        *,
        clock: Clock,
        server_threads: int,
        limit_s: float,
    ) -> None:
        """Take the parts; no thread is started yet.

        Args:
            database: Where failed runs are kept.
            runs: How they are kept.
            services: What handlers use.
            clock: Where time comes from.
            server_threads: How many requests the server answers at once.
            limit_s: How long a request may take, where the route does not say so.
        """
        self._database = database
        self._runs = runs
        self._services = services
        self._clock = clock
        self._limit_s = limit_s
        self.most = max(1, server_threads - SPARED)
        """How many run at once."""
        self._slots = threading.BoundedSemaphore(self.most)
        self._workers = Workers(self.most, clock=clock, name="bakend-route")

    @property
    def given_up(self) -> list[str]:
        """Names of routes that did not end, oldest first."""
        return self._workers.given_up

    def stop(self) -> None:
        """Wait for no handler any more: whoever asked has been answered, or is gone."""
        for name in self._workers.drain(0):
            _log.warning("%s was still running at the stop and is given up", name)

    def answer(
        self,
        route: Route,
        request: Request,
        params: Mapping[str, Any],
        identity: Identity,
        request_id: str,
    ) -> Answer:
        """Let a route answer a request.

        Raises:
            UnavailableError: Too many run, or it took too long.
            UserCodeError: It failed, or returned what is no answer.
            BakendError: What the handler raised.
        """
        if not self._slots.acquire(blocking=False):
            raise UnavailableError("Too many requests to routes of the project at once")
        try:
            return self._run(route, request, params, identity, request_id)
        finally:
            self._slots.release()

    def _run(
        self,
        route: Route,
        request: Request,
        params: Mapping[str, Any],
        identity: Identity,
        request_id: str,
    ) -> Answer:
        began_at = to_text(self._clock.now())
        limit_s = route.limit_s(self._limit_s)
        logger = Logger(route.name)
        made: list[Answer | Exception] = []
        ends: list[Outcome] = []
        ended = threading.Event()

        def perform(call: Call) -> None:
            ctx = RouteContext(
                self._services, call, logger, request=request, params=params, identity=identity
            )
            try:
                made.append(answer_of(context.run(route.call, ctx, limit_s), route))
            except Exception as error:  # noqa: BLE001  theirs; what it means is said below
                made.append(error)

        def done(outcome: Outcome) -> None:
            ends.append(outcome)
            ended.set()

        if not self._workers.submit(Call(route.name, perform, done, limit_s=limit_s)):
            raise UnavailableError("The server is stopping")
        # The watch of the pool ends each call; the limit here is for the end of the pool itself.
        ended.wait(limit_s + 2 * GRACE_S)
        outcome = ends[0] if ends else Outcome(error="did not end")
        failure: BakendError
        if outcome.error is not None:
            failure = UnavailableError("The route took too long", hint=outcome.error)
            if outcome.trace:  # it ended in a way of its own, such as SystemExit
                failure = UserCodeError(f"{route.name}: {outcome.error}")
            self._note(route, outcome.error, [*logger.lines, outcome.trace], began_at, request_id)
            raise failure
        result = made[0]
        if isinstance(result, Answer):
            return result
        if isinstance(result, BakendError) and result.code != BakendError.code:
            raise result
        trace = "" if isinstance(result, UserCodeError) else trace_of(result)
        shown = f"{type(result).__name__}: {result}"
        self._note(route, shown, [*logger.lines, trace], began_at, request_id)
        if isinstance(result, BakendError):
            raise result
        raise UserCodeError(f"{route.name}: {shown}") from result.with_traceback(theirs(result))

    def _note(
        self, route: Route, error: str, lines: list[str], began_at: str, request_id: str
    ) -> None:
        """Keep what failed for whoever looks at runs."""
        log = "\n".join([f"INFO request {request_id}", *filter(None, lines)])
        try:
            with self._database.write() as tx:
                self._runs.note_failed(
                    tx, ROUTE, route.name, error=error, log=log, began_at=began_at
                )
        except BakendError as failure:  # the client gets his answer all the same
            _log.warning("A failed run of %s is not kept: %s", route.name, failure.message)
