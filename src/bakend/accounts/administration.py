"""Accounts as administrators see them, and what reaches beyond one table: the end of an account.

The same functions serve the admin API and `bak users`; who may call them was decided before.
"""

from __future__ import annotations

from typing import Final

from bakend.accounts.ending import Ending
from bakend.auth.credentials import normal_email, require_good_password
from bakend.auth.passwords import Passwords
from bakend.auth.sessions import Session, SessionStore
from bakend.auth.user import ROLES, User
from bakend.auth.users import UserStore
from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.transaction import Transaction
from bakend.errors import ConflictError, InvalidInputError, NotFoundError
from bakend.events.event import (
    Actor,
    session_revoked,
    user_deleted,
    user_registered,
    user_updated,
)
from bakend.ids import new_id

LAST_ADMIN: Final = "This is the last administrator: make another one first"


class Accounts:
    """All accounts. Thread: any."""

    def __init__(
        self,
        database: Database,
        users: UserStore,
        sessions: SessionStore,
        passwords: Passwords,
        *,
        clock: Clock,
        ending: Ending,
    ) -> None:
        self._database = database
        self._users = users
        self._sessions = sessions
        self._passwords = passwords
        self._clock = clock
        self._ending = ending

    def page(self, *, limit: int, offset: int, search: str = "") -> tuple[list[User], int]:
        """Return users from the newest on, and how many there are."""
        with self._database.read() as snapshot:
            return self._users.page(snapshot, limit=limit, offset=offset, search=search)

    def get(self, user_id: str) -> User:
        """Return a user.

        Raises:
            NotFoundError: There is none of that id.
        """
        with self._database.read() as snapshot:
            return self._users.get(snapshot, user_id)

    def find_by_email(self, email: str) -> User:
        """Return the user of an address.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.read() as snapshot:
            user = self._users.find_by_email(snapshot, email.strip().lower())
        if user is None:
            raise NotFoundError(f"No user has the address {email}")
        return user

    def create(self, email: str, password: str, role: str, actor: Actor) -> User:
        """Give somebody an account.

        Raises:
            InvalidInputError: No address, no good password, or no role.
            ConflictError: Somebody has that address.
        """
        email = normal_email(email)
        require_good_password(password)
        _require_role(role)
        password_hash = self._passwords.hash(password)
        with self._database.write(actor=actor) as tx:
            return self.insert(tx, email, password_hash, role)

    def set_role(self, user_id: str, role: str, actor: Actor) -> User:
        """Change what a user may do, from his next request on.

        Raises:
            NotFoundError: There is no such user.
            ConflictError: Nobody would be left to administrate.
        """
        _require_role(role)
        with self._database.write(actor=actor) as tx:
            user = self._users.get(tx, user_id)
            if user.role == role:
                return user
            if role != "admin":
                self._require_another_admin(tx, user)
            self._users.set_role(tx, user_id, role)
            changed = self._users.get(tx, user_id)
            tx.emit(user_updated(changed.to_wire(), user.to_wire()))
            return changed

    def set_password(self, user_id: str, password: str, actor: Actor) -> User:
        """Give a user another password; all his sessions end.

        Raises:
            NotFoundError: There is no such user.
            InvalidInputError: It is too short or too long.
        """
        require_good_password(password)
        password_hash = self._passwords.hash(password)
        with self._database.write(actor=actor) as tx:
            user = self._users.get(tx, user_id)
            self._users.set_password_hash(tx, user_id, password_hash)
            tx.emit(user_updated(user.to_wire(), user.to_wire()))
            if self._sessions.end_all(tx, user_id):
                tx.emit(session_revoked(user_id, None))
            return user

    def sessions(self, user_id: str) -> list[Session]:
        """Return a user's sessions, the newest first.

        Raises:
            NotFoundError: There is no such user.
        """
        with self._database.read() as snapshot:
            self._users.get(snapshot, user_id)
            return self._sessions.of_user(snapshot, user_id)

    def end_session(self, user_id: str, session_id: str, actor: Actor) -> None:
        """End one session of a user.

        Raises:
            NotFoundError: There is no such user, or no such session.
        """
        with self._database.write(actor=actor) as tx:
            self._users.get(tx, user_id)
            if not self._sessions.end(tx, user_id, session_id):
                raise NotFoundError("Session not found")
            tx.emit(session_revoked(user_id, session_id))

    def end_sessions(self, user_id: str, actor: Actor) -> None:
        """End all sessions of a user.

        Raises:
            NotFoundError: There is no such user.
        """
        with self._database.write(actor=actor) as tx:
            self._users.get(tx, user_id)
            if self._sessions.end_all(tx, user_id):
                tx.emit(session_revoked(user_id, None))

    def delete(self, user_id: str, actor: Actor, *, data: str | None = None) -> None:
        """End an account, in one transaction: user, sessions, what is personal, and the data.

        Args:
            user_id: Whose.
            actor: Who does it.
            data: `keep` or `delete`, in place of the setting `auth.deletedUserData`.

        Raises:
            NotFoundError: There is no such user.
            ConflictError: Nobody would be left to administrate.
            UnavailableError: A collection is broken, and files are kept as far as records name them.
        """
        with self._database.write(actor=actor) as tx:
            user = self._users.get(tx, user_id)
            self._require_another_admin(tx, user)
            gone = self._ending.leave(tx, user_id, data)
            self._users.delete(tx, user_id)
            tx.emit(user_deleted(user_id))
        self._ending.finish(gone)

    def insert(self, tx: Transaction, email: str, password_hash: str, role: str) -> User:
        """Add a user whose address and password are good, in somebody's transaction.

        Raises:
            ConflictError: Somebody has that address.
        """
        user = User(id=new_id("usr"), email=email, role=role, created_at=to_text(self._clock.now()))
        self._users.insert(tx, user, password_hash)
        tx.emit(user_registered(user.to_wire()))
        return user

    def _require_another_admin(self, tx: Transaction, user: User) -> None:
        if user.role == "admin" and self._users.count_admins(tx) == 1:
            raise ConflictError(LAST_ADMIN)


def _require_role(role: str) -> None:
    if role not in ROLES:
        raise InvalidInputError(f"role must be one of: {', '.join(ROLES)}")
