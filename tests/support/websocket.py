"""A client for WebSockets that does what it is told, and shows every frame; masked as RFC 6455 wants it.

Not a library: tests send what none would send, in pieces that none would make.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import struct
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from processes import NOTHING, SLOWNESS

TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

PATIENCE_S: Final = 10.0


class ClosedError(Exception):
    """Raised when the server has closed: with a code, or 1006 where it said none."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"{code} {reason}")
        self.code = code


class RefusedError(Exception):
    """Raised when the handshake is answered with anything but 101."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status} {body.decode(errors='replace')}")
        self.status = status
        self.body = body


def handshake(path: str = "/api/realtime", headers: Mapping[str, str] = NOTHING) -> bytes:
    """Return a request for a WebSocket; a header that is given replaces that of its name."""
    wanted = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        **headers,
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in wanted.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def frame(data: bytes, kind: int = TEXT, *, final: bool = True) -> bytes:
    """Return a masked frame."""
    mask = os.urandom(4)
    first = (0x80 if final else 0) | kind
    if len(data) < 126:
        head = struct.pack("!BB", first, 0x80 | len(data))
    elif len(data) < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(data))
    masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))
    return head + mask + masked


class WebSocket:
    """One connection. Thread: one."""

    def __init__(
        self,
        port: int,
        token: str | None = None,
        *,
        headers: Mapping[str, str] = NOTHING,
        receive_buffer: int = 0,
    ) -> None:
        """Connect, and read the answer to the handshake.

        Raises:
            RefusedError: It is not 101.
        """
        self.socket = socket.socket()
        self.socket.settimeout(PATIENCE_S * SLOWNESS)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
            self._unread = b""
            path = "/api/realtime" + ("" if token is None else f"?token={quote(token)}")
            self.socket.sendall(handshake(path, headers))
            self.head = self.read_head()
            self.client_id = self.expect("connected")["clientId"]
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.socket.close()

    def read_head(self) -> str:
        """Read the head of the answer.

        Raises:
            RefusedError: It is not 101.
        """
        while b"\r\n\r\n" not in self._unread:
            self._more()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        if status != 101:
            length = re.search(rb"(?i)content-length: (\d+)", head)
            raise RefusedError(status, self._take(int(length[1]) if length else 0))
        return head.decode("latin-1")

    def send(self, message: object) -> None:
        """Send a message as JSON."""
        self.socket.sendall(frame(json.dumps(message).encode()))

    def send_raw(self, data: bytes, kind: int = TEXT, *, final: bool = True) -> None:
        """Send a frame."""
        self.socket.sendall(frame(data, kind, final=final))

    def frame(self) -> tuple[int, bytes]:
        """Return the next frame, whatever it is."""
        head = self._take(2)
        assert not head[1] & 0x80, "a server does not mask"
        assert head[0] & 0x80, "all in one frame"
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack("!H", self._take(2))[0]
        elif length == 127:
            length = struct.unpack("!Q", self._take(8))[0]
        return head[0] & 0x0F, self._take(length)

    def receive(self) -> Any:
        """Return the next message; answer pings on the way.

        Raises:
            ClosedError: There is none, the server has closed.
        """
        while True:
            kind, data = self.frame()
            if kind == PING:
                self.send_raw(data, PONG)
            elif kind == CLOSE:
                code = struct.unpack("!H", data[:2])[0] if data else 1005
                raise ClosedError(code, data[2:].decode())
            elif kind == TEXT:
                return json.loads(data)
            else:
                raise AssertionError(f"a frame of kind {kind}")

    def expect(self, kind: str) -> Any:
        """Return the next message, which is of a type."""
        message = self.receive()
        assert message["type"] == kind, message
        return message

    def subscribe(self, *channels: str) -> int:
        """Subscribe, and return the position of the last one."""
        seq = 0
        for channel in channels:
            self.send({"action": "subscribe", "channel": channel})
            answer = self.expect("subscribed")
            assert answer["channel"] == channel
            seq = answer["seq"]
        return seq

    def until_pong(self) -> list[Any]:
        """Return every message up to the answer to a ping that is sent now."""
        self.send({"action": "ping"})
        found: list[Any] = []
        while True:
            message = self.receive()
            if message["type"] == "pong":
                return found
            found.append(message)

    def closes(self) -> int:
        """Read to the end, and return the code that the server closes with."""
        try:
            while True:
                self.receive()
        except ClosedError as closed:
            return closed.code

    def _take(self, count: int) -> bytes:
        while len(self._unread) < count:
            self._more()
        taken, self._unread = self._unread[:count], self._unread[count:]
        return taken

    def _more(self) -> None:
        try:
            data = self.socket.recv(65_536)
        except ConnectionError:
            data = b""
        if not data:
            raise ClosedError(1006)
        self._unread += data
