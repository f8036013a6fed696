"""Whether the server answers: `/health`, and `/` for those who just look."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer
from bakend.version import VERSION


def routes(warnings: Callable[[], Sequence[str]]) -> Blueprint:
    """Return the routes `/` and `/health`.

    Args:
        warnings: Returns what should be looked at; none of it keeps the server from its work.
    """
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/")
    @blueprint.get("/health")
    def health() -> Response:
        answer: dict[str, object] = {"status": "ok", "version": VERSION}
        if found := warnings():
            answer["warnings"] = found
        return json_answer(answer)

    return blueprint
