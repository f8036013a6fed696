"""A connection that sends what it is told, byte for byte, and reads whole answers."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable

from processes import SLOWNESS, Answer


class Raw:
    """One connection to a server on this machine. Thread: one."""

    def __init__(self, port: int, *, timeout_s: float = 60.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s * SLOWNESS)

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def send(self, *pieces: str | bytes) -> Raw:
        """Send some bytes."""
        for piece in pieces:
            self.socket.sendall(piece.encode("latin-1") if isinstance(piece, str) else piece)
        return self

    def get(self, path: str) -> Raw:
        """Send a whole request."""
        return self.send(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")

    def post(self, path: str, body: bytes) -> Raw:
        """Send a whole request with a body."""
        return self.send(post_head(path, len(body)), body)

    def pour(self, pieces: Iterable[bytes]) -> bool:
        """Send much, and return whether the server let it; a client that is cut off goes on to read."""
        try:
            for piece in pieces:
                self.socket.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            return False
        return True

    def answer(self, method: str = "GET") -> Answer:
        """Read one whole answer.

        Raises:
            OSError, HTTPException: There is none, or not the whole of it.
        """
        # It reads ahead: one answer has to be read before the next request is sent.
        response = http.client.HTTPResponse(self.socket, method=method)
        try:
            response.begin()
            return Answer(response.status, response.headers, response.read())
        finally:
            response.close()

    def is_closed(self) -> bool:
        """Wait for the server to close; False when it says something instead."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True


def post_head(path: str, length: int | None) -> str:
    """Return the head of a POST of JSON; without a length, in chunks."""
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    return (
        f"POST {path} HTTP/1.1\r\nHost: test\r\n{framing}\r\nContent-Type: application/json\r\n\r\n"
    )


def body(name: str) -> bytes:
    """Return a body for a collection that has a `name`."""
    return json.dumps({"name": name}).encode()
