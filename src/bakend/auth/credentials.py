"""What an e-mail address and a password may look like (pure).

Addresses: the part of RFC 5321 and 6531 that mail systems accept, without quoted names and comments.
"""

from __future__ import annotations

import re
from typing import Final

from bakend.errors import InvalidInputError

EMAIL_MAX_BYTES: Final = 254
LOCAL_MAX_BYTES: Final = 64
"""Source: RFC 5321, 4.5.3.1; a path of 256 has two brackets around it."""

PASSWORD_MIN: Final = 8
PASSWORD_MAX_BYTES: Final = 1_024
"""More than anybody types or any generator makes, little enough to cost nothing."""

_WORD: Final = r"[^\s\x00-\x20\x7f-\x9f\"(),.:;<>@\[\\\]]+"
_LOCAL: Final = re.compile(rf"{_WORD}(?:\.{_WORD})*")
_LABEL: Final = re.compile(r"(?!-)[^\W_](?:[^\W_]|-)*(?<!-)")
_LABEL_MAX: Final = 63


def normal_email(text: str) -> str:
    """Return an address as it is stored and compared: without blanks around it, in small letters.

    Raises:
        InvalidInputError: It is not an address.
    """
    email = text.strip().lower()
    local, at, domain = email.rpartition("@")
    labels = domain.split(".")
    is_address = (
        at
        and len(email.encode()) <= EMAIL_MAX_BYTES
        and len(local.encode()) <= LOCAL_MAX_BYTES
        and _LOCAL.fullmatch(local)
        and all(len(each) <= _LABEL_MAX and _LABEL.fullmatch(each) for each in labels)
    )
    if not is_address:
        raise InvalidInputError("Invalid email address")
    return email


def require_good_password(password: str) -> None:
    """Refuse a password that is too short or too long.

    Raises:
        InvalidInputError: It is.
    """
    if len(password) < PASSWORD_MIN:
        raise InvalidInputError(f"Password must be at least {PASSWORD_MIN} characters")
    if len(password.encode()) > PASSWORD_MAX_BYTES:
        raise InvalidInputError(f"Password must not be longer than {PASSWORD_MAX_BYTES} bytes")
