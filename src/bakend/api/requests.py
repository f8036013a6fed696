"""What a request says: its JSON body, its query, who sends it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Final

from flask import Request, g

from bakend import wire
from bakend.auth.identity import Identity
from bakend.errors import InvalidInputError

Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

SEQ_MAX: Final = 2**53
"""Highest number that `after` or `before` may name: where JavaScript's integers end."""

OFFSET_MAX: Final = 2**53
"""Nobody has so many of anything."""

_WORDS_FOR_TRUE: Final = frozenset({"true", "1"})
_WORDS_FOR_FALSE: Final = frozenset({"false", "0"})


def json_object(request: Request, *, max_depth: int) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        InvalidInputError: Another content type, no JSON, or JSON that is not an object.
    """
    content_type = request.headers.get("Content-Type", "")
    return wire.decode_object(content_type, request.get_data(cache=False), max_depth=max_depth)


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


def clamped(query: Mapping[str, str], name: str, *, default: int, high: int, low: int = 1) -> int:
    """Return an integer parameter of the query, brought between the least and the most there can be.

    Absent and 0 mean the default, as the original has it for administrators' lists.

    Raises:
        InvalidInputError: It is not an integer.
    """
    text = query.get(name, "0")
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidInputError(f'{name} must be an integer, got "{text[:40]}"')
    # Nobody needs more digits than these to say "too many", and int() takes long over thousands.
    value = int(digits.lstrip("0")[:20] or "0")
    return max(low, min(value if text == digits else -value, high)) if value else default


def place_in(query: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return where a list whose numbers only grow is read: `after` a number, or `before` one.

    Raises:
        InvalidInputError: One is no number, or both are there.
    """
    after = integer(query, "after", low=0, high=SEQ_MAX)
    before = integer(query, "before", low=1, high=SEQ_MAX)
    if after is not None and before is not None:
        raise InvalidInputError("Say after or before, not both: a list is read in one direction")
    return after, before


def boolean(query: Mapping[str, str], name: str) -> bool:
    """Return a true-or-false parameter of the query, False when it is absent.

    Raises:
        InvalidInputError: It is neither.
    """
    text = query.get(name, "false").lower()
    if text not in _WORDS_FOR_TRUE | _WORDS_FOR_FALSE:
        raise InvalidInputError(f'{name} must be true or false, got "{text[:40]}"')
    return text in _WORDS_FOR_TRUE


def identity_of(request: Request) -> Identity:
    """Return who sends a request.

    Found out when first asked, and kept: a page or a health check needs no look at the database. A
    token that can't be understood never fails a request by itself: the caller is anonymous and
    public records stay readable.
    """
    if "identity" not in g:
        g.identity = g.identify(_bearer_token(request.headers.get("Authorization", "")))
    identity: Identity = g.identity
    return identity


def client_address(request: Request, proxies: Networks) -> str:
    """Return the address of the client, which is not that of a trusted proxy in between.

    Each proxy writes down, behind what came, from where it came. So the list is read from its end,
    as long as the writers are trusted; what stands before may be anybody's invention.
    """
    address = request.remote_addr or ""
    said = request.headers.get("X-Forwarded-For", "").split(",")
    while said and comes_from(address, proxies):
        before = said.pop().strip()
        if not _is_address(before):
            break
        address = before
    return address


def _bearer_token(header: str) -> str | None:
    """Return the token of an `Authorization` header: one scheme, one blank, one word."""
    words = header.split(" ")
    if len(words) < 2 or words[0].lower() != "bearer":
        return None
    return words[1] or None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def comes_from(address: str | None, networks: Networks) -> bool:
    """Tell whether the other end of the connection lies in one of these networks."""
    try:
        peer = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    return any(peer in network for network in networks)
