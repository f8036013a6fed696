"""The event log for administrators: `/api/admin/events`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer
from bakend.api.requests import clamped, place_in
from bakend.database.connection import Database
from bakend.errors import InvalidInputError
from bakend.events.log import EventLog

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 500

_KIND: Final = r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?"


def add_routes(blueprint: Blueprint, database: Database, log: EventLog) -> None:
    """Add the route.

    Args:
        blueprint: Of `/api/admin`.
        database: Where the log is.
        log: What happened.
    """

    @blueprint.get("/events")
    def list_events() -> Response:
        after, before = place_in(request.args)
        limit = clamped(request.args, "limit", default=LIMIT_DEFAULT, high=LIMIT_MAX)
        kind = _kind(request.args)
        with database.read() as snapshot:
            reached = log.end(snapshot)
            if after is None:
                events = log.last(snapshot, limit=limit, kind=kind, before=before)
            else:
                events = log.since(snapshot, after, limit=limit, kind=kind)
        if after is not None and len(events) == limit:
            reached = events[-1].seq
        elif before is not None:
            reached = min(reached, before - 1)
        items = [
            {**event.to_wire(), "seq": event.seq, "subject": event.subject, "actor": event.actor}
            for event in events
        ]
        return json_answer({"items": items, "next": reached})


def _kind(query: Mapping[str, str]) -> str:
    kind = query.get("type")
    if kind is not None and not re.fullmatch(_KIND, kind):
        raise InvalidInputError(
            'type must be a type of events, or all that begin alike ("posts.*")'
        )
    return kind or ""
