"""Errors as answers: the only place where an error becomes a status and a JSON body.

`{"error": {"code": str, "message": str, "details": [{"field", "rule", "message"}, …]}}`;
`details` only for `validation_error`.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from bakend import wire
from bakend.errors import (
    AuthenticationError,
    BakendError,
    ConflictError,
    DatabaseBusyError,
    DefinitionError,
    InvalidInputError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
    PermissionDeniedError,
    RangeNotSatisfiableError,
    RateLimitedError,
    StorageFullError,
    UnavailableError,
    UpgradeRequiredError,
    ValidationError,
)

Headers = list[tuple[str, str]]

STATUSES: Final[dict[type[BakendError], int]] = {
    InvalidInputError: 400,
    DefinitionError: 400,
    AuthenticationError: 401,
    PermissionDeniedError: 403,
    NotFoundError: 404,
    MethodNotAllowedError: 405,
    ConflictError: 409,
    PayloadTooLargeError: 413,
    RangeNotSatisfiableError: 416,
    UpgradeRequiredError: 426,
    RateLimitedError: 429,
    UnavailableError: 503,
    DatabaseBusyError: 503,
    StorageFullError: 507,
}
"""The nearest class in an error's line of ancestors decides; what has none is a fault of ours: 500."""

JSON_TYPE: Final = "application/json; charset=utf-8"
"""Always with the charset: older Dart clients read JSON without one as Latin-1."""


def status_of(error: BakendError) -> int:
    """Return the HTTP status of an error."""
    for ancestor in type(error).__mro__:
        if ancestor in STATUSES:
            return STATUSES[ancestor]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def envelope(error: BakendError, request_id: str) -> str:
    """Return the JSON text of an error; what was our own fault shows only where to look it up."""
    if status_of(error) == HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"Internal error; the log says more at {request_id}"
        return wire.encode({"error": {"code": "internal_error", "message": message}})
    content: dict[str, object] = {"code": error.code, "message": error.message}
    if isinstance(error, ValidationError):
        content["details"] = [
            {"field": fault.field, "rule": fault.rule, "message": fault.message}
            for fault in error.faults
        ]
    return wire.encode({"error": content})


def headers_of(error: BakendError) -> Headers:
    """Return the headers that belong to an error."""
    headers: Headers = [("Content-Type", JSON_TYPE)]
    if isinstance(error, MethodNotAllowedError):
        headers.append(("Allow", ", ".join(error.allowed)))
    if isinstance(error, UnavailableError | DatabaseBusyError | RateLimitedError):
        headers.append(("Retry-After", str(error.retry_after_s)))
    if isinstance(error, RangeNotSatisfiableError):
        headers.append(("Content-Range", f"bytes */{error.size_bytes}"))
    if isinstance(error, UpgradeRequiredError):
        # "Upgrade" would belong here (RFC 9110 15.5.22), but WSGI leaves that one to the server.
        headers.append(("Sec-WebSocket-Version", "13"))
    if isinstance(error, AuthenticationError):
        headers.append(("WWW-Authenticate", "Bearer"))
    return headers
