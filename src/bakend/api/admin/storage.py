"""Everybody's files for administrators: `/api/admin/storage`."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend import access
from bakend.api.answers import json_answer, no_content
from bakend.api.requests import OFFSET_MAX, clamped, identity_of
from bakend.storage.files import FileStore

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 100


def add_routes(blueprint: Blueprint, files: FileStore) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        files: What is listed and deleted.
    """

    @blueprint.get("/storage")
    def list_files() -> Response:
        items, total = files.page(
            limit=clamped(request.args, "limit", default=LIMIT_DEFAULT, high=LIMIT_MAX),
            offset=clamped(request.args, "offset", default=0, low=0, high=OFFSET_MAX),
        )
        return json_answer({"items": [file.to_wire() for file in items], "total": total})

    @blueprint.delete("/storage/<file_id>")
    def delete_file(file_id: str) -> Response:
        identity = identity_of(request)
        files.delete(
            file_id, lambda file: access.require_owned(identity, file), actor=identity.actor
        )
        return no_content()
