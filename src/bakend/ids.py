"""The door to randomness: ids and secrets.

Ids are `<prefix>_<uuid4>`: `rec_` records, `usr_` users, `ses_` sessions, `fil_` files, `evt_` events,
`req_` requests.
"""

from __future__ import annotations

import secrets
import uuid


def new_id(prefix: str) -> str:
    """Return a new id, such as `rec_0b9c…` for the prefix `rec`."""
    return f"{prefix}_{uuid.uuid4()}"


def new_secret() -> str:
    """Return 32 random bytes as text that is safe in a file, a header and a shell."""
    return secrets.token_urlsafe(32)


def new_refresh_token() -> str:
    """Return `rt_<uuid4>` with 32 hexadecimal digits behind it."""
    return f"rt_{uuid.uuid4()}{secrets.token_hex(16)}"


def random_bytes(count: int) -> bytes:
    """Return random bytes, for salts."""
    return secrets.token_bytes(count)
