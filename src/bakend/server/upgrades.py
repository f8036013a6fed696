"""Upgrades: requests after which a connection speaks no HTTP any more, and who takes it over."""

from __future__ import annotations

import base64
import binascii
import socket
from collections.abc import Mapping
from typing import Any, Final, Protocol

from bakend.errors import BakendError, InvalidInputError, PermissionDeniedError, UnavailableError
from bakend.paths import normal_path
from bakend.server.failures import Refusal

KEY_BYTES: Final = 16


class Request(Protocol):
    """What of a request has to be known here."""

    command: str
    path: str
    version: str
    headers: dict[str, str]
    body_rcv: Any


class Taker(Protocol):
    """Takes connections over. Thread: the loop's."""

    def may_take(self, headers: Mapping[str, str]) -> BakendError | None:
        """Return why not, None when it may come."""
        ...

    def take(
        self, sock: socket.socket, *, headers: Mapping[str, str], query: str, rest: bytes
    ) -> None:
        """Take the socket, and what was read behind the request."""
        ...


class Upgrades:
    """Which paths can be upgraded to a WebSocket."""

    def __init__(self, takers: Mapping[str, Taker]) -> None:
        """Take a table of path in normal form to who takes the connection."""
        self._takers = takers

    def taker(self, request: Request) -> Taker | None:
        """Return who takes the connection of a request, None where the request is as any other.

        What is not a whole handshake (RFC 6455 4.2.1) is as any other: the application says so.
        """
        if not self._takers or not _is_handshake(request):
            return None
        return self._takers.get(normal_path(request.path))


def refusal_of(taker: Taker, request: Request, *, is_stopping: bool) -> Refusal | None:
    """Return why a connection is not handed over, None when it is."""
    if is_stopping:
        return Refusal(UnavailableError("Server is stopping", retry_after_s=5), 503)
    error = taker.may_take(request.headers)
    if error is None:
        return None
    return Refusal(error, 403 if isinstance(error, PermissionDeniedError) else 503)


def too_early() -> Refusal:
    """Return what a handshake gets that comes before the answers to earlier requests were sent."""
    return Refusal(InvalidInputError("An upgrade must wait for the answers before it"), 400)


def _is_handshake(request: Request) -> bool:
    headers = request.headers
    return (
        request.command == "GET"
        and request.version == "1.1"
        and request.body_rcv is None
        and headers.get("UPGRADE", "").strip().lower() == "websocket"
        and "upgrade" in _words(headers.get("CONNECTION", ""))
        and headers.get("SEC_WEBSOCKET_VERSION") == "13"
        and _is_key(headers.get("SEC_WEBSOCKET_KEY", ""))
    )


def _words(header: str) -> list[str]:
    return [word.strip().lower() for word in header.split(",")]


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text.encode("latin-1"), validate=True)) == KEY_BYTES
    except (binascii.Error, UnicodeEncodeError):
        return False
