"""One client's connection: Waitress' channel, and what it needs to end well.

Two kinds of threads meet here. The *loop* (the thread in `Server.run`) reads, parses, flushes and
closes. A `waitress-N` thread runs `service()`: it takes the first of `requests`, answers it into
the out-buffers and queues the connection again while there are more. `requests` and `request` (the
one that is still arriving) are guarded by `requests_lock`, the out-buffers by `outbuf_lock`; only
the loop closes the socket, so a look at the descriptor from the loop needs neither.

A connection is in one of these states, and `readable()` and `writable()` follow from them:

    idle        no request has begun, nothing to send: may be closed at any time
    arriving    part of a request is here
    busy        requests queued or running; nothing is read meanwhile
    flushing    an answer is not sent yet
    waiting     flushing, and the next request is here already: no thread has it yet
    lingering   the last answer is sent and the sending side is shut, what arrives is dropped
    gone        handed over: its socket, and what was read behind the handshake, are somebody else's

Lingering exists because closing a socket on which unread bytes lie makes the kernel send a reset,
and a reset may take the answer out of the client's hands before it is read (RFC 9112 9.6). Whoever
is refused in the middle of a body is told so, and may go on sending for a while; no thread waits.

Whoever sends many requests at once and reads no answers holds no thread: the next request is queued
only when little is unsent. And what a file has to say is read and sent by the loop alone, piece by
piece, a limited number of them in a turn, so that a fast reader does not hold up the others.

Waitress keeps time with `time.time()` and closes by one limit. Here `active_at` and the deadlines
are on the given clock, and the server asks each connection once a second whether it `is_overdue()`.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any, Final

from waitress.adjustments import Adjustments  # type: ignore[import-untyped]  # ships no types
from waitress.buffers import ReadOnlyFileBasedBuffer  # type: ignore[import-untyped]
from waitress.channel import (  # type: ignore[import-untyped]
    ClientDisconnected,
    HTTPChannel,
)

from bakend.clock import Clock
from bakend.errors import BakendError
from bakend.server.limits import BodyLimits
from bakend.server.parser import RequestParser
from bakend.server.spool import AnswerBuffer
from bakend.server.tasks import ApplicationAnswer, RefusalAnswer
from bakend.server.upgrades import Upgrades, refusal_of, too_early

HEAD_TIMEOUT_S: Final = 30
"""For a whole head, from its first byte. It fits a few packets; nginx allows 60 s, Apache 20 s."""

BODY_TIMEOUT_S: Final = 60
BODY_PROGRESS_BYTES: Final = 1_024
"""So much of a body must arrive in each such time: nginx's time, and slower than any modem."""

FLUSH_TIMEOUT_S: Final = 60
"""Without a byte taken. A client that stops reading may hold a thread, so it may not for ever."""

KEEP_ALIVE_S: Final = 75
"""Idle. Proxies keep theirs for 60 s; the side that closes first should be the one that asks."""

LINGER_S: Final = 5
LINGER_BYTES: Final = 16 * 1024 * 1024
"""How long, and how much, a refused client may go on sending before the connection closes."""

LINGER_STALLED_S: Final = 1
"""After so many bytes nothing is read any more, and so much later the connection closes. Node sends a
body without a look at the socket as long as the system takes it: it has to be stopped to read."""

PIECE_BYTES: Final = 256 * 1024
TURN_BYTES: Final = 1024 * 1024
"""How much is read at once to be sent, and how much is sent before others have their turn."""

UNSENT_BYTES: Final = 1024 * 1024
UNSENT_BUFFERS: Final = 3
"""How much may be unsent when the next request of a connection begins: a file is two buffers, the
second one for what follows it. More files would be as many open descriptors."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", ""})
"""They change nothing (RFC 9110 9.2.1); one that could not be read has none, and is refused."""

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"

ErrorResponse = Callable[[BakendError, int], tuple[int, list[tuple[str, str]], bytes]]
"""Turns an error and a status into status, headers and body. Any thread."""

_log = logging.getLogger("bakend.server")


class Shared:
    """What the connections of one server have in common; it stands for Waitress' server object."""

    def __init__(
        self,
        *,
        application: Callable[..., Any],
        error_response: ErrorResponse,
        body_limits: BodyLimits,
        upgrades: Upgrades,
        clock: Clock,
        adj: Adjustments,
        queue: Callable[[Channel], None],
        pull_trigger: Callable[[], None],
        effective_port: int,
        server_name: str,
    ) -> None:
        """Keep them.

        Args:
            queue: Puts a connection with a request into the queue of the `waitress-N` threads.
            pull_trigger: Wakes the loop, from any thread.
        """
        self.application = application
        self.error_response = error_response
        self.body_limits = body_limits
        self.upgrades = upgrades
        self.clock = clock
        self.adj = adj
        self.queue = queue
        self.pull_trigger = pull_trigger
        self.effective_port = effective_port
        self.server_name = server_name
        self.is_stopping = False
        """Set once, by `Server.stop`: from then on a connection's last answer says that it closes."""
        self.active_channels: dict[int, Channel] = {}
        """By descriptor; only the loop changes it."""

    def add_task(self, channel: Channel) -> None:
        """Take a connection that has a request: what Waitress calls."""
        channel.begin_next()


class Channel(HTTPChannel):  # type: ignore[misc]  # Waitress has no types
    """One client's connection; the methods named below run on the loop, `service()` does not."""

    task_class = ApplicationAnswer
    error_task_class = RefusalAnswer
    logger = _log
    request: RequestParser | None
    requests: list[RequestParser]
    current_outbuf_count: int
    will_close: Any  # a bool, and any call may change it

    def __init__(self, shared: Shared, sock: socket.socket, address: Any, map: Any) -> None:
        self.active_at = shared.clock.monotonic()
        """When bytes last came or went."""
        self.is_new = True
        """Nothing has come from this client yet."""
        self._reads_on = False
        self._lingers_until: float | None = None
        self._dropped_bytes = 0
        self._is_waiting = False
        """A request is here, and no thread has it yet. Guarded by `requests_lock`."""
        self._is_gone = False
        super().__init__(shared, sock, address, shared.adj, map=map)
        self.outbufs = [AnswerBuffer(shared.adj.outbuf_overflow)]

    def parser_class(self, adj: Adjustments) -> RequestParser:
        """Return the parser of the next request: a factory, where the base has a class."""
        return RequestParser(adj, self.server.body_limits, self.server.upgrades)

    # Reading and writing: the loop.

    def readable(self) -> bool:
        """Return whether bytes are wanted."""
        if self._lingers_until is not None:
            return self._dropped_bytes <= LINGER_BYTES
        return bool(super().readable())

    def handle_read(self) -> None:
        """Read once; also when there may be nothing to read."""
        try:
            data = self.socket.recv(self.adj.recv_bytes)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.handle_close()
            return
        self.active_at = self.server.clock.monotonic()
        self.is_new = False
        if self._lingers_until is None:
            self.received(data)
            self._upgrade()
            return
        self._dropped_bytes += len(data)
        if self._dropped_bytes > LINGER_BYTES:
            self._lingers_until = min(self._lingers_until, self.active_at + LINGER_STALLED_S)

    def handle_write(self) -> None:
        """Send what there is, then close or linger where that was the last."""
        if not self.connected:
            return  # closed a moment ago, by the read of the same event
        if self._is_waiting and not self.will_close:
            self._flush_exception(self._flush_some_if_lockable)
            if self.will_close:
                self.handle_close()
                return
            with self.requests_lock:
                self._begin_if_due()
            return
        if not (self._reads_on and self.close_when_flushed) or self.will_close:
            super().handle_write()
            return
        self._flush_exception(self._flush_some)
        if self.will_close:
            self.handle_close()
        elif self.connected and not self.total_outbufs_len:
            self._linger()

    def _flush_some(self, do_close: bool = True) -> bool:
        """Send what the socket takes, within a turn's share; return whether that was anything.

        The base sends for as long as the client reads, and tries for ever to send what a file does
        not have any more.
        """
        sent = 0
        while True:
            first = self.outbufs[0]
            if not len(first):
                if len(self.outbufs) == 1:
                    break
                self.outbufs.pop(0).close()
                continue
            if sent >= TURN_BYTES:
                break
            piece = self._read(first)
            count: int = self.send(piece, do_close=do_close)
            if not count:
                break
            first.skip(count, True)
            sent += count
            self.total_outbufs_len -= count
        if sent:
            self.active_at = self.server.clock.monotonic()
        return sent > 0

    def _read(self, buffer: Any) -> bytes:
        try:
            piece: bytes = buffer.get(PIECE_BYTES)
            if not piece:
                raise OSError("it is shorter than it was")
        except OSError as failure:
            _log.error("an answer ends early, it cannot be read any more: %s", failure)
            raise
        return piece

    def handle_close(self) -> None:
        """Close, and give back the bodies that no thread will look at."""
        if self._is_gone:
            return
        super().handle_close()
        if self._is_waiting:
            self._is_waiting = False
            self.cancel()
        request, self.request = self.request, None
        if request is not None:
            request.close()

    def handle_expt(self) -> None:
        """Close on urgent data: HTTP has none, and unread it would wake the loop for ever."""
        self.handle_close()

    def handle_error(self) -> None:
        """Close after an exception in one of the handlers above; the others' connections go on."""
        _log.exception("a connection failed")
        self.handle_close()

    # Handing over: the loop.

    def _upgrade(self) -> None:
        """Hand the connection over if that is what the last request asks for, or refuse it."""
        with self.requests_lock:
            request = self.requests[-1] if self.requests else None
            taker = None if request is None else request.taker
            if request is None or taker is None:
                return
            is_early = len(self.requests) > 1 or self.total_outbufs_len > 0
            refusal = (
                too_early()
                if is_early
                else refusal_of(taker, request, is_stopping=self.server.is_stopping)
            )
            if refusal is not None:
                request.refuse(refusal.error, refusal.status)
                if self.requests[0] is request:
                    self.begin_next()
                return
            self.requests = []
        self._is_gone = True
        self.connected = False
        self.del_channel()
        for buffer in self.outbufs:
            buffer.close()
        # A socket of its own: whatever is still done to this channel does not reach it.
        sock = socket.socket(fileno=self.socket.detach())
        taker.take(sock, headers=request.headers, query=request.query, rest=request.rest)
        request.close()

    # Deciding: the loop.

    def is_idle(self) -> bool:
        """Return whether it can be closed without anybody missing anything that was read."""
        with self.requests_lock:
            request = self.request
            return not (
                self.requests
                or self.total_outbufs_len
                or self.close_when_flushed
                or self._lingers_until is not None
                or (request is not None and request.has_begun())
            )

    def settle(self) -> bool:
        """Read what lies in the kernel if it is idle; return whether it still is, or is gone."""
        if self.connected and self.is_idle():
            self.handle_read()
            return not self.connected or self.is_idle()
        return not self.connected

    def is_overdue(self, now: float) -> bool:
        """Return whether the client has let one of the times above pass; asked once a second."""
        if self._lingers_until is not None:
            return now >= self._lingers_until
        quiet_s = now - self.active_at
        if self.total_outbufs_len:
            return quiet_s >= FLUSH_TIMEOUT_S
        if self.requests:
            return False  # the application may take its time
        request = self.request
        if request is None or not request.has_begun():
            return quiet_s >= KEEP_ALIVE_S
        if request.checked_at is None:
            request.checked_at = now
        if not request.headers_finished:
            return bool(now - request.checked_at >= HEAD_TIMEOUT_S)
        if now - request.checked_at < BODY_TIMEOUT_S:
            return False
        progress = request.body_bytes_received - request.checked_bytes
        request.checked_at, request.checked_bytes = now, request.body_bytes_received
        return bool(progress < BODY_PROGRESS_BYTES)

    def refuse(self, error: BakendError, status: int) -> None:
        """Answer with an error at once, from the loop, and close."""
        request = self.parser_class(self.adj)
        request.refuse(error, status)
        RefusalAnswer(self, request).service()
        self.close_when_flushed = True

    def _linger(self) -> None:
        self.close_when_flushed = False
        self._lingers_until = self.server.clock.monotonic() + LINGER_S
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.handle_close()

    def next_may_write(self) -> bool:
        """Return whether the first request may change something. Holding `requests_lock`."""
        return bool(self.requests) and self.requests[0].command not in SAFE_METHODS

    # The next request: any thread that holds `requests_lock`.

    def begin_next(self) -> None:
        """Queue for a thread, or wait until the loop has sent most of what came before."""
        if self.requests[0].taker is not None:
            return  # no thread answers it: _upgrade()
        self._is_waiting = True
        self._begin_if_due()

    def _begin_if_due(self) -> None:
        has_room = self.total_outbufs_len <= UNSENT_BYTES and len(self.outbufs) <= UNSENT_BUFFERS
        if self._is_waiting and (has_room or not self.total_outbufs_len):
            self._is_waiting = False
            self.server.queue(self)

    # Answering: a `waitress-N` thread, and the loop in refuse() and received().

    def service(self) -> None:
        """Answer the first request."""
        super().service()
        if not self.connected:
            self.cancel()

    def write_soon(self, data: Any) -> int:
        """Take a piece of an answer; close where neither the socket nor the disk can take it."""
        try:
            with self.outbuf_lock:
                if not isinstance(data, ReadOnlyFileBasedBuffer):
                    super()._flush_outbufs_below_high_watermark()
                # The base does the same, for each request too, with a buffer of its own kind.
                if self.current_outbuf_count >= self.adj.outbuf_high_watermark:
                    self.outbufs.append(AnswerBuffer(self.adj.outbuf_overflow))
                    self.current_outbuf_count = 0
                count = int(super().write_soon(data))
                if isinstance(data, ReadOnlyFileBasedBuffer):
                    self.outbufs[-1] = AnswerBuffer(self.adj.outbuf_overflow)
                return count
        except OSError as failure:
            # Part of it may be in the buffer: nothing that is sent from there would be right.
            self.will_close = True
            self.server.pull_trigger()
            raise ClientDisconnected from failure

    def _flush_outbufs_below_high_watermark(self) -> None:
        """Do nothing.

        Where a thread writes piece by piece faster than is sent, `write_soon` lets it wait. The base
        calls this between two requests as well, and there the thread is needed by others.
        """

    def send_continue(self) -> None:
        """Tell the client to send its body.

        The base does the same without asking whether the socket is still open, and may close it
        from a `waitress-N` thread. `write_soon` may wait for the loop, which may wait for
        `requests_lock`, held here.
        """
        assert self.request is not None
        self.request.expect_continue = False
        self.sent_continue = True
        with self.outbuf_lock:
            if self.connected:
                self.outbufs[-1].append(CONTINUE)
                self.current_outbuf_count += len(CONTINUE)
                self.total_outbufs_len += len(CONTINUE)
                self._flush_exception(self._flush_some, do_close=False)

    def ends_with_this(self) -> bool:
        """Return whether the answer whose head is being built is the connection's last."""
        if not self.server.is_stopping:
            return False
        with self.requests_lock:
            request = self.request
            return len(self.requests) <= 1 and not (request is not None and request.has_begun())

    def reads_on_after_close(self) -> None:
        """Let the client finish sending, for a while, when the answer has been flushed."""
        self._reads_on = True

    def cancel(self) -> None:
        """Give back the bodies of requests that no thread will answer any more."""
        with self.requests_lock:
            for request in self.requests:
                request.close()
            self.requests = []
