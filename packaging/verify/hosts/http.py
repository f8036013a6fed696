"""HTTP as a stranger speaks it."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from verify.outcome import expect

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    type: str
    body: bytes

    @property
    def json(self) -> Any:
        """The value that the body is the JSON text of."""
        return json.loads(self.body)


def ask(
    port: int,
    method: str,
    path: str,
    content: object = None,
    *,
    headers: Mapping[str, str] = NOTHING,
    timeout_s: float = 30.0,
) -> Answer:
    """Send one request on a connection of its own, and return the whole answer.

    Raises:
        OSError, HTTPException: No whole answer came.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        body = None if content is None else json.dumps(content)
        typed = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, body, {"Connection": "close", **typed, **headers})
        response = connection.getresponse()
        return Answer(response.status, response.headers.get("Content-Type", ""), response.read())
    finally:
        connection.close()


def want(port: int, method: str, path: str, status: int, content: object = None) -> Answer:
    """Send a request, and fail the check unless it is answered with a certain status."""
    answer = ask(port, method, path, content)
    expect(
        answer.status == status,
        f"{method} {path}: {answer.status} instead of {status}: {answer.body[:200]!r}",
    )
    return answer


_given: Final[set[int]] = set()
"""Ports that were given out: nobody may listen there yet, and a browser may know what was there before."""


def free_port() -> int:
    """Return a port of this machine that nobody had a moment ago, and another one each time.

    From below those that the system gives to outgoing connections, which could take it in between.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
