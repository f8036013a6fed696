"""Registering, logging in, staying logged in, and knowing who asks.

Everything here is about the caller's own account. What administrators do with the accounts of
others, and the end of an account, stand in `accounts.py`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from bakend.auth import tokens
from bakend.auth.credentials import normal_email, require_good_password
from bakend.auth.identity import ANONYMOUS, Identity
from bakend.auth.passwords import Passwords
from bakend.auth.sessions import Session, SessionStore
from bakend.auth.throttle import Throttle, account_of, network_of
from bakend.auth.user import User
from bakend.auth.users import UserStore
from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.transaction import Transaction
from bakend.errors import AuthenticationError, InvalidInputError, NotFoundError
from bakend.events.event import (
    Actor,
    session_revoked,
    user_logged_in,
    user_logged_out,
    user_registered,
    user_updated,
)
from bakend.ids import new_id
from bakend.structs import Struct

WRONG_LOGIN: Final = "Invalid email or password"
WRONG_REFRESH: Final = "Invalid or expired refresh token"

_log = logging.getLogger("bakend.auth")


class Client(Struct, kw_only=True):
    """From where a request comes."""

    address: str
    user_agent: str


class Holder(Struct):
    """Who holds a token."""

    identity: Identity
    until_s: float | None
    """When that ends by itself, in seconds since 1970; None for anonymous callers."""


NOBODY_FOREVER: Final = Holder(ANONYMOUS, None)


class Login(Struct, kw_only=True):
    """What somebody gets who has logged in."""

    token: str
    refresh_token: str
    user: User

    def to_wire(self) -> dict[str, Any]:
        """Return `{"token", "refreshToken", "user"}`."""
        return {
            "token": self.token,
            "refreshToken": self.refresh_token,
            "user": self.user.to_wire(),
        }


class Authenticator:
    """Accounts, as seen by those who have them. Thread: any."""

    def __init__(
        self,
        database: Database,
        users: UserStore,
        sessions: SessionStore,
        passwords: Passwords,
        throttle: Throttle,
        *,
        clock: Clock,
        secret: str,
        access_ttl_s: int,
        first_admin: str | None,
    ) -> None:
        """Take the parts.

        Args:
            database: Where users and sessions are.
            users: The users.
            sessions: Their sessions.
            passwords: Hashes and verifies.
            throttle: Counts tries.
            clock: Where time comes from.
            secret: Signs access tokens.
            access_ttl_s: Life of an access token.
            first_admin: Address that becomes an administrator by registering, while there is none.
        """
        self._database = database
        self._users = users
        self._sessions = sessions
        self._passwords = passwords
        self._throttle = throttle
        self._clock = clock
        self._secret = secret
        self._access_ttl_s = access_ttl_s
        self._first_admin = first_admin

    def identify(self, token: str | None) -> Identity:
        """Return who holds an access token; nobody where it is not valid, or its session has ended.

        The row decides on each request, so that a new role and a logout take effect at once.
        """
        return self.holder(token).identity

    def holder(self, token: str | None) -> Holder:
        """Return who holds an access token, as `identify`, and until when, for who stays connected."""
        claims = tokens.read(self._secret, token, now=self._clock.now()) if token else None
        if claims is None:
            return NOBODY_FOREVER
        with self._database.read() as snapshot:
            found = self._sessions.user(snapshot, claims.session_id, claims.user_id)
        if found is None:
            return NOBODY_FOREVER
        user, session_ends_s = found
        identity = Identity(id=user.id, email=user.email, role=user.role, session=claims.session_id)
        return Holder(identity, min(claims.ends_s, session_ends_s))

    def register(self, email: str, password: str, client: Client) -> Login:
        """Make an account and log in.

        Raises:
            InvalidInputError: No address, or a password that is too short or too long.
            ConflictError: Somebody has that address.
            RateLimitedError: Too many from that address.
        """
        email = normal_email(email)
        require_good_password(password)
        self.count_registration(client)
        password_hash = self._passwords.hash(password)
        user_id, created_at = new_id("usr"), to_text(self._clock.now())
        with self._database.write(actor=Actor(id=user_id)) as tx:
            is_first = email == self._first_admin and self._users.count_admins(tx) == 0
            role = "admin" if is_first else "authenticated"
            user = User(id=user_id, email=email, role=role, created_at=created_at)
            self._users.insert(tx, user, password_hash)
            tx.emit(user_registered(user.to_wire()))
            return self.admit(tx, user, client)

    def login(self, email: str, password: str, client: Client) -> Login:
        """Log in.

        Raises:
            AuthenticationError: Wrong address or password; takes as long for both.
            RateLimitedError: Too many failures.
        """
        if "@" not in email:
            raise AuthenticationError("Invalid email address")
        email = email.strip().lower()
        attempt = self._throttle.begin(self._who(email, client.address))
        with self._database.read() as snapshot:
            user = self._users.find_by_email(snapshot, email)
            stored = None if user is None else self._users.password_hash(snapshot, user.id)
        if not self._is_right(user, password, stored) or user is None or stored is None:
            raise AuthenticationError(WRONG_LOGIN)
        self._throttle.forgive(attempt)
        renewed = self._passwords.hash(password) if self._passwords.is_outdated(stored) else None
        with self._database.write(actor=Actor(id=user.id)) as tx:
            # Between the look and now he may have been deleted, or given another password.
            if self._users.password_hash(tx, user.id) != stored:
                raise AuthenticationError(WRONG_LOGIN)
            if renewed is not None:
                self._users.set_password_hash(tx, user.id, renewed)
            user = self._users.get(tx, user.id)
            tx.emit(user_logged_in(user.to_wire()))
            return self.admit(tx, user, client)

    def refresh(self, refresh_token: str, client: Client) -> Login:
        """Return a new access token and the next refresh token.

        A refresh token that was used before, and not just now, ends its session.

        Raises:
            AuthenticationError: The token is not known, has expired, or was used before.
            RateLimitedError: Too many from that address.
        """
        self._throttle.begin({"refresh": network_of(client.address)})
        with self._database.write() as tx:
            refreshed = self._sessions.refresh(tx, refresh_token)
            if refreshed is not None and refreshed.successor is not None:
                user = self._users.get(tx, refreshed.user_id)
                token = self._access_token(user, refreshed.session_id)
                return Login(token=token, refresh_token=refreshed.successor, user=user)
            if refreshed is not None:
                self._sessions.end(tx, refreshed.user_id, refreshed.session_id)
                tx.emit(session_revoked(refreshed.user_id, refreshed.session_id))
        if refreshed is not None:
            _log.warning(
                "a refresh token was used twice, its session is ended: user=%s session=%s",
                refreshed.user_id,
                refreshed.session_id,
            )
        raise AuthenticationError(WRONG_REFRESH)

    def logout(self, refresh_token: str) -> None:
        """End the session of a refresh token, if there is one; its access tokens end with it."""
        with self._database.write() as tx:
            found = self._sessions.find_by_token(tx, refresh_token)
            if found is None:
                return
            session_id, user_id = found
            tx.actor = Actor(id=user_id)
            self._sessions.end(tx, user_id, session_id)
            tx.emit(user_logged_out(user_id, session_id))

    def me(self, identity: Identity) -> User:
        """Return the caller's own user."""
        with self._database.read() as snapshot:
            return self._users.get(snapshot, identity.id or "")

    def change_password(self, identity: Identity, old: str, new: str, client: Client) -> None:
        """Give the caller another password; his other sessions end.

        Raises:
            InvalidInputError: The old one is wrong, or the new one too short or too long.
            RateLimitedError: Too many failures.
        """
        require_good_password(new)
        user_id, email = identity.id or "", identity.email or ""
        attempt = self._throttle.begin(self._who(email, client.address))
        with self._database.read() as snapshot:
            user = self._users.get(snapshot, user_id)
            stored = self._users.password_hash(snapshot, user_id)
        if not self._is_right(user, old, stored):
            # Not 401: to clients that would mean that their token is no longer valid.
            raise InvalidInputError("oldPassword is wrong")
        self._throttle.forgive(attempt)
        renewed = self._passwords.hash(new)
        with self._database.write(actor=identity.actor) as tx:
            if self._users.password_hash(tx, user_id) != stored:
                raise InvalidInputError("oldPassword is wrong")
            self._users.set_password_hash(tx, user_id, renewed)
            shown = self._users.get(tx, user_id).to_wire()
            tx.emit(user_updated(shown, shown))
            self._end_others(tx, identity)

    def sessions(self, identity: Identity) -> list[Session]:
        """Return the caller's sessions, the newest first."""
        with self._database.read() as snapshot:
            return self._sessions.of_user(snapshot, identity.id or "")

    def end_session(self, identity: Identity, session_id: str) -> None:
        """End one of the caller's sessions.

        Raises:
            NotFoundError: He has no such session.
        """
        user_id = identity.id or ""
        with self._database.write(actor=identity.actor) as tx:
            if not self._sessions.end(tx, user_id, session_id):
                raise NotFoundError("Session not found")
            tx.emit(session_revoked(user_id, session_id))

    def end_sessions(self, identity: Identity, *, others: bool) -> None:
        """End the caller's sessions: all of them, or all others."""
        user_id = identity.id or ""
        with self._database.write(actor=identity.actor) as tx:
            if others:
                self._end_others(tx, identity)
            else:
                self._sessions.end_all(tx, user_id)
                tx.emit(session_revoked(user_id, None))

    def count_registration(self, client: Client) -> None:
        """Count a registration, or what is as good as one.

        Raises:
            RateLimitedError: Too many from that address.
        """
        self._throttle.begin({"register": network_of(client.address)})

    def admit(self, tx: Transaction, user: User, client: Client) -> Login:
        """Log a user in who has proved who he is, in the transaction that saw the proof."""
        session_id, refresh_token = self._sessions.begin(tx, user.id, user_agent=client.user_agent)
        token = self._access_token(user, session_id)
        return Login(token=token, refresh_token=refresh_token, user=user)

    def _end_others(self, tx: Transaction, identity: Identity) -> None:
        user_id = identity.id or ""
        for session in self._sessions.of_user(tx, user_id):
            if session.id != identity.session:
                self._sessions.end(tx, user_id, session.id)
                tx.emit(session_revoked(user_id, session.id))

    def _access_token(self, user: User, session_id: str) -> str:
        return tokens.issue(
            self._secret,
            user_id=user.id,
            session_id=session_id,
            role=user.role,
            now=self._clock.now(),
            ttl_s=self._access_ttl_s,
        )

    def _is_right(self, user: User | None, password: str, stored: str | None) -> bool:
        is_right = self._passwords.verify(password, stored)
        if is_right is None and user is not None:
            _log.warning(
                "%s cannot log in: the password is hashed with bcrypt, and none is at hand here;"
                " give a new one with `bak users set-password`, or install it with"
                " `bak add bcrypt`",
                user.id,
            )
        return bool(is_right)

    @staticmethod
    def _who(email: str, address: str) -> Mapping[str, str]:
        account, network = account_of(email), network_of(address)
        return {
            "login": f"{network},{account}",
            "loginAddress": network,
            "loginAccount": account,
        }
