"""Links that open one file for a while, for `<img>` and whatever else can send no token (pure).

A link carries when it ends and a signature over that and the file's id. Nothing is stored, so a link
can't be taken back before its end; deleting the file ends it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

from bakend.structs import Struct

LIFETIME_S: Final = 600

_LONGEST_NUMBER: Final = 12


class Link(Struct, kw_only=True):
    """What makes an address of a file open it."""

    expires: int
    """Seconds since 1970; the link is good until then."""
    token: str

    @property
    def expires_at(self) -> datetime:
        """The same moment, aware, in UTC."""
        return datetime.fromtimestamp(self.expires, UTC)


def make_link(key: bytes, file_id: str, now: datetime) -> Link:
    """Return a link to a file.

    Args:
        key: What signs links, and nothing else.
        file_id: Which file.
        now: When its time begins.
    """
    expires = int((now + timedelta(seconds=LIFETIME_S)).timestamp())
    return Link(expires=expires, token=_sign(key, file_id, expires))


def opens(key: bytes, file_id: str, expires: str, token: str, now: datetime) -> bool:
    """Tell whether somebody holds a link to this file that is still good."""
    if not (expires.isascii() and expires.isdigit() and len(expires) <= _LONGEST_NUMBER):
        return False
    end = int(expires)
    # Compared as bytes: compare_digest refuses texts that are not ASCII.
    is_ours = hmac.compare_digest(_sign(key, file_id, end).encode(), token.encode())
    return is_ours and now.timestamp() < end


def _sign(key: bytes, file_id: str, expires: int) -> str:
    signature = hmac.digest(key, f"{file_id} {expires}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
