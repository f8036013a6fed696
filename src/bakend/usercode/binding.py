"""What a handler's parameters ask for: parts of its context, and values that have names of their own.

A route has the words of its path, a task its arguments. A part and a value cannot share a name.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any, Final

from bakend.structs import Struct
from bakend.usercode.marks import Handler

NAMES: Final = (
    "auth",
    "db",
    "enqueue",
    "event",
    "logger",
    "now",
    "old",
    "record",
    "records",
    "secrets",
    "settings",
    "storage",
)
"""What a handler may ask for by the names of its parameters, beside `ctx`."""

WITHOUT_EVENT: Final = tuple(name for name in NAMES if name not in ("event", "old", "record"))
"""The same where nothing has happened that could be told."""


class Wanted(Struct, kw_only=True):
    """What a handler is to be called with."""

    handler: Handler
    context_as: str | None
    """The parameter that gets the whole context under a name of its own."""
    parts: frozenset[str]
    needs: frozenset[str]
    """Values that it cannot do without."""
    takes: frozenset[str]
    """Values that it can be given."""
    takes_any: bool
    """Whether it takes values of any name."""

    def call(self, ctx: object, values: Mapping[str, Any]) -> Any:
        """Call it; values that it did not ask for are left out."""
        given = {name: ctx if name == "ctx" else getattr(ctx, name) for name in self.parts}
        if self.context_as is not None:
            given[self.context_as] = ctx
        given |= {
            name: value
            for name, value in values.items()
            if name not in given and (self.takes_any or name in self.takes)
        }
        return self.handler(**given)

    def misfits(self, values: Collection[str]) -> tuple[list[str], list[str]]:
        """Return which values are missing, and which it does not know."""
        unknown = [] if self.takes_any else [name for name in values if name not in self.takes]
        return sorted(self.needs - set(values)), unknown


def wanted(
    handler: Handler, parts: Collection[str], *, values: Collection[str] | None = None
) -> Wanted:
    """Return what a handler asks for.

    Args:
        handler: Of the user's.
        parts: Names of what its context has, beside `ctx`.
        values: Names of the values that there will be; None where any can come.

    Raises:
        TypeError: It asks for something that there is not.
    """
    parameters = list(inspect.signature(handler).parameters.values())
    if any(each.kind is each.POSITIONAL_ONLY for each in parameters):
        raise TypeError("asks for parameters without a name")
    named = [
        each for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]
    known = {*parts, "ctx"}
    others = [each for each in named if each.name not in known]
    context_as = None
    if values is not None:
        unknown = [
            each.name for each in others if each.name not in values and each.default is each.empty
        ]
        if len(named) == 1 and unknown:  # any name will do for the only one
            context_as = unknown.pop()
        if unknown:
            there = ", ".join(["ctx", *sorted(parts), *sorted(values)])
            raise TypeError(f"asks for {', '.join(unknown)}; there are {there}")
        others = [each for each in others if each.name in values]
    return Wanted(
        handler=handler,
        context_as=context_as,
        parts=frozenset(each.name for each in named if each.name in known),
        needs=frozenset(each.name for each in others if each.default is each.empty),
        takes=frozenset(each.name for each in others),
        takes_any=any(each.kind is each.VAR_KEYWORD for each in parameters),
    )
