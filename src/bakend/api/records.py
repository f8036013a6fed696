"""Records over HTTP: `/api/<collection>` and `/api/<collection>/<id>`.

Order of the checks: method, collection, what the rule alone decides, body or record, validation.
"""

from __future__ import annotations

import logging
from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend import access
from bakend.access import GuardFor
from bakend.api.answers import json_answer, no_content
from bakend.api.requests import boolean, identity_of, integer, json_object
from bakend.records.query import ListQuery
from bakend.records.store import RecordStore

PAGE_MAX: Final = 1_000
"""Most records that `limit` may ask for."""

OFFSET_MAX: Final = 2**62
"""SQLite's integers end at 2^63; nobody has that many records."""

_log = logging.getLogger("bakend.api")


def routes(store: RecordStore, *, json_depth: int) -> Blueprint:
    """Return the routes of all collections.

    Args:
        store: Where the records are.
        json_depth: How deep a body may be nested.
    """
    blueprint = Blueprint("records", __name__)
    told_cut: set[str] = set()

    @blueprint.get("/api/<collection:name>")
    def list_records(name: str) -> Response:
        guard_for = _admit("read", name)
        query = ListQuery(
            limit=integer(request.args, "limit", low=1, high=PAGE_MAX),
            offset=integer(request.args, "offset", low=0, high=OFFSET_MAX) or 0,
            count=boolean(request.args, "count"),
        )
        page = store.list(name, query, guard_for)
        answer: dict[str, object] = {"items": page.items}
        if page.total is not None:
            answer["total"] = page.total
        if page.is_truncated:
            answer["truncated"] = True
            if name not in told_cut:
                told_cut.add(name)
                _log.warning(
                    'List of "%s" was cut at %d records: clients should use limit and offset,'
                    " or records.listMax may be raised",
                    name,
                    len(page.items),
                )
        return json_answer(answer)

    @blueprint.post("/api/<collection:name>")
    def create_record(name: str) -> Response:
        guard_for = _admit("create", name)
        body = json_object(request, max_depth=json_depth)
        return json_answer(store.create(name, body, guard_for), 201)

    @blueprint.get("/api/<collection:name>/<record_id>")
    def get_record(name: str, record_id: str) -> Response:
        return json_answer(store.get(name, record_id, access.guard(identity_of(request))))

    @blueprint.put("/api/<collection:name>/<record_id>")
    def update_record(name: str, record_id: str) -> Response:
        guard_for = _admit("update", name)
        store.require(
            name, record_id, "update", guard_for
        )  # 404 and 403 come before the body's 400
        body = json_object(request, max_depth=json_depth)
        return json_answer(store.update(name, record_id, body, guard_for))

    @blueprint.delete("/api/<collection:name>/<record_id>")
    def delete_record(name: str, record_id: str) -> Response:
        store.delete(name, record_id, access.guard(identity_of(request)))
        return no_content()

    def _admit(operation: str, name: str) -> GuardFor:
        """Refuse, before the body or the query is looked at; return how the store is to ask."""
        guard_for = access.guard(identity_of(request))
        guard_for(store.collection(name)).before(operation)
        return guard_for

    return blueprint
