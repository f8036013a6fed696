"""Which URLs are routes: the parts of Flask's routing that Bakend does its own way."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import NoReturn

from werkzeug.routing import Rule


class Route(Rule):
    """A route that is only ever matched.

    For each route Werkzeug writes and compiles two functions that make its URL, 0.6 ms at each start.
    Nobody here asks for the URL of a route. Should Werkzeug rename the method, starts get slower.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., NoReturn]:  # noqa: ARG002
        return _no_url


@cache
def shown(rule: str) -> str:
    """Return a route for people: `/api/<collection>` for `/api/<collection:name>`."""
    return re.sub(r"<(\w+):\w+>", r"<\1>", rule)


def _no_url(route: Rule, **_values: object) -> NoReturn:
    raise NotImplementedError(f"nobody makes URLs from {route.rule}")
