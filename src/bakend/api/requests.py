"""What a request says: its JSON body, its query, who sends it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Request

from bakend import wire
from bakend.auth.identity import ANONYMOUS, Identity
from bakend.errors import InvalidInputError

Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

_WORDS_FOR_TRUE: Final = frozenset({"true", "1"})
_WORDS_FOR_FALSE: Final = frozenset({"false", "0"})


def json_object(request: Request, *, max_depth: int) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        InvalidInputError: Another content type, no JSON, or JSON that is not an object.
    """
    if "application/json" not in request.headers.get("Content-Type", "").lower():
        raise InvalidInputError("Content-Type must be application/json")
    value = wire.decode(request.get_data(cache=False), max_depth=max_depth)
    if not isinstance(value, dict):
        raise InvalidInputError("Request body must be a JSON object")
    return value


def integer(query: Mapping[str, str], name: str, *, low: int, high: int) -> int | None:
    """Return an integer parameter of the query, None when it is absent.

    Raises:
        InvalidInputError: It is not an integer in that range.
    """
    text = query.get(name)
    if text is None:
        return None
    # int() takes blanks, underscores and other scripts' digits, and refuses 4,300 of them loudly.
    if text.isascii() and text.isdigit() and len(text) <= len(str(high)):
        value = int(text)
        if low <= value <= high:
            return value
    raise InvalidInputError(
        f'{name} must be an integer between {low} and {high}, got "{text[:40]}"'
    )


def boolean(query: Mapping[str, str], name: str) -> bool:
    """Return a true-or-false parameter of the query, False when it is absent.

    Raises:
        InvalidInputError: It is neither.
    """
    text = query.get(name, "false").lower()
    if text not in _WORDS_FOR_TRUE | _WORDS_FOR_FALSE:
        raise InvalidInputError(f'{name} must be true or false, got "{text[:40]}"')
    return text in _WORDS_FOR_TRUE


def identity_of(_request: Request) -> Identity:
    """Return who sends a request.

    There are no accounts yet, so it is nobody, with whatever token. A token that can't be understood
    never fails a request by itself: the caller is anonymous and public records stay readable.
    """
    return ANONYMOUS


def comes_from(address: str | None, networks: Networks) -> bool:
    """Tell whether the other end of the connection lies in one of these networks."""
    try:
        peer = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return any(peer in network for network in networks)
