"""Keys for single purposes, derived from the project's secret (pure).

A key that is good for one thing only can't be made to do another: a link to a file is no token.
"""

from __future__ import annotations

import hashlib
import hmac


def derive(secret: str, purpose: str) -> bytes:
    """Return 32 bytes that only the holder of the secret can make, different for each purpose."""
    return hmac.digest(secret.encode(), f"bakend:{purpose}".encode(), hashlib.sha256)
