"""Which URLs are routes: the parts of Flask's routing that Bakend does its own way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from werkzeug.routing import Rule


class Route(Rule):
    """A route that is only ever matched.

    For each route Werkzeug writes and compiles two functions that make its URL, 0.6 ms at each start.
    Nobody here asks for the URL of a route. Should Werkzeug rename the method, starts get slower.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., NoReturn]:  # noqa: ARG002
        return _no_url


def _no_url(route: Rule, **_values: object) -> NoReturn:
    raise NotImplementedError(f"nobody makes URLs from {route.rule}")
