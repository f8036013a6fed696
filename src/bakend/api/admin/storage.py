"""Everybody's files for administrators: `/api/admin/storage`."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend import access
from bakend.api.answers import json_answer, no_content
from bakend.api.requests import OFFSET_MAX, clamped, identity_of
from bakend.records.store import RecordStore
from bakend.storage.files import FileStore

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 100


def add_routes(blueprint: Blueprint, files: FileStore, records: RecordStore) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        files: What is listed and deleted.
        records: What names files.
    """

    @blueprint.get("/storage")
    def list_files() -> Response:
        limit, offset = _place()
        items, total = files.page(limit=limit, offset=offset)
        return json_answer({"items": [file.to_wire() for file in items], "total": total})

    @blueprint.get("/storage/<file_id>/uses")
    def list_uses(file_id: str) -> Response:
        limit, offset = _place()
        uses = records.uses_of(files.get(file_id).id, limit=limit, offset=offset)
        items = [use.as_json() for use in uses.items]
        return json_answer({"items": items, "total": uses.total, "broken": uses.broken})

    @blueprint.delete("/storage/<file_id>")
    def delete_file(file_id: str) -> Response:
        identity = identity_of(request)
        files.delete(
            file_id, lambda file: access.require_owned(identity, file), actor=identity.actor
        )
        return no_content()


def _place() -> tuple[int, int]:
    """Return limit and offset of a list."""
    return (
        clamped(request.args, "limit", default=LIMIT_DEFAULT, high=LIMIT_MAX),
        clamped(request.args, "offset", default=0, low=0, high=OFFSET_MAX),
    )
