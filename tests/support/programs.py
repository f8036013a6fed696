"""Functions of a project, for tests: small ones that write down what they were given."""

from __future__ import annotations

from typing import Any, Final

POSTS: Final[dict[str, Any]] = {
    "name": "posts",
    "fields": [{"name": "title", "type": "string"}, {"name": "number", "type": "integer"}],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "public"),
}

SEEN: Final[dict[str, Any]] = {
    "name": "seen",
    "fields": [{"name": "what", "type": "text"}],
    "permissions": {},
}
"""Where functions of a test note what they saw."""

NOTE: Final = """
from bakend import on_create

@on_create("posts")
def note(ctx):
    ctx.records.create("seen", {"what": ctx.record["title"]})
"""
