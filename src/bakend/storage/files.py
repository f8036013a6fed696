"""Owner of the table `_files`."""

from __future__ import annotations

from bakend.database.transaction import Snapshot


class FileStore:
    """Rows of `_files`. Thread: any, inside the caller's transaction."""

    def exists(self, snapshot: Snapshot, file_id: str) -> bool:
        """Tell whether a file has this id."""
        return snapshot.one("SELECT 1 FROM _files WHERE id = ?", (file_id,)) is not None
