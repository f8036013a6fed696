"""Putting something into an opened project: a file, a record."""

from __future__ import annotations

from bakend.events.event import Actor
from bakend.storage.file import StoredFile
from bakend.testing import TestProject


def add_file(project: TestProject, content: bytes = b"hello") -> StoredFile:
    """Upload something."""
    with project.app.database.read() as snapshot:
        user = snapshot.value("SELECT id FROM _users")
    with project.app.files.receive() as incoming:
        incoming.write(content)
        return project.app.files.add(
            incoming,
            filename="a.txt",
            mime_type="text/plain",
            visibility="public",
            user_id=user,
            actor=Actor(id=user),
        )


def add_list(project: TestProject, name: str) -> str:
    """Create a record and return its id."""
    answer = project.client.post("/api/lists", json={"name": name})
    assert answer.status_code == 201
    return str(answer.get_json()["id"])
