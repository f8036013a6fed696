"""Files, as handlers see them: `ctx.storage`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from bakend.auth.user import User
from bakend.errors import AuthenticationError, NotFoundError
from bakend.events.event import Actor
from bakend.storage.files import FileStore
from bakend.storage.media import is_well_formed, media_type
from bakend.storage.names import clean_name
from bakend.usercode.depth import require_shallow
from bakend.usercode.workers import Call

PIECE_BYTES: Final = 64 * 1024
"""What is in memory at once of a file that is put."""


class Storage:
    """Uploaded files."""

    def __init__(self, call: Call, files: FileStore, actor: Actor, depth: int) -> None:
        self._call = call
        self._files = files
        self._actor = actor
        self._depth = depth

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

    def put(
        self,
        name: str,
        data: bytes | bytearray | memoryview | BinaryIO,
        *,
        content_type: str | None = None,
        owner: str | User | None = None,
        public: bool = False,
    ) -> dict[str, Any]:
        """Keep a file, as an upload does, and return what is known of it.

        Args:
            name: What it is called: a label, cleaned like that of an upload.
            data: Its bytes, or a file that is open for reading them, which is read to its end.
            content_type: What it is; told from the name, if nothing is said.
            owner: The user, or the id of the user, whose it is; nobody's, if nothing is said.
            public: Whether everybody may read it, and not only the owner and administrators.

        Raises:
            InvalidInputError: It is empty, or larger than `storage.maxFileSize`.
            StorageFullError: No space is left; nothing is kept.
            TypeError: The data are no bytes.
            ValueError: There is no such owner or type.
        """
        require_shallow(self._call.name, self._depth)
        filename = clean_name(name)
        if content_type is not None and not is_well_formed(content_type):
            raise ValueError(f"{content_type!r} cannot be the type of a file")
        owner_id = owner.id if isinstance(owner, User) else owner
        incoming = None
        try:
            with self._call.shielded():
                incoming = self._files.receive()
            for piece in _pieces(data):
                with self._call.shielded():
                    incoming.write(piece)
                    incoming.require_fit()  # no more is read than may be kept
            with self._call.shielded():
                return self._files.add(
                    incoming,
                    filename=filename,
                    mime_type=content_type or media_type(filename, ""),
                    visibility="public" if public else "protected",
                    user_id=owner_id,
                    actor=self._actor,
                    depth=self._depth,
                ).to_wire()
        except AuthenticationError:  # what an upload of somebody who is gone is told
            raise ValueError(f"There is no user {owner_id!r} to own {filename}") from None
        finally:
            if incoming is not None:
                incoming.close()

    def delete(self, file_id: str) -> bool:
        """Delete a file; False where there is none of that id."""
        require_shallow(self._call.name, self._depth)
        with self._call.shielded():
            try:
                self._files.delete(
                    file_id, lambda _file: None, actor=self._actor, depth=self._depth
                )
            except NotFoundError:
                return False
            return True


def _pieces(data: bytes | bytearray | memoryview | BinaryIO) -> Iterator[bytes]:
    """Yield the bytes in pieces, none of them empty.

    Raises:
        TypeError: They are no bytes.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        whole = memoryview(data).cast("B")
        for start in range(0, len(whole), PIECE_BYTES):
            yield bytes(whole[start : start + PIECE_BYTES])
        return
    if not hasattr(data, "read"):
        raise TypeError(f"A file is put as bytes or a file to read, not {type(data).__name__}")
    while piece := data.read(PIECE_BYTES):
        if not isinstance(piece, bytes):
            raise TypeError("The file to read gives text: open it in binary mode, such as 'rb'")
        yield piece
