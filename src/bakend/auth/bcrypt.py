"""Passwords of the original, hashed with bcrypt: verified once, at their user's next login.

The interpreter has no bcrypt. Where the `bcrypt` wheel is installed (`bak add bcrypt`) it is used,
else the system's libcrypt, which most Linux systems have.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import hmac
import threading
from collections.abc import Callable
from typing import Final

BCRYPT_MAX_BYTES: Final = 72
"""bcrypt reads no more; the original hashes what is longer with SHA-512 first."""

_LIBRARIES: Final = ("libcrypt.so.1", "libcrypt.so.2")
_STATE_BYTES: Final = 256 * 1024
"""What crypt_r() works in: 128 KiB in glibc's own, 32 KiB in libxcrypt."""

_KNOWN: Final = (b"U*U", b"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
"""A password and its hash, from the tests of crypt_blowfish, which is in the public domain."""

Crypt = Callable[[bytes, bytes], bytes | None]
"""Takes a password and a hash with its settings, returns the password's hash with them."""


def matches_bcrypt(password: str, stored: str) -> bool | None:
    """Tell whether a password is the one that the original hashed; None when nothing here can tell."""
    crypt = _crypt()
    data = password.encode()
    if len(data) > BCRYPT_MAX_BYTES:
        data = hashlib.sha512(data).digest()
    if crypt is None or not stored.isascii():
        return None
    found = crypt(data, stored.encode())
    return None if found is None else hmac.compare_digest(found, stored.encode())


@functools.cache
def _crypt() -> Crypt | None:
    for find in (_from_wheel, _from_system):
        crypt = find()
        if crypt is not None and crypt(*_KNOWN) == _KNOWN[1]:
            return crypt
    return None


def _from_wheel() -> Crypt | None:
    try:
        import bcrypt  # type: ignore[import-not-found]  # in the project's packages, or nowhere
    except ImportError:
        return None

    def crypt(password: bytes, stored: bytes) -> bytes | None:
        try:
            return bytes(bcrypt.hashpw(password, stored))
        except ValueError:  # a NUL in the password, or no hash of bcrypt
            return None

    return crypt


def _from_system() -> Crypt | None:
    library = next(filter(None, map(_load, _LIBRARIES)), None)
    if library is None:
        return None
    crypt_r = library.crypt_r
    crypt_r.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
    crypt_r.restype = ctypes.c_char_p
    lock = threading.Lock()
    state = ctypes.create_string_buffer(_STATE_BYTES)

    def crypt(password: bytes, stored: bytes) -> bytes | None:
        if b"\0" in password:  # C reads up to there
            return None
        with lock:
            ctypes.memset(state, 0, _STATE_BYTES)
            found: bytes | None = crypt_r(password, stored, state)
        # A library that does not know the method says so with a star.
        return None if found is None or found.startswith(b"*") else found

    return crypt


def _load(name: str) -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return None
    return library if hasattr(library, "crypt_r") else None
