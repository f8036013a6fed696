"""Backups for administrators: `/api/admin/backups`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer, no_content
from bakend.api.downloads import answer
from bakend.api.requests import identity_of
from bakend.errors import BackupError, NotFoundError
from bakend.storage.file import StoredFile

if TYPE_CHECKING:
    from bakend.backups.backups import Backup
    from bakend.backups.keeper import BackupKeeper


def add_routes(blueprint: Blueprint, keeper: Callable[[], BackupKeeper]) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        keeper: Returns what is asked; it is made when it is first needed.
    """

    @blueprint.get("/backups")
    def list_backups() -> Response:
        kept = keeper()
        items = [each.as_json() for each in kept.entries()]
        failed = kept.failed
        return json_answer(
            {
                "items": items,
                "total": len(items),
                "running": kept.running,
                "failed": None if failed is None else failed.as_json(),
            }
        )

    @blueprint.post("/backups")
    def create_backup() -> Response:
        name = keeper().request(identity_of(request).actor)
        return json_answer({"name": name, "status": "running"}, 202)

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
