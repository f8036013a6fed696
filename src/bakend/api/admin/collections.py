"""Collections for administrators: `/api/admin/collections` and `/api/admin/collections/<name>`.

`dryRun=true` answers with the plan, and nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer, no_content
from bakend.api.requests import boolean, identity_of, json_object
from bakend.collections.editor import CollectionEditor, Entry
from bakend.errors import DestructiveChangeError

FileWords = Callable[[], Mapping[str, str]]


def add_routes(
    blueprint: Blueprint, editor: CollectionEditor, *, file_words: FileWords, json_depth: int
) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        editor: Shows and changes collections.
        file_words: Returns how each collection stands to its file, as `bak migrate status` has it.
        json_depth: How deep a body may be nested.
    """

    @blueprint.get("/collections")
    def list_collections() -> Response:
        words = file_words()
        return json_answer({"items": [_shown(entry, words) for entry in editor.entries()]})

    @blueprint.post("/collections")
    def create_collection() -> Response:
        is_rehearsal = boolean(request.args, "dryRun")
        body = json_object(request, max_depth=json_depth)
        if is_rehearsal:
            return json_answer(editor.plan_new(body).as_json())
        entry = editor.create(body, actor=identity_of(request).actor)
        return json_answer(_shown(entry, file_words()), 201)

    @blueprint.get("/collections/<name>")
    def get_collection(name: str) -> Response:
        return json_answer(_shown(editor.entry(name), file_words()))

    @blueprint.put("/collections/<name>")
    def change_collection(name: str) -> Response:
        editor.entry(name)  # 404 comes before the 400 of query and body
        is_rehearsal = boolean(request.args, "dryRun")
        is_destructive = boolean(request.args, "destructive")
        body = json_object(request, max_depth=json_depth)
        if is_rehearsal:
            return json_answer(editor.plan_change(name, body).as_json())
        try:
            entry = editor.change(
                name, body, allow_destructive=is_destructive, actor=identity_of(request).actor
            )
        except DestructiveChangeError as error:
            losses = [f"Would lose stored values: {fault}" for fault in error.faults]
            raise DestructiveChangeError(
                [*losses, "Nothing was changed; with destructive=true it is done all the same"]
            ) from error
        return json_answer(_shown(entry, file_words()))

    @blueprint.delete("/collections/<name>")
    def delete_collection(name: str) -> Response:
        editor.entry(name)
        if boolean(request.args, "dryRun"):
            return json_answer(editor.plan_deletion(name).as_json())
        editor.delete(name, actor=identity_of(request).actor)
        return no_content()


def _shown(entry: Entry, words: Mapping[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": entry.name,
        "definition": entry.definition,
        "createdAt": entry.created_at,
        "updatedAt": entry.updated_at,
        "status": words.get(entry.name, "db_only"),
        "warnings": entry.warnings,
    }
    if entry.broken:
        shown["broken"] = entry.broken
    return shown
