"""The project that the official clients are tried against, and what each kind of server adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from processes import make_project

ADMIN_EMAIL: Final = "admin@example.com"
ADMIN_PASSWORD: Final = "correct horse battery"
ADMIN: Final[Mapping[str, str]] = {
    "BAKEND_ADMIN_EMAIL": ADMIN_EMAIL,
    "BAKEND_ADMIN_PASSWORD": ADMIN_PASSWORD,
}
"""The environment of a server that makes its administrator when it starts, and of who logs in as him."""

OPERATIONS: Final = ("create", "read", "update", "delete")

POSTS: Final[dict[str, Any]] = {
    "name": "posts",
    "fields": [
        {"name": "title", "type": "string", "required": True, "min": 2, "max": 80},
        {"name": "content", "type": "text"},
        {"name": "views", "type": "integer", "min": 0},
        {"name": "score", "type": "float"},
        {"name": "published", "type": "boolean"},
        {"name": "due", "type": "datetime"},
        {"name": "tags", "type": "json"},
        {"name": "slug", "type": "string", "unique": True, "regex": "^[a-z-]+$"},
        {"name": "cover", "type": "file"},
    ],
    "permissions": dict.fromkeys(OPERATIONS, "public"),
}
"""For everybody, with a field of nearly every type."""


def notes(name: str, **rules: str) -> dict[str, Any]:
    """Return a collection of notes that have owners."""
    return {
        "name": name,
        "fields": [
            {"name": "text", "type": "text", "required": True},
            {"name": "user_id", "type": "string"},
        ],
        "permissions": rules,
    }


COLLECTIONS: Final = (
    POSTS,
    *(
        notes(f"{rule}_notes", **dict.fromkeys(OPERATIONS, rule))
        for rule in ("public", "authenticated", "owner", "admin")
    ),
    notes("articles", create="authenticated", read="public", update="owner", delete="owner"),
    notes("empty_notes", **dict.fromkeys(OPERATIONS, "public")),
)


def make(folder: Path, **settings: object) -> Path:
    """Write the project into a folder, and return it."""
    return make_project(folder, COLLECTIONS, **settings)
