"""Definitions that many tests use."""

from __future__ import annotations

from typing import Any, Final

EVERYTHING: Final[dict[str, Any]] = {
    "name": "everything",
    "fields": [
        {"name": "a_string", "type": "string"},
        {"name": "a_text", "type": "text"},
        {"name": "an_integer", "type": "integer"},
        {"name": "a_float", "type": "float"},
        {"name": "a_boolean", "type": "boolean"},
        {"name": "a_datetime", "type": "datetime"},
        {"name": "a_json", "type": "json"},
        {"name": "a_relation", "type": "relation", "collection": "lists"},
        {"name": "a_file", "type": "file"},
    ],
    "permissions": {
        "create": "public",
        "read": "public",
        "update": "public",
        "delete": "public",
    },
}
"""A field of every type, all of them optional."""

LISTS: Final[dict[str, Any]] = {
    "name": "lists",
    "fields": [{"name": "name", "type": "string", "required": True, "unique": True}],
    "permissions": EVERYTHING["permissions"],
}

TODOS: Final[dict[str, Any]] = {
    "name": "todos",
    "fields": [
        {"name": "title", "type": "string", "required": True, "min": 2, "max": 10},
        {"name": "priority", "type": "integer", "min": 0, "max": 5},
        {"name": "code", "type": "string", "regex": "^[A-Z]{3}$", "unique": True},
        {"name": "list", "type": "relation", "collection": "lists"},
        {"name": "done", "type": "boolean"},
    ],
    "permissions": EVERYTHING["permissions"],
}

SECRETS: Final[dict[str, Any]] = {
    "name": "secrets",
    "fields": [{"name": "text", "type": "text"}, {"name": "user_id", "type": "string"}],
    "permissions": {
        "create": "authenticated",
        "read": "owner",
        "update": "owner",
        "delete": "admin",
    },
}

COLLECTIONS: Final = (EVERYTHING, LISTS, TODOS, SECRETS)
