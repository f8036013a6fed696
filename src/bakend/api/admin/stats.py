"""How the server is, at one glance, for administrators: `/api/admin/stats`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint
from werkzeug.wrappers import Response

from bakend.accounts.administration import Accounts
from bakend.api.answers import json_answer
from bakend.api.traffic import Traffic
from bakend.clock import to_text
from bakend.records.store import RecordStore
from bakend.storage.files import FileStore

if TYPE_CHECKING:
    from bakend.programs import Programs

COUNTED_MAX: Final = 100_000
"""Of a larger collection it is only said that it is larger: counting goes through all of it."""
COLLECTIONS_MAX: Final = 50
FAILURES: Final = 5


def add_routes(
    blueprint: Blueprint,
    traffic: Traffic,
    *,
    records: RecordStore,
    files: FileStore,
    accounts: Accounts,
    programs: Callable[[], Programs],
    database_file: Path,
) -> None:
    """Add the route.

    Args:
        blueprint: Of `/api/admin`.
        traffic: What was asked in the last hour.
        records: Whose collections are counted.
        files: Whose number and size are told.
        accounts: Whose number is told.
        programs: Returns whose failures are told.
        database_file: Whose size is told, and the disk that it is on.
    """

    @blueprint.get("/stats")
    def show_stats() -> Response:
        count, size = files.totals()
        _users, users = accounts.page(limit=1, offset=0)
        return json_answer(
            {
                "startedAt": to_text(traffic.started_at),
                "uptimeMs": round(traffic.uptime_s() * 1000),
                "requests": traffic.as_json(),
                "disk": {**_disk(database_file), "files": size},
                "users": users,
                "files": count,
                "collections": [
                    {"name": name, "count": min(found, COUNTED_MAX), "isMore": found > COUNTED_MAX}
                    for name, found in records.sizes(COUNTED_MAX + 1, COLLECTIONS_MAX).items()
                ],
                "failures": _failures(programs()),
            }
        )


def _disk(database_file: Path) -> dict[str, int]:
    import shutil  # which no start needs

    usage = shutil.disk_usage(database_file.parent)
    parts = (database_file, database_file.with_name(f"{database_file.name}-wal"))
    size = sum(part.stat().st_size for part in parts if part.exists())
    return {"database": size, "free": usage.free, "total": usage.total}


def _failures(programs: Programs) -> list[dict[str, Any]]:
    """Return the last runs of functions and jobs that have failed, the newest first."""
    runs = [
        run
        for kind in ("function", "job")
        for run in programs.runs(kind, status="failed", limit=FAILURES)[0]
    ]
    runs.sort(key=lambda run: run.ended_at or run.created_at, reverse=True)
    return [run.as_json() for run in runs[:FAILURES]]
