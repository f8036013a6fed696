"""Many WebSockets on one thread: each keeps the numbers and the times of the events that it is told.

A frame is taken apart as far as that needs and no further: with thousands of clients the test must not
be slower than what it measures.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar
from urllib.parse import quote

from websocket import CLOSE, PING, PONG, TEXT, frame, handshake

from processes import CLOCK

T = TypeVar("T")

AT_ONCE: Final = 50
"""Handshakes that run at a time."""

_SEQ: Final = re.compile(rb'\{"type":"event","seq":(\d+)')


class Member(asyncio.Protocol):
    """One client."""

    def __init__(self, token: str | None, channels: tuple[str, ...], user: str | None) -> None:
        self.user = user
        self.told: list[tuple[int, float]] = []
        """Number of each event, and when it came."""
        self.code: int | None = None
        """What the server closed with; 1006 for nothing at all."""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._token = token
        self._channels = channels
        self._unread = b""
        self._is_open = False
        self._missing = len(channels)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        path = "/api/realtime" + ("" if self._token is None else f"?token={quote(self._token)}")
        transport.write(handshake(path))
        for channel in self._channels:
            message = {"action": "subscribe", "channel": channel}
            transport.write(frame(json.dumps(message).encode()))

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._is_open:
            head, found, rest = self._unread.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._is_open, self._unread = True, rest
        unread, place = self._unread, 0
        while len(unread) - place >= 4:
            length, begin = unread[place + 1], place + 2
            if length == 126:
                length, begin = struct.unpack_from("!H", unread, begin)[0], begin + 2
            if len(unread) < begin + length:
                break
            self._take(unread[place] & 0x0F, unread[begin : begin + length])
            place = begin + length
        self._unread = unread[place:]

    def connection_lost(self, _failure: Exception | None) -> None:
        self.code = self.code or 1006
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was ready"))

    def close(self) -> None:
        self._transport.abort()

    def _take(self, kind: int, data: bytes) -> None:
        if kind == PING:
            self._transport.write(frame(data, PONG))
        elif kind == CLOSE:
            self.code = struct.unpack("!H", data[:2])[0]
        elif kind == TEXT and (found := _SEQ.match(data)):
            self.told.append((int(found[1]), CLOCK.monotonic()))
        elif data.startswith(b'{"type":"subscribed"'):
            self._missing -= 1
            if self._missing == 0:
                self.ready.set_result(None)


class Crowd:
    """The thread of the clients. Thread: of whoever made it; `members` may be read by all."""

    def __init__(self, port: int) -> None:
        self.members: list[Member] = []
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crowd")
        self._thread.start()

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._call(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def join(self, wanted: list[tuple[str | None, tuple[str, ...], str | None]]) -> None:
        """Connect clients: token, channels and the user's id; return when all are subscribed."""
        self._call(self._join(wanted))

    async def _join(self, wanted: list[tuple[str | None, tuple[str, ...], str | None]]) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(token: str | None, channels: tuple[str, ...], user: str | None) -> None:
            async with gate:
                _, member = await self._loop.create_connection(
                    lambda: Member(token, channels, user), "127.0.0.1", self._port
                )
                await member.ready
                self.members.append(member)

        await asyncio.gather(*(one(*each) for each in wanted))

    async def _leave(self) -> None:
        for member in self.members:
            member.close()
        await asyncio.sleep(0.1)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(300)
