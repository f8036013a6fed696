"""What the files in `functions/` ask for: each handler with its name, its events or its route."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from bakend.functions.routes import Route, RouteKey, require_free, routes_of
from bakend.structs import Struct
from bakend.usercode import loader
from bakend.usercode.context import Context, bound
from bakend.usercode.loader import UserFile
from bakend.usercode.marks import AFTER, BEFORE, ROUTE, TASK, Handler, Mark
from bakend.usercode.tasks import Task, still_free, tasks_of

FOLDER: Final = "functions"


class Function(Struct, kw_only=True):
    """One handler of one kind of events, or of writes to one collection."""

    name: str
    """`functions/posts/notify.py:notify@posts.created`: what its place in the log is kept under."""
    file: str
    mark: Mark
    call: Callable[[Context], Any]

    @property
    def attempts(self) -> int:
        """How often an event is tried."""
        return int(self.mark.options.get("attempts", 1))

    def limit_s(self, default_s: float) -> float:
        """Return how long a run may take."""
        return float(self.mark.options.get("timeout", default_s))


class Registry(Struct, kw_only=True):
    """What one load of `functions/` has found."""

    files: tuple[UserFile, ...] = ()
    functions: tuple[Function, ...] = ()
    """Those that run after events."""
    hooks: tuple[Function, ...] = ()
    """Those that run before writes, in the order of their files."""
    routes: tuple[Route, ...] = ()
    tasks: tuple[Task, ...] = ()

    @property
    def errors(self) -> dict[str, str]:
        """Return each file that does not load, and why."""
        return {file.path: file.error for file in self.files if file.error is not None}


def load(project: Path, before: Registry | None = None) -> Registry:
    """Load all files.

    Args:
        project: The folder of `bakend.json`.
        before: What runs now: of a file that does not load any more, its handlers stay.
    """
    old = {} if before is None else {file.path: file for file in before.files}
    files: list[UserFile] = []
    functions: list[Function] = []
    routes: list[Route] = []
    taken: dict[RouteKey, Route] = {}
    tasks: dict[str, Task] = {}
    for each in loader.load(project, FOLDER):
        file, found, served, asked = each, [], [], []
        if file.error is None:
            try:
                found, served = functions_of(file), routes_of(file)
                asked = tasks_of(file, tasks)
                require_free(served, taken)
            except ValueError as error:
                file = UserFile(path=file.path, error=str(error))
        if file.error is not None and file.path in old and before is not None:
            kept = old[file.path]
            file = kept.replaced(error=file.error)
            everything = (*before.functions, *before.hooks)
            found = [one for one in everything if one.file == file.path]
            served = [one for one in before.routes if one.file == file.path]
            served = [one for one in served if taken.keys().isdisjoint(one.keys)]
            asked = still_free(before.tasks, file.path, tasks)
        elif file.error is not None:
            found, served, asked = [], [], []
        files.append(file)
        functions += found
        routes += served
        taken.update({key: one for one in served for key in one.keys})
        tasks.update({one.name: one for one in asked})
    return Registry(
        files=tuple(files),
        functions=tuple(each for each in functions if each.mark.kind == AFTER),
        hooks=tuple(each for each in functions if each.mark.kind == BEFORE),
        routes=tuple(routes),
        tasks=tuple(tasks.values()),
    )


def functions_of(file: UserFile) -> list[Function]:
    """Return the handlers of a file.

    Raises:
        ValueError: One cannot be called; the sentence has the line.
    """
    found: list[Function] = []
    seen: Counter[str] = Counter()
    for mark in file.marks:
        if mark.kind in (ROUTE, TASK):
            continue
        if mark.kind not in (AFTER, BEFORE):
            raise ValueError(f"{file.path}:{mark.line}: jobs belong into the folder jobs")
        if mark.kind == BEFORE and not _is_plain(mark.handler):
            raise ValueError(
                f"{file.path}:{mark.line}: {mark.word} must be a plain def: the write waits for it"
            )
        name = f"{file.path}:{mark.word}@{mark.event_type}"
        seen[name] += 1
        if seen[name] > 1:
            name = f"{name}#{seen[name]}"
        try:
            call = bound(mark.handler)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{file.path}:{mark.line}: {mark.word} {error}") from error
        found.append(Function(name=name, file=file.path, mark=mark, call=call))
    return found


def _is_plain(handler: Handler) -> bool:
    """Tell whether a call runs it to its end: not `async`, and without `yield`."""
    return not any(
        test(each)
        for each in (handler, getattr(handler, "__call__", None))  # noqa: B004  its code is asked for
        for test in (
            inspect.iscoroutinefunction,
            inspect.isasyncgenfunction,
            inspect.isgeneratorfunction,
        )
    )


def listed(registry: Registry, *, given_up: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the functions and the files that do not load, as the API and `bak` show them."""
    handlers: list[Function | Route | Task] = [
        *registry.functions,
        *registry.hooks,
        *registry.routes,
        *registry.tasks,
    ]
    items: list[dict[str, Any]] = [
        {
            "name": each.name,
            "collection": each.mark.collection,
            "type": each.mark.type,
            "eventType": each.mark.event_type,
            "filePath": each.file,
            "error": registry.errors.get(each.file),
            "givenUp": given_up.count(each.name),
        }
        for each in handlers
    ]
    named = {each.file for each in handlers}
    items += [
        {
            "name": path,
            "collection": "",
            "type": "",
            "eventType": "",
            "filePath": path,
            "error": error,
            "givenUp": 0,
        }
        for path, error in registry.errors.items()
        if path not in named
    ]
    return items
