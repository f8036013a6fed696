"""The last lines of the log for administrators: `/api/admin/logs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer
from bakend.api.requests import SEQ_MAX, clamped, integer
from bakend.errors import InvalidInputError
from bakend.logs import LEVELS, RECENT_LINES, Level, Recent

LIMIT_DEFAULT: Final = 100


def add_routes(blueprint: Blueprint, recent_lines: Recent) -> None:
    """Add the route.

    Args:
        blueprint: Of `/api/admin`.
        recent_lines: Returns what is in memory.
    """

    @blueprint.get("/logs")
    def list_lines() -> Response:
        after = integer(request.args, "after", low=0, high=SEQ_MAX)
        lines = recent_lines(
            clamped(request.args, "limit", default=LIMIT_DEFAULT, high=RECENT_LINES),
            _level(request.args),
            search=request.args.get("search", ""),
            after=after,
        )
        items = [
            {
                "seq": line.seq,
                "timestamp": line.timestamp,
                "level": line.level,
                "message": line.message,
            }
            for line in lines
        ]
        return json_answer({"items": items, "next": lines[-1].seq if lines else after or 0})


def _level(query: Mapping[str, str]) -> Level:
    said = query.get("level", LEVELS[0])
    for level in LEVELS:
        if said == level:
            return level
    raise InvalidInputError(f"level must be one of: {', '.join(LEVELS)}")
