"""Whether the server answers: `/health`, and `/` for those who just look."""

from __future__ import annotations

from flask import Blueprint
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer
from bakend.version import VERSION


def routes() -> Blueprint:
    """Return the routes `/` and `/health`."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/")
    @blueprint.get("/health")
    def health() -> Response:
        return json_answer({"status": "ok", "version": VERSION})

    return blueprint
