"""Everybody's files for administrators: `/api/admin/storage`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend import access
from bakend.api.answers import json_answer, no_content
from bakend.api.requests import identity_of
from bakend.storage.files import FileStore

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 100
OFFSET_MAX: Final = 2**53


def add_routes(blueprint: Blueprint, files: FileStore) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        files: What is listed and deleted.
    """

    @blueprint.get("/storage")
    def list_files() -> Response:
        items, total = files.page(
            limit=max(1, min(_number(request.args, "limit") or LIMIT_DEFAULT, LIMIT_MAX)),
            offset=max(0, min(_number(request.args, "offset"), OFFSET_MAX)),
        )
        return json_answer({"items": [file.to_wire() for file in items], "total": total})

    @blueprint.delete("/storage/<file_id>")
    def delete_file(file_id: str) -> Response:
        identity = identity_of(request)
        files.delete(
            file_id, lambda file: access.require_owned(identity, file), actor=identity.actor
        )
        return no_content()


def _number(query: Mapping[str, str], name: str) -> int:
    """Return a number of the query; what is none counts as 0, as the original has it."""
    text = query.get(name, "")
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return 0
    value = int(digits.lstrip("0")[:20] or "0")  # int() takes long over thousands of digits
    return value if text == digits else -value
