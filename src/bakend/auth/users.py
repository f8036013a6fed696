"""Owner of the table `_users`."""

from __future__ import annotations

from bakend.database.transaction import Snapshot


class UserStore:
    """Rows of `_users`. Thread: any, inside the caller's transaction."""

    def exists(self, snapshot: Snapshot, user_id: str) -> bool:
        """Tell whether a user has this id."""
        return snapshot.one("SELECT 1 FROM _users WHERE id = ?", (user_id,)) is not None
