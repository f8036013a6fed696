"""Access tokens: JSON Web Tokens signed with HS256 (pure; the time is given).

The claims are `iss`, `sub` (user), `sid` (session), `role`, `iat` and `exp`. The role is for readers
of the token only: here the user's row decides, on each request.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Final

from bakend.structs import Struct

if TYPE_CHECKING:
    from jwt.types import Options

ALGORITHM: Final = "HS256"
ISSUER: Final = "bakend"

# The library would compare with the machine's clock; ours is given.
_OPTIONS: Final[Options] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "require": ["exp", "sub", "sid"],
}


class Claims(Struct):
    """What a valid token says."""

    user_id: str
    session_id: str
    ends_s: float
    """When it ends, in seconds since 1970."""


def issue(
    secret: str, *, user_id: str, session_id: str, role: str, now: datetime, ttl_s: int
) -> str:
    """Return a token that ends after `ttl_s` seconds."""
    import jwt  # 50 ms, most of them for clients of other servers' keys; not at every start

    # Whole seconds, as most readers of tokens want them; rounded so that none ends too early.
    at = now.timestamp()
    claims = {
        "iss": ISSUER,
        "sub": user_id,
        "sid": session_id,
        "role": role,
        "iat": math.floor(at),
        "exp": math.ceil(at) + ttl_s,
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def read(secret: str, token: str, *, now: datetime) -> Claims | None:
    """Return what a token says; None when it is not ours, or not valid now."""
    import jwt

    try:
        claims = jwt.decode(token, secret, algorithms=[ALGORITHM], issuer=ISSUER, options=_OPTIONS)
    # Whatever a stranger sends may trip the library in ways that it does not name.
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None
    user_id, session_id, at = claims["sub"], claims["sid"], now.timestamp()
    is_valid = (
        isinstance(user_id, str)
        and isinstance(session_id, str)
        and _is_number(claims["exp"])
        and claims["exp"] > at
        and _is_number(claims.get("nbf", 0))
        and claims.get("nbf", 0) <= at
    )
    return Claims(user_id, session_id, claims["exp"]) if is_valid else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
