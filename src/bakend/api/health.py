"""Whether the server answers: `/health`, `/` for those who just look, and `/metrics`."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend import access
from bakend.api.answers import json_answer
from bakend.api.requests import boolean, identity_of
from bakend.metrics import CONTENT_TYPE
from bakend.structs import Struct
from bakend.version import VERSION


class Looks(Struct, kw_only=True):
    """How one finds out how the server is."""

    warnings: Callable[[], Sequence[str]]
    """Returns what should be looked at; none of it keeps the server from its work."""
    check: Callable[[], Mapping[str, bool]]
    """Looks deeper: each thing, and whether it is well. Must be cheap for a crowd."""
    metrics: Callable[[], str]
    """Returns numbers in Prometheus' text format."""
    token: str | None
    """Opens `/metrics` beside an administrator's; None for administrators only."""


def routes(looks: Looks) -> Blueprint:
    """Return the routes `/`, `/health` and `/metrics`."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/")
    @blueprint.get("/health")
    def health() -> Response:
        answer: dict[str, object] = {"status": "ok", "version": VERSION}
        if found := looks.warnings():
            answer["warnings"] = found
        if not boolean(request.args, "deep"):
            return json_answer(answer)
        checks = looks.check()
        is_well = all(checks.values())
        answer |= {"status": "ok" if is_well else "failing", "checks": checks}
        return json_answer(answer, 200 if is_well else 503)

    @blueprint.get("/metrics")
    def metrics() -> Response:
        given = request.headers.get("Authorization", "").encode()
        if looks.token is None or not hmac.compare_digest(given, f"Bearer {looks.token}".encode()):
            access.require_admin(identity_of(request))
        return Response(looks.metrics(), content_type=CONTENT_TYPE)

    return blueprint
