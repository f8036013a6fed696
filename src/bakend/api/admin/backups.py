"""Backups for administrators: `/api/admin/backups`."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer, no_content
from bakend.api.downloads import answer
from bakend.api.requests import identity_of, json_object
from bakend.errors import BackupError, InvalidInputError, NotFoundError
from bakend.storage.file import StoredFile
from bakend.upkeep import Upkeep

if TYPE_CHECKING:
    from bakend.backups.backups import Backup


def add_routes(blueprint: Blueprint, upkeep: Upkeep, *, json_depth: int) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        upkeep: What is asked.
        json_depth: How deep a body may be nested.
    """
    keeper = upkeep.keeper

    @blueprint.get("/backups")
    def list_backups() -> Response:
        kept = keeper()
        items = [each.as_json() for each in kept.entries()]
        failed, restored = kept.failed, upkeep.restored
        return json_answer(
            {
                "items": items,
                "total": len(items),
                "running": kept.running,
                "failed": None if failed is None else failed.as_json(),
                "restore": None if restored is None else restored.as_json(),
                "schedule": upkeep.plan(),
            }
        )

    @blueprint.post("/backups")
    def create_backup() -> Response:
        name = keeper().request(identity_of(request).actor)
        return json_answer({"name": name, "status": "running"}, 202)

    @blueprint.put("/backups/schedule")  # no archive has such a name
    def change_schedule() -> Response:
        wanted = json_object(request, max_depth=json_depth)
        upkeep.change_plan(wanted, identity_of(request).actor)
        return json_answer(upkeep.plan())

    @blueprint.get("/backups/<backup>")
    def download_backup(backup: str) -> Response:
        kept = keeper()
        found = kept.find(backup)
        if request.method == "GET":  # first: what cannot be written into the audit is not given out
            kept.tell(found.name, "downloaded", identity_of(request).actor)
        return answer(request, _as_file(found), lambda _file: _open(found))

    @blueprint.delete("/backups/<backup>")
    def delete_backup(backup: str) -> Response:
        keeper().remove(backup, identity_of(request).actor)
        return no_content()

    @blueprint.post("/backups/<backup>/verify")
    def verify_backup(backup: str) -> Response:
        try:
            verified = keeper().verify(backup)
        except BackupError as error:
            return json_answer({"name": backup, "ok": False, "error": error.message})
        told = verified.manifest
        return json_answer(
            {
                "name": backup,
                "ok": True,
                "files": verified.files,
                "bakend": None if told is None else told.bakend,
                "schema": None if told is None else told.schema,
                "createdAt": None if told is None else told.created_at,
                "missing": [] if told is None else [*told.missing],
                "damaged": [] if told is None else [*told.damaged],
            }
        )

    @blueprint.post("/backups/<backup>/restore")
    def restore_backup(backup: str) -> Response:
        body = json_object(request, max_depth=json_depth) if request.get_data() else {}
        data_only = body.get("dataOnly", False)
        if not isinstance(data_only, bool):
            raise InvalidInputError("dataOnly must be true or false")
        upkeep.restore(backup, data_only=data_only, actor=identity_of(request).actor)
        return json_answer({"name": backup, "status": "restoring"}, 202)


def _as_file(backup: Backup) -> StoredFile:
    """Return a backup as what downloads know: whole or in parts, and whether it has changed."""
    return StoredFile(
        id=f"{backup.name}-{backup.path.stat().st_mtime_ns}",
        filename=backup.name,
        mime_type="application/gzip",
        size_bytes=backup.size_bytes,
        visibility="protected",
        user_id=None,
        created_at=backup.created_at,
        sha256=None,
    )


def _open(backup: Backup) -> BinaryIO:
    try:
        return backup.path.open("rb", buffering=0)
    except FileNotFoundError:
        raise NotFoundError("Backup not found") from None
