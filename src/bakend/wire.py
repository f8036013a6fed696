"""JSON as it comes in and as it leaves: the only place that reads or writes the wire's text.

Reading is strict where something would be lost on the way back (lone surrogates, numbers that no
double holds, nesting that no reader survives) and lenient where other servers are (a byte order
mark, invalid UTF-8, which becomes U+FFFD).
"""

from __future__ import annotations

import json
import math
from typing import Any, Final, NoReturn

from bakend.errors import InvalidInputError

MAX_NUMBER_LENGTH: Final = 400
"""Digits of one number. A double needs at most 309 before the point; Python itself refuses 4,300."""

INVALID_BODY: Final = "Invalid JSON body"


def encode(value: object) -> str:
    """Write a JSON value in its compact form, characters beyond ASCII as they are."""
    return _ENCODER.encode(value)


def decode(body: bytes, *, max_depth: int) -> Any:
    """Read the JSON text of a request body.

    Args:
        body: UTF-8 with or without a byte order mark.
        max_depth: How many arrays and objects may stand inside each other.

    Raises:
        InvalidInputError: The body is not one JSON value that could be given back as it came.
    """
    text = body.decode("utf-8", errors="replace").removeprefix("\ufeff")
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(INVALID_BODY) from error
    _check(value, max_depth)
    return value


def decode_object(content_type: str, body: bytes, *, max_depth: int) -> dict[str, Any]:
    """Read the JSON object that a request brings.

    Raises:
        InvalidInputError: Another content type, no JSON, or JSON that is not an object.
    """
    if "application/json" not in content_type.lower():
        raise InvalidInputError("Content-Type must be application/json")
    value = decode(body, max_depth=max_depth)
    if not isinstance(value, dict):
        raise InvalidInputError("Request body must be a JSON object")
    return value


def _check(root: object, max_depth: int) -> None:
    """Refuse lone surrogates and deep nesting, without recursion of our own."""
    waiting = [(root, 0)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            _check_text(value)
        elif isinstance(value, dict | list):
            if depth >= max_depth:
                raise InvalidInputError(f"{INVALID_BODY}: nested deeper than {max_depth} levels")
            if isinstance(value, dict):
                for key in value:
                    _check_text(key)
                waiting.extend((item, depth + 1) for item in value.values())
            else:
                waiting.extend((item, depth + 1) for item in value)


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(f"{INVALID_BODY}: lone surrogate in a string") from error


def _parse_int(text: str) -> int:
    if len(text) > MAX_NUMBER_LENGTH:
        _refuse_number(text)
    return int(text)


def _parse_float(text: str) -> float:
    value = float(text)
    if len(text) > MAX_NUMBER_LENGTH or not math.isfinite(value):
        _refuse_number(text)
    return value


def _refuse_number(_text: str) -> NoReturn:
    raise ValueError


_DECODER: Final = json.JSONDecoder(
    parse_int=_parse_int, parse_float=_parse_float, parse_constant=_refuse_number
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
