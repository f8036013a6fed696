"""Answers: JSON values as responses, and the headers that every answer carries."""

from __future__ import annotations

import logging
from typing import Final

from werkzeug.wrappers import Response

from bakend import wire
from bakend.api.errors import JSON_TYPE, Headers, envelope, headers_of
from bakend.errors import BakendError
from bakend.ids import new_id

COMMON_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
)
"""On every answer that does not say otherwise: data is never sniffed, framed, run or kept."""

_access_log = logging.getLogger("bakend.access")


def json_answer(value: object, status: int = 200) -> Response:
    """Return a JSON response."""
    return Response(wire.encode(value), status=status, content_type=JSON_TYPE)


def no_content() -> Response:
    """Return 204 without a body; official clients take a 200 without JSON for a download."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def refusal(error: BakendError, status: int) -> tuple[int, Headers, bytes]:
    """Return the answer to a request that did not get as far as the application.

    Args:
        error: Why not.
        status: The HTTP status, which for a broken request says more than the error's own.
    """
    request_id = new_id("req")
    _access_log.info("request refused: %s %d %s", error.message, status, request_id)
    headers = [*headers_of(error), *COMMON_HEADERS, ("X-Request-Id", request_id)]
    return status, headers, envelope(error, request_id).encode()
