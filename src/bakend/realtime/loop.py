"""The loop: one thread, and on it every client; the door to asyncio and to the frames of WebSocket.

The library gives the protocol and no sockets: bytes go in, frames and bytes come out. A text that many
clients get is made a frame once.

Everything here runs on the thread `bakend-realtime`, but `wake` and `stop`. The log is looked at after
each commit of this process, and once a second for those of others; for replays it is read on a thread
of its own, `bakend-replay`.

A client that does not read gets an outbox, then, when that is full, the close code 1013.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
import re
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from bakend.events.event import Draft
from bakend.ids import new_id
from bakend.realtime.desk import Desk, Page
from bakend.realtime.parts import Arrival, Parts
from bakend.realtime.replay import CatchingUp

OUTBOX_FRAMES: Final = 256
OUTBOX_BYTES: Final = 1024 * 1024
"""How far a client may be behind, beside what the system's buffers hold."""

BUFFER_BYTES: Final = 64 * 1024
"""So much is given to the transport before the outbox is used."""

CONTROL_BYTES: Final = 2 * 1024 * 1024
"""Answers to pings may wait, too, and up to here: who sends many and reads none is cut off."""

FRAMES_PER_S: Final = 200
"""A client that sends more is read again a second later."""

CLOSE_S: Final = 3.0
"""For a client to answer that the connection is closing."""

TICK_S: Final = 1.0
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_log = logging.getLogger("bakend.realtime")
_access_log = logging.getLogger("bakend.access")

# Below an error, the library's own lines hold what clients send.
_library_log: Final = logging.getLogger("bakend.realtime.frames")
_library_log.setLevel(logging.ERROR)


class Connection(asyncio.Protocol):
    """One client's socket."""

    __slots__ = (
        "_fragments",
        "_frames_in_turn",
        "_is_paused",
        "_loop",
        "_outbox",
        "_outbox_bytes",
        "_protocol",
        "_transport",
        "_turn_began",
        "arrival",
        "catching_up",
        "heard_at",
        "id",
        "is_asked",
        "is_closing",
    )

    def __init__(self, loop: Loop, arrival: Arrival) -> None:
        self.id = new_id("rt")
        self.arrival: Arrival | None = arrival
        self.heard_at = loop.time()
        """When the client last sent anything."""
        self.is_asked = False
        """Whether it was asked since then if it is there."""
        self.is_closing = False
        self.catching_up: CatchingUp | None = None
        self._loop = loop
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._protocol = ServerProtocol(
            select_subprotocol=lambda _protocol, offered: offered[0] if offered else None,
            max_size=loop.max_message_bytes,
            logger=_library_log,
        )
        self._fragments: list[bytes] | None = None
        self._frames_in_turn = 0
        self._turn_began = self.heard_at
        self._outbox: deque[bytes] | None = None
        self._outbox_bytes = 0
        self._is_paused = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=BUFFER_BYTES, low=BUFFER_BYTES // 4)
        arrival, self.arrival = self.arrival, None
        assert arrival is not None
        self._protocol.receive_data(_head(arrival.headers))
        request = self._protocol.events_received()[0]
        assert isinstance(request, Request)
        self._protocol.send_response(self._protocol.accept(request))
        self._flush_protocol()
        self._loop.welcome(self, arrival.token)
        if arrival.rest:
            self.data_received(arrival.rest)

    def data_received(self, data: bytes) -> None:
        """Take what the client has sent."""
        self.heard_at = self._loop.time()
        self.is_asked = False
        if self.heard_at - self._turn_began >= TICK_S:
            self._turn_began, self._frames_in_turn = self.heard_at, 0
        self._protocol.receive_data(data)
        for frame in self._protocol.events_received():
            if isinstance(frame, Frame):
                self._frames_in_turn += 1
                self._take(frame)
        self._flush_protocol()
        if self._frames_in_turn > FRAMES_PER_S and not self._transport.is_closing():
            self._transport.pause_reading()
            self._loop.call_later(TICK_S, self._read_on)

    def eof_received(self) -> bool:
        """Close when the client has."""
        return False

    def pause_writing(self) -> None:
        """Use the outbox: the client, or the way to it, is slow."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Send what has waited."""
        self._is_paused = False
        while self._outbox and not self._is_paused:
            frame = self._outbox.popleft()
            self._outbox_bytes -= len(frame)
            self._transport.write(frame)
        if not self._outbox:
            self._outbox = None
            if self.catching_up is not None:
                self._loop.desk.feed(self)

    def connection_lost(self, _failure: Exception | None) -> None:
        """Forget the client."""
        self.is_closing = True
        self._outbox = None
        self._loop.forget(self)

    # Sending.

    @property
    def is_slow(self) -> bool:
        """Whether the client takes nothing more for now."""
        return self._is_paused

    def send(self, text: str) -> None:
        """Send a text, or let it wait; give up a client for whom too many wait."""
        if self.is_closing:
            return
        frame = self._loop.frame(text)
        if not self._is_paused and self._outbox is None:
            self._transport.write(frame)
            return
        if self._outbox is None:
            self._outbox = deque()
        self._outbox.append(frame)
        self._outbox_bytes += len(frame)
        if len(self._outbox) > OUTBOX_FRAMES or (
            self._outbox_bytes > OUTBOX_BYTES and len(self._outbox) > 1
        ):
            _log.info("closed a client that does not keep up client=%s", self.id)
            self._outbox = None
            self.close(CloseCode.TRY_AGAIN_LATER, "Too slow")

    def ping(self) -> None:
        """Ask whether the client is there."""
        if self._protocol.state is State.OPEN:
            self.is_asked = True
            self._protocol.send_ping(b"")
            self._flush_protocol()

    def close(self, code: int, reason: str) -> None:
        """Send what waits, then say goodbye; cut the line when there is no answer."""
        if self.is_closing:
            return
        self.is_closing = True
        for frame in self._outbox or ():
            self._transport.write(frame)
        self._outbox = None
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(code, reason)
            self._flush_protocol()
        self._loop.call_later(CLOSE_S, self.abort)

    def abort(self) -> None:
        """Cut the line."""
        self._transport.abort()

    def _flush_protocol(self) -> None:
        """Send what the protocol wants to say by itself: pongs, and how it ends."""
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
                continue
            # Not closed at once: unread bytes would make a reset, which may overtake the last frame.
            self.is_closing = True
            if self._transport.can_write_eof() and not self._transport.is_closing():
                self._transport.write_eof()
            self._loop.call_later(CLOSE_S, self.abort)
        if self._transport.get_write_buffer_size() > CONTROL_BYTES:
            self.abort()

    # Receiving.

    def _read_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _take(self, frame: Frame) -> None:
        if self.is_closing or frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        data = bytes(frame.data)
        is_text = frame.opcode is Opcode.TEXT
        if frame.opcode is Opcode.CONT:
            fragments = self._fragments or [b""]
            fragments.append(data)
            if not frame.fin:
                return
            self._fragments = None
            is_text, data = fragments[0] == b"t", b"".join(fragments[1:])
        elif not frame.fin:
            self._fragments = [b"t" if is_text else b"b", data]
            return
        if is_text and not _is_utf8(data):
            self._protocol.fail(CloseCode.INVALID_DATA, "Text is not UTF-8")
            return
        self._loop.desk.hear(self, data)


class Loop:
    """Serves all clients. Thread: `run` is the thread; `wake` and `stop` any."""

    def __init__(
        self,
        parts: Parts,
        *,
        arrivals: Callable[[], list[Arrival]],
        left: Callable[[], None],
    ) -> None:
        """Take the parts.

        Args:
            parts: What realtime is made of.
            arrivals: Returns the connections that have come since it was last called.
            left: Is told of each connection that has gone.
        """
        self.max_message_bytes = parts.max_message_bytes
        self._parts = parts
        self._arrivals = arrivals
        self._left = left
        self._asyncio = asyncio.new_event_loop()
        self.desk = Desk(parts, read=self._read)
        self._connections: dict[str, Connection] = {}
        self._opening: set[asyncio.Task[Any]] = set()
        self._pings: list[tuple[float, str]] = []
        """A heap: when a client is to be asked next."""
        self._is_pumping = False
        self._is_woken = False
        self._is_stopping = False
        self._all_gone = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._last = ("", b"")
        """The last text that was sent, and its frame."""
        self._replayer = ThreadPoolExecutor(1, thread_name_prefix="bakend-replay")

    # Any thread.

    def wake(self) -> None:
        """Look at the log, and for new connections, soon."""
        if not self._is_woken:  # many commits, one look
            self._is_woken = True
            self._soon(self._look)

    def tell(self, draft: Draft) -> None:
        """Tell an event that is not in the log."""
        self._soon(lambda: self.desk.tell(draft))

    def stop(self) -> None:
        """Send what is committed, close every connection, and let `run` return."""
        self._soon(self._begin_stop)

    def _soon(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._asyncio.call_soon_threadsafe(function)

    # The thread.

    def run(self) -> None:
        """Serve until `stop`."""
        asyncio.set_event_loop(self._asyncio)
        self.desk.open()
        forget = self._parts.bus.listen(self.wake)
        try:
            self._asyncio.call_soon(self._tick)
            self._asyncio.run_forever()
        finally:
            forget()
            self._replayer.shutdown()
            self._asyncio.run_until_complete(self._asyncio.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            self._asyncio.close()

    def time(self) -> float:
        """Return seconds on the loop's own clock."""
        return self._asyncio.time()

    def call_later(self, delay_s: float, function: Callable[[], None]) -> None:
        """Call something later."""
        self._asyncio.call_later(delay_s, function)

    # Connections.

    def welcome(self, connection: Connection, token: str | None) -> None:
        """Take a client in."""
        self._connections[connection.id] = connection
        heapq.heappush(self._pings, (self.time() + self._parts.ping_s, connection.id))
        _access_log.info("GET /api/realtime 101 client=%s", connection.id)
        self.desk.welcome(connection, token)
        if self._is_stopping:
            connection.close(CloseCode.GOING_AWAY, "Server is stopping")

    def forget(self, connection: Connection) -> None:
        """Let a client go."""
        self._left()
        self._connections.pop(connection.id, None)
        self.desk.forget(connection)
        if self._is_stopping and not self._connections:
            self._all_gone.set()

    def frame(self, text: str) -> bytes:
        """Return the frame of a text; many clients in a row get the same."""
        if self._last[0] is not text:
            self._last = text, Frame(Opcode.TEXT, text.encode()).serialize(mask=False)
        return self._last[1]

    def _look(self) -> None:
        self._is_woken = False  # first: who commits from here on wakes again
        for arrival in self._arrivals():
            opening = self._asyncio.create_task(self._open(arrival))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        self._pump()

    async def _open(self, arrival: Arrival) -> None:
        arrival.sock.setblocking(False)
        try:
            await self._asyncio.connect_accepted_socket(
                lambda: Connection(self, arrival), arrival.sock
            )
        except Exception:  # noqa: BLE001  # logged; the other clients go on
            _log.exception("a client could not be taken in")
            arrival.sock.close()
            self._left()

    def _tick(self) -> None:
        """Do what is due, once a second."""
        self._asyncio.call_later(TICK_S, self._tick)
        now = self.time()
        while self._pings and self._pings[0][0] <= now:
            _, client_id = heapq.heappop(self._pings)
            connection = self._connections.get(client_id)
            if connection is None:
                continue
            silent_s = now - connection.heard_at
            if silent_s >= self._parts.timeout_s and connection.is_asked:
                connection.abort()
                continue
            connection.ping()
            left_s = max(TICK_S, self._parts.timeout_s - silent_s)
            next_s = min(self._parts.ping_s, left_s)
            heapq.heappush(self._pings, (now + next_s, client_id))
        self._look()

    # Events.

    def _pump(self) -> None:
        """Tell what is new in the log; what is more than a few events, in several turns."""
        if self._is_pumping:
            return
        if self.desk.advance():
            self._is_pumping = True
            self._asyncio.call_soon(self._pump_on)

    def _pump_on(self) -> None:
        self._is_pumping = False
        self._pump()

    def _read(self, read: Callable[[], Page], done: Callable[[Page | None], None]) -> None:
        """Read a part of the log on a thread of its own."""

        def take(reading: asyncio.Future[Page]) -> None:
            if reading.cancelled():
                return
            failure = reading.exception()
            if failure is not None:
                _log.error("a replay has failed", exc_info=failure)
            done(None if failure is not None else reading.result())

        self._asyncio.run_in_executor(self._replayer, read).add_done_callback(take)

    # The end.

    def _begin_stop(self) -> None:
        if not self._is_stopping:
            self._is_stopping = True
            self._ending = self._asyncio.create_task(self._end())

    async def _end(self) -> None:
        try:
            for arrival in self._arrivals():
                await self._open(arrival)
            while self.desk.advance():
                await asyncio.sleep(0)
            for connection in list(self._connections.values()):
                connection.close(CloseCode.GOING_AWAY, "Server is stopping")
            if self._connections:
                async with asyncio.timeout(CLOSE_S + TICK_S):
                    await self._all_gone.wait()
        except TimeoutError:
            _log.info("clients did not say goodbye count=%d", len(self._connections))
        finally:
            for connection in list(self._connections.values()):
                connection.abort()
            self._asyncio.call_soon(self._asyncio.stop)


def _head(headers: Mapping[str, str]) -> bytes:
    """Return a handshake for the library: what the server has checked, and nothing that is secret."""
    lines = [
        "GET /api/realtime HTTP/1.1",
        "Host: bakend",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {headers['SEC_WEBSOCKET_KEY']}",
        "Sec-WebSocket-Version: 13",
    ]
    offered = headers.get("SEC_WEBSOCKET_PROTOCOL", "").partition(",")[0].strip()
    if _TOKEN.fullmatch(offered):
        lines.append(f"Sec-WebSocket-Protocol: {offered}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
