"""Owner of the table `_files`."""

from __future__ import annotations

from bakend.database.transaction import Row, Snapshot
from bakend.storage.file import StoredFile

_SELECT = (
    "SELECT id, filename, mime_type, size, visibility, user_id, created_at, sha256 FROM _files"
)


class FileStore:
    """Rows of `_files`. Thread: any, inside the caller's transaction."""

    def find(self, snapshot: Snapshot, file_id: str) -> StoredFile | None:
        """Return the file of an id, or None."""
        row = snapshot.one(f"{_SELECT} WHERE id = ?", (file_id,))
        return None if row is None else _file(row)


def _file(row: Row) -> StoredFile:
    return StoredFile(
        id=row["id"],
        filename=row["filename"],
        mime_type=row["mime_type"],
        size_bytes=row["size"],
        visibility=row["visibility"],
        user_id=row["user_id"],
        created_at=row["created_at"],
        sha256=row["sha256"],
    )
