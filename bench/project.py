"""The project that is measured: two collections, one of them filled."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench.servers import Server

RECORDS: Final = 1_000
MANY: Final = 100_000
"""Of the list that the dashboard is measured with."""

FIELDS: Final = [
    {"name": "title", "type": "string", "required": True, "max": 200},
    {"name": "done", "type": "boolean"},
    {"name": "priority", "type": "integer"},
    {"name": "due", "type": "datetime"},
    {"name": "tags", "type": "json"},
]
EVERYONE: Final = dict.fromkeys(("create", "read", "update", "delete"), "public")

NEW_RECORD: Final[Mapping[str, Any]] = {
    "title": "Water the plants on the balcony",
    "done": False,
    "priority": 3,
    "due": "2026-11-23T16:05:48.347Z",
    "tags": ["home", "weekly"],
}


def make(folder: Path) -> None:
    """Write a project: `items` is read, `notes` is written to, so that lists stay as long as they are."""
    (folder / "collections").mkdir(parents=True)
    (folder / "bakend.json").write_text('{"auth": {"accessTokenTtl": "1d"}}\n')
    for name in ("items", "notes"):
        definition = {"name": name, "fields": FIELDS, "permissions": EVERYONE}
        (folder / "collections" / f"{name}.json").write_text(json.dumps(definition))


def fill(server: Server) -> str:
    """Create the records of `items` and return the id of one in the middle."""
    ids = [str(server.request("POST", "/api/items", NEW_RECORD)["id"]) for _ in range(RECORDS)]
    return ids[RECORDS // 2]


def fill_many(folder: Path) -> None:
    """Write many records of `items` past the server, in one transaction: as it would, only sooner."""
    began = datetime(2026, 1, 1, tzinfo=UTC)
    stamps = (
        (began + timedelta(seconds=number))
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
        for number in range(MANY)
    )
    tags = json.dumps(NEW_RECORD["tags"])
    rows = (
        (f"rec_{number:032x}", at, at, f"{NEW_RECORD['title']} {number}", 0, number, at, tags)
        for number, at in enumerate(stamps)
    )
    database = sqlite3.connect(folder / "bakend.db")
    try:
        with database:
            database.executemany(
                "INSERT INTO items (id, created_at, updated_at, title, done, priority, due, tags)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
    finally:
        database.close()


def sign_up(server: Server) -> str:
    """Make an account and return its access token, which lives as long as a run takes."""
    body = {"email": "bench@example.com", "password": "of no use to anybody"}
    return str(server.request("POST", "/api/auth/register", body)["token"])
