"""The event log for administrators: `/api/admin/events`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer
from bakend.api.requests import SEQ_MAX, clamped, integer
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
        after = integer(request.args, "after", low=0, high=SEQ_MAX)
        limit = clamped(request.args, "limit", default=LIMIT_DEFAULT, high=LIMIT_MAX)
        kind = _kind(request.args)
        with database.read() as snapshot:
            end = log.end(snapshot)
            if after is None:
                events = log.last(snapshot, limit=limit, kind=kind)
            else:
                events = log.since(snapshot, after, limit=limit, kind=kind)
        is_cut = after is not None and len(events) == limit
        items = [
            {**event.to_wire(), "seq": event.seq, "subject": event.subject, "actor": event.actor}
            for event in events
        ]
        return json_answer({"items": items, "next": events[-1].seq if is_cut else end})


def _kind(query: Mapping[str, str]) -> str:
    kind = query.get("type")
    if kind is not None and not re.fullmatch(_KIND, kind):
        raise InvalidInputError(
            'type must be a type of events, or all that begin alike ("posts.*")'
        )
    return kind or ""
