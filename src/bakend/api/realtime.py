"""What answers under /api/realtime: nothing but a sentence, since WebSockets never get here."""

from __future__ import annotations

from typing import NoReturn

from flask import Blueprint

from bakend.errors import UpgradeRequiredError


def routes() -> Blueprint:
    """Return the route."""
    blueprint = Blueprint("realtime", __name__)

    @blueprint.get("/api/realtime")
    def no_upgrade() -> NoReturn:
        raise UpgradeRequiredError("A WebSocket handshake (version 13) is needed here")

    return blueprint
