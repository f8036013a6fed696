"""Files as others know them: a row in `_files` and bytes on the disk, kept together.

A row never stands without its bytes. An upload is whole on the disk before its transaction begins,
and moved to its place inside of it, before the commit; a deletion moves the bytes only after its
commit. What ends in between, by a crash, leaves bytes without a row, which harm nobody and are
found by `bak storage prune`: it looks inside a transaction, where no upload can be half-way.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import BinaryIO, Final

from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.transaction import Row, Snapshot, Transaction
from bakend.errors import AuthenticationError, BakendError, NotFoundError
from bakend.events.event import Actor, file_deleted, file_uploaded
from bakend.ids import new_id
from bakend.storage.blobs import Blobs
from bakend.storage.file import StoredFile
from bakend.storage.incoming import Incoming

_SELECT: Final = "SELECT * FROM _files"
NOT_FOUND: Final = "File not found"

Allow = Callable[[StoredFile], None]
"""Raises where somebody may not."""

_log = logging.getLogger("bakend.storage")


class FileStore:
    """Owner of `_files`. Thread: any."""

    def __init__(
        self,
        database: Database,
        blobs: Blobs,
        *,
        clock: Clock,
        max_bytes: int,
        user_exists: Callable[[Snapshot, str], bool],
    ) -> None:
        """Take the parts.

        Args:
            database: Where the rows are.
            blobs: Where the bytes are.
            clock: Where time comes from.
            max_bytes: Of one file.
            user_exists: Whether a user has this id.
        """
        self._database = database
        self._blobs = blobs
        self._clock = clock
        self._max_bytes = max_bytes
        self._user_exists = user_exists

    # Reading.

    def find(self, snapshot: Snapshot, file_id: str) -> StoredFile | None:
        """Return the file of an id, or None."""
        row = snapshot.one(f"{_SELECT} WHERE id = ?", (file_id,))
        return None if row is None else _file(row)

    def get(self, file_id: str) -> StoredFile:
        """Return the file of an id.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.read() as snapshot:
            return self._get(snapshot, file_id)

    def page(self, *, limit: int, offset: int) -> tuple[list[StoredFile], int]:
        """Return files, the newest first, and how many there are."""
        with self._database.read() as snapshot:
            rows = snapshot.all(
                f"{_SELECT} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?", (limit, offset)
            )
            return [_file(row) for row in rows], snapshot.value("SELECT count(*) FROM _files")

    def everything(self, snapshot: Snapshot) -> list[StoredFile]:
        """Return all files, the oldest first."""
        return [_file(row) for row in snapshot.all(f"{_SELECT} ORDER BY created_at, id")]

    def of_user(self, snapshot: Snapshot, user_id: str) -> list[StoredFile]:
        """Return the files that a user owns, the oldest first."""
        rows = snapshot.all(f"{_SELECT} WHERE user_id = ? ORDER BY created_at, id", (user_id,))
        return [_file(row) for row in rows]

    def open(self, file: StoredFile) -> BinaryIO:
        """Return the bytes of a file to read; they can be read to the end, whoever deletes it.

        Raises:
            NotFoundError: It was deleted a moment ago, or its bytes are gone or damaged.
        """
        stream = self._blobs.open(file.id)
        if stream is not None:
            size = os.fstat(stream.fileno()).st_size
            if size == file.size_bytes:
                return stream
            stream.close()
            _log.error("file %s has %d bytes on the disk, not %d", file.id, size, file.size_bytes)
        elif self._is_there(file.id):
            _log.error("file %s has a row and no bytes on the disk", file.id)
        raise NotFoundError(NOT_FOUND)

    # Writing.

    def receive(self) -> Incoming:
        """Return a file to be written, for `add`; leaving its block removes it.

        Raises:
            StorageFullError: No space is left.
        """
        return self._blobs.receive(max_bytes=self._max_bytes)

    def add(
        self,
        incoming: Incoming,
        *,
        filename: str,
        mime_type: str,
        visibility: str,
        user_id: str | None,
        actor: Actor,
        depth: int = 0,
    ) -> StoredFile:
        """Keep a file that has arrived.

        Args:
            incoming: Its bytes.
            filename: Clean.
            mime_type: Of the file.
            visibility: One of `VISIBILITIES`.
            user_id: Who owns it; None for nobody.
            actor: Who acts.
            depth: How many handlers deep.

        Raises:
            InvalidInputError: It is empty or too large.
            AuthenticationError: Its owner was deleted meanwhile.
            StorageFullError: No space is left; nothing is kept.
        """
        incoming.require_fit()
        sha256 = incoming.finish()
        file_id = new_id("fil")
        try:
            with self._database.write(actor=actor, depth=depth) as tx:
                if user_id is not None and not self._user_exists(tx, user_id):
                    raise AuthenticationError("Unauthorized")
                file = StoredFile(
                    id=file_id,
                    filename=filename,
                    mime_type=mime_type,
                    size_bytes=incoming.size_bytes,
                    visibility=visibility,
                    user_id=user_id,
                    created_at=to_text(self._clock.now()),
                    sha256=sha256,
                )
                _insert(tx, file)
                tx.emit(file_uploaded(file.to_wire()))
                self._blobs.keep(incoming, file_id)
        except BaseException:
            with contextlib.suppress(BakendError, OSError):
                # Asked, because a failure may also come right behind the commit.
                if not self._is_there(file_id):
                    self._blobs.remove(file_id)
            raise
        return file

    def delete(self, file_id: str, allow: Allow, *, actor: Actor, depth: int = 0) -> None:
        """Delete a file; records that name it keep its id.

        Args:
            file_id: Which.
            allow: Raises where somebody may not.
            actor: Who acts.
            depth: How many handlers deep.

        Raises:
            NotFoundError: There is none.
        """
        allow(self.get(file_id))  # who may not need not wait for the writer to hear it
        with self._database.write(actor=actor, depth=depth) as tx:
            file = self._get(tx, file_id)
            allow(file)
            self.forget(tx, file)
        self.discard([file.id])

    def forget(self, tx: Transaction, file: StoredFile) -> None:
        """Delete a row, in somebody's transaction; after its commit, `discard` the bytes."""
        tx.execute("DELETE FROM _files WHERE id = ?", (file.id,))
        tx.emit(file_deleted(file.to_wire()))

    def discard(self, file_ids: Sequence[str]) -> None:
        """Move the bytes of deleted files away. What fails is logged: the files are deleted already."""
        for file_id in file_ids:
            try:
                self._blobs.discard(file_id)
            except BakendError as error:
                _log.warning(
                    "file %s is deleted, its bytes stay until `bak storage prune`: %s",
                    file_id,
                    error.message,
                )

    def clean(self) -> None:
        """Remove what was deleted long enough ago, and what processes that are gone left unfinished."""
        self._blobs.clean()

    def _get(self, snapshot: Snapshot, file_id: str) -> StoredFile:
        file = self.find(snapshot, file_id)
        if file is None:
            raise NotFoundError(NOT_FOUND)
        return file

    def _is_there(self, file_id: str) -> bool:
        with self._database.read() as snapshot:
            return self.find(snapshot, file_id) is not None


def _insert(tx: Transaction, file: StoredFile) -> None:
    tx.execute(
        "INSERT INTO _files"
        " (id, filename, mime_type, size, visibility, user_id, created_at, sha256)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            file.id,
            file.filename,
            file.mime_type,
            file.size_bytes,
            file.visibility,
            file.user_id,
            file.created_at,
            file.sha256,
        ),
    )


def _file(row: Row) -> StoredFile:
    return StoredFile(
        id=row["id"],
        filename=row["filename"],
        mime_type=row["mime_type"],
        size_bytes=row["size"],
        visibility=row["visibility"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        # A command that only looks may see a database before its migration.
        sha256=row["sha256"] if "sha256" in row.keys() else None,  # noqa: SIM118  # no dict
    )
