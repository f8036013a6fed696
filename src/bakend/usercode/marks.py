"""The decorators of functions and jobs: they only mark.

    @on_create("posts")
    def notify(ctx): ...

What is marked is noted in the module whose code is running, under `__bakend_marks__`, where the
loader finds it: a lambda, one function for two events, and a handler that another module made are
all found, and nothing outside of that module knows of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import FrameType, MappingProxyType
from typing import Any, Final, TypeVar, overload

from bakend.structs import Struct

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)

NOTED: Final = "__bakend_marks__"
"""Where in a module its marks are."""

AFTER: Final = "after"
BEFORE: Final = "before"
JOB: Final = "job"
ROUTE: Final = "route"
TASK: Final = "task"

METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""What a route may answer; `HEAD` comes with `GET`, and `OPTIONS` is Bakend's own."""
CALLERS: Final = (None, "user", "admin")
"""Whom a route may be for: everybody, who is signed in, administrators."""
OWN_PREFIX: Final = "/api/_"
"""What stands before the path of each route; no collection can be called so."""

MISSED: Final = ("skip", "once")


class Mark(Struct, kw_only=True):
    """One registration of one handler."""

    kind: str
    """`after`, `before`, `job`, `route` or `task`."""
    handler: Handler
    line: int
    """Where in the file it was marked."""
    collection: str = ""
    type: str = ""
    """`create`, `update`, `delete`, `login`, `register`, `logout`, `event`, `route` or `task`; before a
    write `before_create`, `before_update` or `before_delete`."""
    event_type: str = ""
    """Which events: `posts.created`; with `.*` at its end all that begin so. Before a write there is
    none yet, and this is `posts.before_create`. Of a route, methods and path: `GET /api/_/x/<name>`."""
    options: Mapping[str, Any] = MappingProxyType({})

    @property
    def word(self) -> str:
        """What the handler is called."""
        return getattr(self.handler, "__name__", type(self.handler).__name__)

    @property
    def name(self) -> str:
        """The name that it was given, or else is called."""
        return str(self.options.get("name", self.word))

    def takes(self, event_type: str) -> bool:
        """Tell whether an event of this type is one for the handler."""
        wanted = self.event_type
        if wanted.endswith(".*"):
            return event_type.startswith(wanted[:-1])
        return wanted in (event_type, "*")


class _Decorator:
    """Marks what it is put on."""

    def __init__(self, caller: FrameType, **said: Any) -> None:
        self._marks = caller.f_globals.setdefault(NOTED, [])
        self._line = caller.f_lineno
        self._said = said
        if isinstance(self._marks, tuple):
            raise RuntimeError("Handlers are registered while their file is loaded, not later")

    def __call__(self, handler: H) -> H:
        if not callable(handler):
            raise TypeError(f"A handler must be callable, not {handler!r}")
        self._marks.append(Mark(handler=handler, line=self._line, **self._said))
        return handler


def _on_record(
    kind: str, operation: str, collection: str, handler: Handler | None, **options: Any
) -> Any:
    if not isinstance(collection, str) or not collection:
        raise TypeError('The collection must be named: @on_create("posts")')
    return _marked(
        handler,
        kind=kind,
        collection=collection,
        type=operation,
        event_type=f"{collection}.{operation}d",
        options=_checked(options),
    )


def _on_user(operation: str, collection: str, handler: Handler | None, **options: Any) -> Any:
    return _marked(
        handler,
        kind=AFTER,
        collection=collection,
        type=operation,
        event_type=f"auth.{operation}",
        options=_checked(options),
    )


def _marked(handler: Handler | None, **said: Any) -> Any:
    decorator = _Decorator(sys._getframe(3), **said)
    return decorator if handler is None else decorator(handler)


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    attempts, timeout = options.get("attempts"), options.get("timeout")
    if attempts is not None and (type(attempts) is not int or attempts < 1):
        raise ValueError(f"attempts must be a whole number from 1 on, not {attempts!r}")
    if timeout is not None and (not isinstance(timeout, int | float) or timeout <= 0):
        raise ValueError(f"timeout must be seconds, not {timeout!r}")
    return {name: value for name, value in options.items() if value is not None}


@overload
def on_create(
    collection: str, handler: None = None, *, attempts: int = ..., timeout: float | None = ...
) -> Callable[[H], H]: ...
@overload
def on_create(
    collection: str, handler: H, *, attempts: int = ..., timeout: float | None = ...
) -> H: ...
def on_create(
    collection: str,
    handler: Handler | None = None,
    *,
    attempts: int = 5,
    timeout: float | None = None,
) -> Any:
    """Run after a record of a collection was created."""
    return _on_record(AFTER, "create", collection, handler, attempts=attempts, timeout=timeout)


@overload
def on_update(
    collection: str, handler: None = None, *, attempts: int = ..., timeout: float | None = ...
) -> Callable[[H], H]: ...
@overload
def on_update(
    collection: str, handler: H, *, attempts: int = ..., timeout: float | None = ...
) -> H: ...
def on_update(
    collection: str,
    handler: Handler | None = None,
    *,
    attempts: int = 5,
    timeout: float | None = None,
) -> Any:
    """Run after a record of a collection was changed."""
    return _on_record(AFTER, "update", collection, handler, attempts=attempts, timeout=timeout)


@overload
def on_delete(
    collection: str, handler: None = None, *, attempts: int = ..., timeout: float | None = ...
) -> Callable[[H], H]: ...
@overload
def on_delete(
    collection: str, handler: H, *, attempts: int = ..., timeout: float | None = ...
) -> H: ...
def on_delete(
    collection: str,
    handler: Handler | None = None,
    *,
    attempts: int = 5,
    timeout: float | None = None,
) -> Any:
    """Run after a record of a collection was deleted; `ctx.old` is what it was."""
    return _on_record(AFTER, "delete", collection, handler, attempts=attempts, timeout=timeout)


def _before(operation: str, collection: str, handler: Handler | None, timeout: float | None) -> Any:
    if not isinstance(collection, str) or not collection:
        raise TypeError(f'The collection must be named: @before_{operation}("posts")')
    return _marked(
        handler,
        kind=BEFORE,
        collection=collection,
        type=f"before_{operation}",
        event_type=f"{collection}.before_{operation}",
        options=_checked({"timeout": timeout}),
    )


@overload
def before_create(
    collection: str, handler: None = None, *, timeout: float | None = ...
) -> Callable[[H], H]: ...
@overload
def before_create(collection: str, handler: H, *, timeout: float | None = ...) -> H: ...
def before_create(
    collection: str, handler: Handler | None = None, *, timeout: float | None = None
) -> Any:
    """Run before a record of a collection is created, as a part of it; `Reject` refuses it."""
    return _before("create", collection, handler, timeout)


@overload
def before_update(
    collection: str, handler: None = None, *, timeout: float | None = ...
) -> Callable[[H], H]: ...
@overload
def before_update(collection: str, handler: H, *, timeout: float | None = ...) -> H: ...
def before_update(
    collection: str, handler: Handler | None = None, *, timeout: float | None = None
) -> Any:
    """Run before a record of a collection is changed, as a part of it; `Reject` refuses it."""
    return _before("update", collection, handler, timeout)


@overload
def before_delete(
    collection: str, handler: None = None, *, timeout: float | None = ...
) -> Callable[[H], H]: ...
@overload
def before_delete(collection: str, handler: H, *, timeout: float | None = ...) -> H: ...
def before_delete(
    collection: str, handler: Handler | None = None, *, timeout: float | None = None
) -> Any:
    """Run before a record of a collection is deleted, as a part of it; `Reject` refuses it."""
    return _before("delete", collection, handler, timeout)


@overload
def on_login(
    collection: str = "users",
    handler: None = None,
    *,
    attempts: int = ...,
    timeout: float | None = ...,
) -> Callable[[H], H]: ...
@overload
def on_login(
    collection: str, handler: H, *, attempts: int = ..., timeout: float | None = ...
) -> H: ...
def on_login(
    collection: str = "users",
    handler: Handler | None = None,
    *,
    attempts: int = 5,
    timeout: float | None = None,
) -> Any:
    """Run after somebody has logged in; the collection is for the reader only."""
    return _on_user("login", collection, handler, attempts=attempts, timeout=timeout)


@overload
def on_register(
    collection: str = "users",
    handler: None = None,
    *,
    attempts: int = ...,
    timeout: float | None = ...,
) -> Callable[[H], H]: ...
@overload
def on_register(
    collection: str, handler: H, *, attempts: int = ..., timeout: float | None = ...
) -> H: ...
def on_register(
    collection: str = "users",
    handler: Handler | None = None,
    *,
    attempts: int = 5,
    timeout: float | None = None,
) -> Any:
    """Run after somebody has registered; the collection is for the reader only."""
    return _on_user("register", collection, handler, attempts=attempts, timeout=timeout)


@overload
def on_logout(
    collection: str = "users",
    handler: None = None,
    *,
    attempts: int = ...,
    timeout: float | None = ...,
) -> Callable[[H], H]: ...
@overload
def on_logout(
    collection: str, handler: H, *, attempts: int = ..., timeout: float | None = ...
) -> H: ...
def on_logout(
    collection: str = "users",
    handler: Handler | None = None,
    *,
    attempts: int = 5,
    timeout: float | None = None,
) -> Any:
    """Run after somebody has logged out; the collection is for the reader only."""
    return _on_user("logout", collection, handler, attempts=attempts, timeout=timeout)


def on_event(
    event_type: str,
    handler: Handler | None = None,
    *,
    attempts: int = 5,
    timeout: float | None = None,
) -> Any:
    """Run after each event of a type, such as `storage.uploaded`; of `posts.*` all that begin so."""
    if not isinstance(event_type, str) or not event_type:
        raise TypeError('The type of the event must be named: @on_event("storage.uploaded")')
    return _marked_here(
        handler,
        kind=AFTER,
        type="event",
        event_type=event_type,
        options=_checked({"attempts": attempts, "timeout": timeout}),
    )


def job(
    schedule: str,
    handler: Handler | None = None,
    *,
    name: str | None = None,
    attempts: int = 3,
    retry_delay: float = 5,
    timeout: float | None = None,
    timezone: str | None = None,
    missed: str = "skip",
) -> Any:
    """Run at the times of a cron expression.

    Args:
        schedule: Five fields, such as `*/5 * * * *`, or `@hourly`, `@daily`, `@weekly`, `@monthly`,
            `@yearly`.
        handler: What to run, where it is not decorated.
        name: How the job is called; that of the function, if none is given.
        attempts: How often it is tried in one run.
        retry_delay: Seconds between two attempts.
        timeout: Seconds that an attempt may take; `functions.timeout`, if none are given.
        timezone: Of the schedule, such as `Europe/Berlin`; the server's, if none is given.
        missed: What becomes of a time at which no server ran: `skip`, or run it `once`.
    """
    return _marked_here(
        handler,
        kind=JOB,
        options=_checked(
            {
                "schedule": schedule,
                "name": name,
                "attempts": attempts,
                "retry_delay": retry_delay,
                "timeout": timeout,
                "timezone": timezone,
                "missed": missed,
            }
        ),
    )


def route(
    method: str | Sequence[str],
    path: str,
    *,
    auth: str | None = None,
    timeout: float | None = None,
) -> Callable[[H], H]:
    """Answer the requests to `/api/_` + path.

    Args:
        method: Such as `GET`, or several: `["GET", "POST"]`.
        path: Such as `/hello/<name>`; also `<int:number>`, and `<path:rest>` for what has slashes.
        auth: Who may: None for everybody, `user` for who is signed in, `admin`.
        timeout: Seconds that a request may take; `functions.timeout`, if none are given.
    """
    methods = [method] if isinstance(method, str) else [*method]
    if not methods or not all(each in METHODS for each in methods):
        raise ValueError(f"A route answers {', '.join(METHODS)}, not {method!r}")
    if not isinstance(path, str):
        raise TypeError('The path must be given: @route("GET", "/hello")')
    if auth not in CALLERS:
        raise ValueError(f'auth is None, "user" or "admin", not {auth!r}')
    path = f"/{path.strip('/')}"
    decorator: Callable[[H], H] = _marked_here(
        None,
        kind=ROUTE,
        type="route",
        event_type=f"{','.join(methods)} {OWN_PREFIX}{path}",
        options=_checked({"methods": methods, "path": path, "auth": auth, "timeout": timeout}),
    )
    return decorator


@overload
def task(handler: H, /) -> H: ...
@overload
def task(
    *, name: str | None = ..., attempts: int = ..., timeout: float | None = ...
) -> Callable[[H], H]: ...
def task(
    handler: Handler | None = None,
    /,
    *,
    name: str | None = None,
    attempts: int = 5,
    timeout: float | None = None,
) -> Any:
    """Run when `ctx.enqueue` asks for it, in the background.

    Args:
        handler: What to run, where nothing else is said: `@task` alone.
        name: How the task is called; as the function is, if none is given.
        attempts: How often it is tried.
        timeout: Seconds that an attempt may take; `functions.timeout`, if none are given.
    """
    return _marked_here(
        handler,
        kind=TASK,
        type="task",
        event_type="task",
        options=_checked({"name": name, "attempts": attempts, "timeout": timeout}),
    )


def task_name(handler: Handler) -> str | None:
    """Return the name of the task that a handler is, whichever load it is of; None if it is none."""
    module = sys.modules.get(getattr(handler, "__module__", None) or "")
    for names in (getattr(handler, "__globals__", {}), vars(module) if module else {}):
        for mark in names.get(NOTED, ()):
            if mark.kind == TASK and mark.handler is handler:
                return str(mark.name)
    return None


def _marked_here(handler: Handler | None, **said: Any) -> Any:
    return _marked(handler, **said)
