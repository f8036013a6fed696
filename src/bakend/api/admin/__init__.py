"""Administration over HTTP: everything below `/api/admin`.

Each file adds the routes of its first word behind `/api/admin` by `add_routes(blueprint, …)`;
`api/app.py` calls them with what they need. Who asks is looked at here and nowhere else.
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, request

from bakend import access
from bakend.api.requests import identity_of

PREFIX: Final = "/api/admin"


def blueprint() -> Blueprint:
    """Return the blueprint that the files of this folder add their routes to.

    Registering it also lets nobody but administrators below the prefix. That is asked before there
    is a 404 or 405, so that nobody else finds out what there is; the framework asks a blueprint
    only about its own routes, so the whole application is what asks.

    `OPTIONS` is answered to everybody: browsers send it ahead of a request, and never with a token.
    """
    admin = Blueprint("admin", __name__, url_prefix=PREFIX)

    @admin.before_app_request
    def require_admin() -> None:
        is_below = request.path == PREFIX or request.path.startswith(f"{PREFIX}/")
        if is_below and request.method != "OPTIONS":
            access.require_admin(identity_of(request))

    return admin
