"""What administrators changed: `/api/admin/audit`."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer
from bakend.api.requests import clamped, place_in
from bakend.audit import Audit

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 500


def add_routes(blueprint: Blueprint, audit: Audit) -> None:
    """Add the route.

    Args:
        blueprint: Of `/api/admin`.
        audit: What is asked.
    """

    @blueprint.get("/audit")
    def list_changes() -> Response:
        after, before = place_in(request.args)
        entries = audit.page(
            after=after,
            before=before,
            limit=clamped(request.args, "limit", default=LIMIT_DEFAULT, high=LIMIT_MAX),
            actor=request.args.get("actor", ""),
        )
        reached = entries[-1].seq if entries else after or 0
        return json_answer({"items": [each.as_json() for each in entries], "next": reached})
