"""Who is it? Everything that answers this, built from the settings."""

from __future__ import annotations

from bakend.auth.authenticator import Authenticator
from bakend.auth.keys import derive
from bakend.auth.passwords import Passwords
from bakend.auth.sessions import SessionStore
from bakend.auth.throttle import Throttle, limits_of
from bakend.auth.users import UserStore
from bakend.clock import Clock
from bakend.database.connection import Database
from bakend.ids import new_secret
from bakend.settings import Settings
from bakend.structs import Struct


class AuthParts(Struct, kw_only=True):
    """What was built."""

    users: UserStore
    sessions: SessionStore
    throttle: Throttle
    authenticator: Authenticator
    link_key: bytes
    """Signs links to files."""


def build(
    database: Database,
    settings: Settings,
    passwords: Passwords,
    *,
    clock: Clock,
    first_admin: str | None,
) -> AuthParts:
    """Build all of it.

    Args:
        database: Where users and sessions are.
        settings: What is configured.
        passwords: Hashes passwords.
        clock: Where time comes from.
        first_admin: Address that becomes an administrator by registering, while there is none.
    """
    # Short commands have no secret, and sign nothing that anybody sees.
    secret = settings.auth_jwt_secret.reveal() if settings.auth_jwt_secret else new_secret()
    users, throttle = UserStore(), Throttle(clock, limits_of(settings))
    sessions = SessionStore(
        clock=clock,
        ttl_s=settings.auth_refresh_token_ttl_s,
        key=derive(secret, "refresh-tokens"),
    )
    authenticator = Authenticator(
        database,
        users,
        sessions,
        passwords,
        throttle,
        clock=clock,
        secret=secret,
        access_ttl_s=settings.auth_access_token_ttl_s,
        first_admin=first_admin,
    )
    return AuthParts(
        users=users,
        sessions=sessions,
        throttle=throttle,
        authenticator=authenticator,
        link_key=derive(secret, "file-links"),
    )
