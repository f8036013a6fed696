"""Owner of the table `_users`."""

from __future__ import annotations

from bakend.auth.user import User
from bakend.database.transaction import Row, Snapshot, Transaction
from bakend.errors import ConflictError, NotFoundError

_SELECT = "SELECT id, email, role, created_at FROM _users"


class UserStore:
    """Rows of `_users`. Thread: any, inside the caller's transaction."""

    def exists(self, snapshot: Snapshot, user_id: str) -> bool:
        """Tell whether a user has this id."""
        return snapshot.one("SELECT 1 FROM _users WHERE id = ?", (user_id,)) is not None

    def find(self, snapshot: Snapshot, user_id: str) -> User | None:
        """Return the user of an id, or None."""
        row = snapshot.one(f"{_SELECT} WHERE id = ?", (user_id,))
        return None if row is None else _user(row)

    def email_of(self, snapshot: Snapshot, user_id: str) -> str | None:
        """Return the address of a user, or None."""
        user = self.find(snapshot, user_id)
        return None if user is None else user.email

    def get(self, snapshot: Snapshot, user_id: str) -> User:
        """Return the user of an id.

        Raises:
            NotFoundError: There is none.
        """
        user = self.find(snapshot, user_id)
        if user is None:
            raise NotFoundError("User not found")
        return user

    def find_by_email(self, snapshot: Snapshot, email: str) -> User | None:
        """Return the user of an address in its normal form, or None."""
        row = snapshot.one(f"{_SELECT} WHERE email = ?", (email,))
        return None if row is None else _user(row)

    def password_hash(self, snapshot: Snapshot, user_id: str) -> str | None:
        """Return the hash of a user's password; None where there is no such user."""
        found: str | None = snapshot.value(
            "SELECT password_hash FROM _users WHERE id = ?", (user_id,)
        )
        return found

    def page(
        self, snapshot: Snapshot, *, limit: int, offset: int, search: str = ""
    ) -> tuple[list[User], int]:
        """Return users from the newest on, and how many there are.

        Args:
            snapshot: What to read.
            limit: Most users to return.
            offset: How many to leave out first.
            search: A part of the address; all users where it is empty.
        """
        where = "" if not search else " WHERE instr(email, ?) > 0"
        given = (search.lower(),) if search else ()
        rows = snapshot.all(
            f"{_SELECT}{where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
            (*given, limit, offset),
        )
        total: int = snapshot.value("SELECT count(*) FROM _users" + where, given)
        return [_user(row) for row in rows], total

    def count_admins(self, snapshot: Snapshot) -> int:
        """Return how many administrators there are."""
        number: int = snapshot.value("SELECT count(*) FROM _users WHERE role = 'admin'")
        return number

    def insert(self, tx: Transaction, user: User, password_hash: str) -> None:
        """Add a user.

        Raises:
            ConflictError: Somebody has that address.
        """
        if self.find_by_email(tx, user.email) is not None:
            raise ConflictError("Email is already registered")
        tx.execute(
            "INSERT INTO _users (id, email, password_hash, role, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (user.id, user.email, password_hash, user.role, user.created_at),
        )

    def set_role(self, tx: Transaction, user_id: str, role: str) -> None:
        """Change what a user may do."""
        tx.execute("UPDATE _users SET role = ? WHERE id = ?", (role, user_id))

    def set_password_hash(self, tx: Transaction, user_id: str, password_hash: str) -> None:
        """Change a user's password."""
        tx.execute("UPDATE _users SET password_hash = ? WHERE id = ?", (password_hash, user_id))

    def delete(self, tx: Transaction, user_id: str) -> None:
        """Delete a user and the sessions; files that are left have no owner then."""
        tx.execute("DELETE FROM _users WHERE id = ?", (user_id,))


def _user(row: Row) -> User:
    return User(id=row["id"], email=row["email"], role=row["role"], created_at=row["created_at"])
