"""Files, as handlers see them: `ctx.storage`."""

from __future__ import annotations

from typing import Any, BinaryIO

from bakend.errors import NotFoundError
from bakend.events.event import Actor
from bakend.storage.files import FileStore
from bakend.usercode.workers import Call


class Storage:
    """Uploaded files."""

    def __init__(self, call: Call, files: FileStore, actor: Actor) -> None:
        self._call = call
        self._files = files
        self._actor = actor

    def get(self, file_id: str) -> dict[str, Any] | None:
        """Return what is known of a file, None where there is none of that id."""
        with self._call.shielded():
            try:
                return self._files.get(file_id).to_wire()
            except NotFoundError:
                return None

    def open(self, file_id: str) -> BinaryIO:
        """Return the bytes of a file to read; close it, best by `with`."""
        with self._call.shielded():
            return self._files.open(self._files.get(file_id))

    def read(self, file_id: str) -> bytes:
        """Return the bytes of a file."""
        with self.open(file_id) as stream:
            return stream.read()

    def delete(self, file_id: str) -> bool:
        """Delete a file; False where there is none of that id."""
        with self._call.shielded():
            try:
                self._files.delete(file_id, lambda _file: None, actor=self._actor)
            except NotFoundError:
                return False
            return True
