"""Routes of the project's own: `/api/_/…`.

Flask's routes are made once, at the start; these come and go with the files that have them. So one
route of Flask takes all, and behind it each load of the files has a map of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from flask import Blueprint, g, request
from werkzeug.routing import IntegerConverter, Map
from werkzeug.routing.map import MapAdapter
from werkzeug.wrappers import Response

from bakend import access
from bakend.api.answers import no_content
from bakend.api.requests import Networks, client_address, identity_of
from bakend.api.routing import Route as Rule
from bakend.auth.identity import Identity
from bakend.errors import NotFoundError

if TYPE_CHECKING:
    from bakend.functions.routes import Route
    from bakend.programs import Programs

METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


def routes(
    programs: Callable[[], Programs], *, json_depth: int, trusted_proxies: Networks
) -> Blueprint:
    """Return the route that all of them are behind.

    Args:
        programs: Returns what has them; it is made when it is first needed.
        json_depth: How deep a body may be nested.
        trusted_proxies: Who may say from where a request comes.
    """
    blueprint = Blueprint("own_routes", __name__)
    table = _Table()

    @blueprint.route("/api/_/<path:path>", methods=METHODS, provide_automatic_options=False)
    def answer(path: str) -> Response:
        from bakend.usercode.request import Request, Values  # most projects have no routes

        host = programs()
        own = host.own_routes
        adapter = table.of(own)
        if request.method == "OPTIONS":
            return _options(adapter, path)
        number, params = adapter.match(f"/{path}", request.method)
        route = own[number]
        identity = identity_of(request)
        _admit(route.auth, identity)
        asked = Request(
            method=request.method,
            path=request.path,
            query=Values(dict(request.args.lists()), kind="Query parameter"),
            headers=Values({name: [value] for name, value in request.headers}, kind="Header"),
            body=request.get_data(cache=False),
            address=client_address(request, trusted_proxies),
            json_depth=json_depth,
        )
        made = host.routes.answer(route, asked, params, identity, g.request_id)
        response = Response(made.body, made.status, content_type=made.content_type)
        if made.content_type is None:
            del response.headers["Content-Type"]
        for name, value in made.headers:
            response.headers[name] = value
        return response

    return blueprint


class _Digits(IntegerConverter):
    """A number that fits SQLite's; Python refuses to read thousands of digits, and loudly."""

    regex = r"[0-9]{1,18}"


class _Table:
    """The map of the routes that were loaded last. Thread: any."""

    def __init__(self) -> None:
        self._made: tuple[tuple[Route, ...], MapAdapter] | None = None

    def of(self, routes: tuple[Route, ...]) -> MapAdapter:
        """Return what finds one of these; made anew when they are others."""
        made = self._made
        if made is None or made[0] is not routes:  # two at once make it twice, which is no harm
            rules = [
                Rule(each.path, methods=each.methods, endpoint=number)
                for number, each in enumerate(routes)
            ]
            found = Map(
                rules,
                converters={"int": _Digits},
                strict_slashes=False,
                merge_slashes=False,
            )
            made = self._made = (routes, found.bind(""))
        return made[1]


def _options(adapter: MapAdapter, path: str) -> Response:
    allowed = adapter.allowed_methods(f"/{path}")
    if not allowed:
        raise NotFoundError("Not found")
    response = no_content()
    response.headers["Allow"] = ", ".join(sorted({*allowed, "OPTIONS"}))
    return response


def _admit(auth: str | None, identity: Identity) -> None:
    if auth == "user":
        access.require_user(identity)
    elif auth == "admin":
        access.require_admin(identity)
