"""Which requests are handshakes, and who takes them."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]
from websocket import handshake

from bakend.errors import BakendError, PermissionDeniedError, UnavailableError
from bakend.server.limits import BodyLimits
from bakend.server.parser import RequestParser
from bakend.server.upgrades import Upgrades, refusal_of


class Nobody:
    """Takes nothing, and says why."""

    def __init__(self, error: BakendError | None = None) -> None:
        self.error = error

    def may_take(self, headers: Mapping[str, str]) -> BakendError | None:  # noqa: ARG002
        return self.error

    def take(
        self,
        sock: socket.socket,  # noqa: ARG002
        *,
        headers: Mapping[str, str],  # noqa: ARG002
        query: str,  # noqa: ARG002
        rest: bytes,  # noqa: ARG002
    ) -> None:
        raise AssertionError("nothing is handed over here")


TAKER = Nobody()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def parsed(stack: ExitStack, data: bytes, *, step: int = 1) -> RequestParser:
    parser = RequestParser(
        Adjustments(), BodyLimits({"/": 100}), Upgrades({"/api/realtime": TAKER})
    )
    stack.callback(parser.close)
    while data and not parser.completed:
        data = data[parser.received(data[:step]) :]
    return parser


@pytest.mark.parametrize("path", ["/api/realtime", "//api/./realtime/", "/api/realtime?token=x"])
@pytest.mark.parametrize("step", [1, 1000])
def test_a_handshake_has_its_taker(stack: ExitStack, path: str, step: int) -> None:
    """However it is cut, and whatever its path is before it is put in normal form."""
    assert parsed(stack, handshake(path), step=step).taker is TAKER


def test_what_comes_behind_is_kept(stack: ExitStack) -> None:
    """It is no HTTP, and none of it is lost."""
    parser = parsed(stack, handshake() + b"\x81\x80frames", step=1000)

    assert parser.rest == b"\x81\x80frames"
    assert parser.error is None


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/posts", {}),
        ("/api/realtime/more", {}),
        ("/api/realtime", {"Upgrade": "h2c"}),
        ("/api/realtime", {"Connection": "keep-alive"}),
        ("/api/realtime", {"Sec-WebSocket-Version": "12"}),
        ("/api/realtime", {"Sec-WebSocket-Key": "AAAA"}),
        ("/api/realtime", {"Sec-WebSocket-Key": "\xe4" * 24}),
        ("/api/realtime", {"Content-Length": "4"}),
    ],
)
def test_anything_else_is_a_request_as_any_other(
    stack: ExitStack, path: str, headers: dict[str, str]
) -> None:
    """The application answers it, and what follows is read as HTTP."""
    assert parsed(stack, handshake(path, headers) + b"body").taker is None


def test_words_of_connection_may_be_many(stack: ExitStack) -> None:
    """Browsers send `keep-alive, Upgrade`."""
    assert parsed(stack, handshake(headers={"Connection": "keep-alive, Upgrade"})).taker is TAKER


@pytest.mark.parametrize(
    ("error", "is_stopping", "status"),
    [
        (PermissionDeniedError("no"), False, 403),
        (UnavailableError("full"), False, 503),
        (None, True, 503),
        (None, False, None),
    ],
)
def test_a_refusal_has_its_status(
    stack: ExitStack, error: BakendError | None, is_stopping: bool, status: int | None
) -> None:
    """403 for who may not, 503 for who may later."""
    refusal = refusal_of(Nobody(error), parsed(stack, handshake()), is_stopping=is_stopping)

    assert (None if refusal is None else refusal.status) == status
