"""Passwords: hashed with scrypt, verified, and hashed anew when that has become stronger.

`scrypt$14$8$5$<salt>$<hash>`: log2 of N, r, p, then salt and hash in base64. So hashes of different
strength stand beside each other, and one of the original (`$2b$…`) is replaced at its user's login.

One hash takes 16 MiB and about 0.2 s of a core, on purpose. As many run at once as there are cores:
more would be no faster, and would let whoever tries passwords fill the memory.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from typing import Final

from bakend.ids import random_bytes
from bakend.structs import Struct

SALT_BYTES: Final = 16
KEY_BYTES: Final = 32

_SCHEME: Final = "scrypt"
_MEMORY_MAX_BYTES: Final = 256 * 1024 * 1024
"""No stored hash may ask for more: whoever can write one must not be able to stop the server."""


class Cost(Struct):
    """How much work a hash is. Source of the default: OWASP's cheat sheet on storing passwords."""

    log2_n: int = 14
    r: int = 8
    p: int = 5


COST: Final = Cost()


class Passwords:
    """Hashes and verifies. Thread: any; each call may wait for a core."""

    def __init__(self, cost: Cost = COST) -> None:
        self._cost = cost
        self._cores = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._dummy: str | None = None

    def hash(self, password: str) -> str:
        """Return what is stored for a password."""
        salt = random_bytes(SALT_BYTES)
        key = self._derive(password, salt, self._cost)
        numbers = f"{self._cost.log2_n}${self._cost.r}${self._cost.p}"
        return f"{_SCHEME}${numbers}${_text(salt)}${_text(key)}"

    def verify(self, password: str, stored: str | None) -> bool | None:
        """Tell whether a password is the one that was hashed.

        Args:
            password: As it was typed.
            stored: None where there is no such user, which takes exactly as long.

        Returns:
            None when that cannot be found out here: a hash of the original, and no bcrypt at hand.
        """
        if stored is None:
            self._verify_scrypt(password, self._dummy_hash())
            return False
        if stored.startswith("$2"):
            from bakend.auth.bcrypt import matches_bcrypt  # only the original's; brings ctypes

            with self._cores:
                return matches_bcrypt(password, stored)
        return self._verify_scrypt(password, stored)

    def is_outdated(self, stored: str) -> bool:
        """Tell whether a hash was made otherwise than one would be now."""
        parsed = _parse(stored)
        return parsed is None or parsed[0] != self._cost

    def _verify_scrypt(self, password: str, stored: str) -> bool:
        parsed = _parse(stored)
        if parsed is None:
            return False
        cost, salt, key = parsed
        return hmac.compare_digest(self._derive(password, salt, cost), key)

    def _derive(self, password: str, salt: bytes, cost: Cost) -> bytes:
        with self._cores:
            return hashlib.scrypt(
                password.encode(),
                salt=salt,
                n=1 << cost.log2_n,
                r=cost.r,
                p=cost.p,
                maxmem=_MEMORY_MAX_BYTES,
                dklen=KEY_BYTES,
            )

    def _dummy_hash(self) -> str:
        if self._dummy is None:
            # Never equal to the hash of anything: only the work counts.
            numbers = f"{self._cost.log2_n}${self._cost.r}${self._cost.p}"
            self._dummy = (
                f"{_SCHEME}${numbers}${_text(bytes(SALT_BYTES))}${_text(bytes(KEY_BYTES))}"
            )
        return self._dummy


def _parse(stored: str) -> tuple[Cost, bytes, bytes] | None:
    """Return cost, salt and key of a hash; None for a text that is none, or asks for too much."""
    try:
        scheme, log2_n, r, p, salt, key = stored.split("$")
        cost = Cost(int(log2_n), int(r), int(p))
        parsed = cost, base64.b64decode(salt, validate=True), base64.b64decode(key, validate=True)
    except (ValueError, binascii.Error):
        return None
    is_sane = (
        scheme == _SCHEME
        and 1 <= cost.log2_n <= 20
        and 1 <= cost.r <= 32
        and 1 <= cost.p <= 64
        and 128 * cost.r * (1 << cost.log2_n) <= _MEMORY_MAX_BYTES // 2
    )
    return parsed if is_sane else None


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
