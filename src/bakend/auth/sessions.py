"""Sessions, one for each login, and the refresh tokens that keep them alive: table `_sessions`.

A refresh token is good for one refresh, which gives its successor. Only hashes are stored: who reads
the database can't log in. A token that comes a second time was copied by somebody, and ends its
session: the one who copied it and the one from whom can't be told apart. But clients that send
several requests at once also refresh several times at once, with one token. So for `GRACE_S` after
its use a token still gives the session's newest one. That works without storing it, because successors
are computed from their token with a key of the server.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any, Final

from bakend.auth.user import User
from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.transaction import Snapshot, Transaction
from bakend.ids import new_id, new_refresh_token
from bakend.structs import Struct

GRACE_S: Final = 30
"""How long requests of one client that began together may be apart."""

USER_AGENT_MAX: Final = 200
CLEAN_STEP: Final = 500
"""Rows that one step of cleaning deletes: other writers wait for it."""


class Session(Struct, kw_only=True):
    """One login of a user, as the API shows it."""

    id: str
    created_at: str
    refreshed_at: str | None
    expires_at: str
    user_agent: str | None

    def to_wire(self, *, current: str | None) -> dict[str, Any]:
        """Return `{"id", "createdAt", "lastUsedAt", "expiresAt", "userAgent", "current"}`.

        Args:
            current: Id of the session of whoever asks.
        """
        return {
            "id": self.id,
            "createdAt": self.created_at,
            "lastUsedAt": self.refreshed_at or self.created_at,
            "expiresAt": self.expires_at,
            "userAgent": self.user_agent,
            "current": self.id == current,
        }


class Refreshed(Struct):
    """What a refresh token was good for."""

    user_id: str
    session_id: str
    successor: str | None
    """The next refresh token; None where the token was used before, and the session is to end."""


class SessionStore:
    """Rows of `_sessions` and `_spent_tokens`. Thread: any, inside the caller's transaction."""

    def __init__(self, *, clock: Clock, ttl_s: int, key: bytes) -> None:
        """Take the parts.

        Args:
            clock: Where time comes from.
            ttl_s: Life of a refresh token, and so of a session that nobody uses.
            key: What successors are computed with.
        """
        self._clock = clock
        self._ttl = timedelta(seconds=ttl_s)
        self._key = key

    def begin(self, tx: Transaction, user_id: str, *, user_agent: str) -> tuple[str, str]:
        """Begin a session; return its id and its first refresh token."""
        session_id, token, now = new_id("ses"), new_refresh_token(), self._clock.now()
        tx.execute(
            "INSERT INTO _sessions"
            " (id, user_id, refresh_token_hash, expires_at, created_at, user_agent)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                session_id,
                user_id,
                _hash(token),
                to_text(now + self._ttl),
                to_text(now),
                user_agent[:USER_AGENT_MAX] or None,
            ),
        )
        return session_id, token

    def user(self, snapshot: Snapshot, session_id: str, user_id: str) -> tuple[User, float] | None:
        """Return the user of a session that has not ended, as he is now, and when it ends.

        The moment is in seconds since 1970.
        """
        row = snapshot.one(
            "SELECT u.id, u.email, u.role, u.created_at, s.expires_at FROM _sessions AS s"
            " JOIN _users AS u ON u.id = s.user_id"
            " WHERE s.id = ? AND s.user_id = ? AND s.expires_at > ?",
            (session_id, user_id, to_text(self._clock.now())),
        )
        if row is None:
            return None
        user = User(
            id=row["id"], email=row["email"], role=row["role"], created_at=row["created_at"]
        )
        return user, datetime.fromisoformat(row["expires_at"]).timestamp()

    def refresh(self, tx: Transaction, token: str) -> Refreshed | None:
        """Use a refresh token; return its session, or None where there is none that lives."""
        now = self._clock.now()
        row = tx.one(
            "SELECT id, user_id, expires_at FROM _sessions WHERE refresh_token_hash = ?",
            (_hash(token),),
        )
        if row is None:
            return self._refresh_again(tx, token, now)
        if row["expires_at"] <= to_text(now):
            return None
        successor = self._successor(token)
        tx.execute(
            "UPDATE _sessions SET refresh_token_hash = ?, expires_at = ?, refreshed_at = ?"
            " WHERE id = ?",
            (_hash(successor), to_text(now + self._ttl), to_text(now), row["id"]),
        )
        tx.execute(
            "INSERT INTO _spent_tokens (hash, session_id, spent_at) VALUES (?, ?, ?)",
            (_hash(token), row["id"], to_text(now)),
        )
        return Refreshed(row["user_id"], row["id"], successor)

    def find_by_token(self, snapshot: Snapshot, token: str) -> tuple[str, str] | None:
        """Return session and user of a refresh token, also of one that was used; None for none."""
        row = snapshot.one(
            "SELECT id, user_id FROM _sessions WHERE refresh_token_hash = ?1"
            " OR id = (SELECT session_id FROM _spent_tokens WHERE hash = ?1)",
            (_hash(token),),
        )
        return None if row is None else (row["id"], row["user_id"])

    def of_user(self, snapshot: Snapshot, user_id: str) -> list[Session]:
        """Return the sessions of a user that have not ended, the newest first."""
        return [
            Session(**dict(zip(row.keys(), row, strict=True)))
            for row in snapshot.all(
                "SELECT id, created_at, refreshed_at, expires_at, user_agent FROM _sessions"
                " WHERE user_id = ? AND expires_at > ? ORDER BY created_at DESC, id DESC",
                (user_id, to_text(self._clock.now())),
            )
        ]

    def end(self, tx: Transaction, user_id: str, session_id: str) -> bool:
        """End one session of a user; return whether there was one."""
        return (
            tx.execute("DELETE FROM _sessions WHERE id = ? AND user_id = ?", (session_id, user_id))
            > 0
        )

    def end_all(self, tx: Transaction, user_id: str) -> int:
        """End the sessions of a user; return how many."""
        return tx.execute("DELETE FROM _sessions WHERE user_id = ?", (user_id,))

    def clean(self, tx: Transaction) -> int:
        """Delete some of what has expired; return how many rows, 0 when nothing is left to do."""
        now = self._clock.now()
        sessions = tx.execute(
            "DELETE FROM _sessions WHERE id IN"
            " (SELECT id FROM _sessions WHERE expires_at <= ? LIMIT ?)",
            (to_text(now), CLEAN_STEP),
        )
        # A used token that would have expired by now can do no more harm than an unknown one.
        tokens = tx.execute(
            "DELETE FROM _spent_tokens WHERE hash IN"
            " (SELECT hash FROM _spent_tokens WHERE spent_at <= ? LIMIT ?)",
            (to_text(now - self._ttl), CLEAN_STEP),
        )
        return sessions + tokens

    def clean_all(self, database: Database) -> None:
        """Delete all that has expired; a transaction for each step, as others write in between."""
        is_more = True
        while is_more:
            with database.write() as tx:
                is_more = self.clean(tx) > 0

    def _refresh_again(self, tx: Transaction, token: str, now: datetime) -> Refreshed | None:
        row = tx.one(
            "SELECT s.id, s.user_id, s.expires_at, t.spent_at FROM _spent_tokens AS t"
            " JOIN _sessions AS s ON s.id = t.session_id WHERE t.hash = ?",
            (_hash(token),),
        )
        if row is None or row["expires_at"] <= to_text(now):
            return None
        if row["spent_at"] < to_text(now - timedelta(seconds=GRACE_S)):
            return Refreshed(row["user_id"], row["id"], None)
        # The newest of the chain: a client that keeps the last answer must not keep a spent token.
        successor = self._successor(token)
        while tx.one("SELECT 1 FROM _spent_tokens WHERE hash = ?", (_hash(successor),)):
            successor = self._successor(successor)
        # Another one than was given out then, if the server's secret changed in between.
        is_known = self.find_by_token(tx, successor) is not None
        return Refreshed(row["user_id"], row["id"], successor) if is_known else None

    def _successor(self, token: str) -> str:
        digits = hmac.digest(self._key, token.encode(), hashlib.sha256).hex()
        return f"rt_{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
