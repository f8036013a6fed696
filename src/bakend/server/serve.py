"""The server: owns the listening sockets, the loop, the threads and the end of them all."""

from __future__ import annotations

import logging
import select
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from waitress import wasyncore  # type: ignore[import-untyped]  # ships no types
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]

from bakend.clock import Clock
from bakend.errors import NotWritableError, UnavailableError
from bakend.server.channel import Channel, ErrorResponse, Shared
from bakend.server.limits import BodyLimits, connections_for, raise_descriptor_limit
from bakend.server.listening import BACKLOG, Listener, Waker, client_address, listen_on
from bakend.server.upgrades import Taker, Upgrades
from bakend.server.workers import Workers
from bakend.structs import Struct

TICK_S: Final = 1.0
"""How often deadlines are looked at; a turn of the loop waits no longer than this."""

BODY_MEMORY_BYTES: Final = 64 * 1024
"""Of a body; what is larger goes to the temporary folder."""

READ_BYTES: Final = 64 * 1024
"""Per read: an upload's pieces go to disk on the loop, so few large ones are better than many."""

REFUSED_MAX: Final = 64
"""Connections over the limit that are told so; beyond these they are closed without a word."""

FIRST_WORD_S: Final = 2.0
"""How long a stop waits for the request of a client that connected a moment before."""

THREAD_END_S: Final = 1.0
"""For the threads to end once nothing is left to serve."""

NO_UPGRADES: Final[Mapping[str, Taker]] = MappingProxyType({})

_log = logging.getLogger("bakend.server")


class Supervisor(Struct, kw_only=True):
    """Who wants to know, from outside, how the server is."""

    answers: Callable[[], None]
    """Called on a `waitress-N` thread, once the loop runs and then again and again: not while the
    loop or all threads are stuck."""
    every_s: float
    """How often."""
    stops: Callable[[], None]
    """Called on the loop when a stop begins."""


class Server:
    """An HTTP server for one WSGI application.

    Construction binds: when it returns, clients can connect and wait. Thread: `run` on the one that
    becomes the loop; `stop` on any, and in a signal handler.
    """

    def __init__(
        self,
        wsgi_app: Callable[..., Any],
        *,
        host: str | None,
        port: int,
        threads: int,
        max_connections: int,
        stop_timeout_s: float,
        body_limits: Mapping[str, int],
        upgrades: Mapping[str, Taker] = NO_UPGRADES,
        max_upgraded: int = 0,
        temporary: Path,
        error_response: ErrorResponse,
        clock: Clock,
        sockets: Sequence[socket.socket] = (),
        supervisor: Supervisor | None = None,
    ) -> None:
        """Listen, and start nothing yet.

        Args:
            wsgi_app: The application. `X-Forwarded-*` headers reach it as they came: anybody can send
                them, and it has to know whom to believe.
            host: None for all interfaces.
            port: 0 for any that is free; see `addresses`.
            threads: How many requests run at once.
            max_connections: How many clients are served at once, idle ones included.
            stop_timeout_s: How long requests in progress may take after `stop`.
            body_limits: Path prefix to bytes; the longest that matches decides, `/` must be there.
            upgrades: Path in normal form to who takes over the connections that become WebSockets
                there.
            max_upgraded: How many of those there may be; see `max_upgraded` for what is possible.
            temporary: The folder for large bodies; ours alone, and emptied here.
            error_response: Makes the answer to what never reaches the application.
            clock: For every deadline.
            sockets: Sockets that listen already, in place of `host` and `port`. Somebody else holds
                them, too: who is in their queues when we stop is left to the next process.
            supervisor: Who is told that requests are answered.

        Raises:
            AddressInUseError: Another process listens there.
            SettingsError: The host or port is not possible.
            NotWritableError: The temporary folder cannot be made or emptied.
        """
        _empty(temporary)
        self._clock = clock
        self._temporary = temporary
        self._stop_timeout_s = stop_timeout_s
        descriptors = raise_descriptor_limit()
        possible = connections_for(max_connections + max_upgraded, descriptors)
        self._max_connections = min(max_connections, possible)
        self.max_upgraded = min(max_upgraded, max(possible - self._max_connections, possible // 2))
        """How many upgraded connections the limit of open files allows."""
        self._workers = Workers(threads, clock)
        limits = BodyLimits(body_limits)
        self._shares_sockets = bool(sockets)
        listening = list(sockets) or listen_on(host, port)
        self.addresses: list[tuple[str, int]] = [sock.getsockname()[:2] for sock in listening]
        """What is really listened on: host and port, the same port for all."""
        self._sockets: dict[int, Any] = {}
        """What the loop watches, by descriptor; only the loop changes it."""
        self._waker = Waker(self._sockets)
        self._shared = Shared(
            application=wsgi_app,
            error_response=error_response,
            body_limits=limits,
            upgrades=Upgrades(upgrades),
            clock=clock,
            adj=_adjustments(),
            queue=self._workers.add,
            pull_trigger=self._waker.wake,
            effective_port=self.addresses[0][1],
            server_name=host or socket.gethostname(),
        )
        self._listeners = [
            Listener(sock, admit=self._admit, make_room=self._make_room, sockets=self._sockets)
            for sock in listening
        ]
        self._supervisor = supervisor
        self._next_tick = clock.monotonic() + TICK_S
        self._next_sign = 0.0
        """When the supervisor is to hear of us again."""

    def run(self) -> None:
        """Serve until `stop` was called and the requests of that moment are answered."""
        with _tempfiles_in(self._temporary):
            try:
                self._workers.start()
                self._give_sign(self._clock.monotonic())
                while not self._shared.is_stopping:
                    self._turn(TICK_S)
                _log.info("Shutting down")
                if self._supervisor is not None:
                    self._supervisor.stops()
                self._drain()
            finally:
                self.close()

    def sockets(self) -> dict[str, int]:
        """Return how many connections are open, without upgraded ones, and requests wait. Any thread."""
        return {"http": len(self._shared.active_channels), "waiting": self._workers.waiting()}

    def stop(self) -> None:
        """Make `run` take no new connection, answer what has begun, and return.

        Any thread, any signal handler, any number of times.
        """
        self._shared.is_stopping = True
        self._waker.wake()

    def close(self) -> None:
        """Close everything at once; for a server that never ran. Does nothing a second time."""
        for listener in self._listeners:
            listener.close()
        for channel in self._channels():
            channel.handle_close()
        self._end_threads(THREAD_END_S)
        self._waker.close()

    # The loop.

    def _turn(self, timeout_s: float) -> None:
        """Wait for something to happen, at most that long, and handle it.

        As Waitress' poll2, but an event reaches only the one it is about: a connection that was
        closed in this turn may have left its descriptor to a new one.
        """
        poll = select.poll()
        watched: dict[int, Any] = {}
        for descriptor, one in list(self._sockets.items()):
            flags = select.POLLIN | select.POLLPRI if one.readable() else 0
            if one.writable():
                flags |= select.POLLOUT
            if flags:
                poll.register(descriptor, flags)
                watched[descriptor] = one
        for descriptor, flags in poll.poll(timeout_s * 1000):
            one = watched[descriptor]
            if self._sockets.get(descriptor) is one:
                wasyncore.readwrite(one, flags)
        now = self._clock.monotonic()
        if now >= self._next_tick:
            self._next_tick = now + TICK_S
            self._close_overdue(now)
            if now >= self._next_sign:
                self._give_sign(now)

    def _give_sign(self, now: float) -> None:
        """Have a thread say that it is free to answer, and that the loop asked it."""
        if self._supervisor is not None:
            self._next_sign = now + self._supervisor.every_s
            self._workers.send(self._supervisor.answers)

    def _close_overdue(self, now: float) -> None:
        for channel in self._channels():
            if channel.is_overdue(now):
                channel.handle_close()
        for listener in self._listeners:
            listener.is_resting = False

    def _channels(self) -> list[Channel]:
        return list(self._shared.active_channels.values())

    # Connections.

    def _admit(self, sock: socket.socket, address: Any) -> None:
        is_full = len(self._shared.active_channels) >= self._max_connections
        has_room = not is_full or self._make_room()
        if len(self._shared.active_channels) >= self._max_connections + REFUSED_MAX:
            sock.close()
            return
        try:
            # Answers are written in one piece: waiting for more to send would only delay them.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = Channel(self._shared, sock, client_address(address), self._sockets)
        except OSError:  # gone already; macOS says so here
            sock.close()
            return
        if not has_room:
            channel.refuse(UnavailableError("Too many connections", retry_after_s=1), 503)

    def _make_room(self) -> bool:
        """Close the connection that has been idle for the longest; False when none is idle."""
        idle = [channel for channel in self._channels() if channel.is_idle()]
        for channel in sorted(idle, key=lambda channel: channel.active_at):
            if channel.settle():
                channel.handle_close()
                return True
        return False

    # The end.

    def _drain(self) -> None:
        """Answer what has begun, within the time for it."""
        deadline = self._clock.monotonic() + self._stop_timeout_s
        for listener in self._listeners:
            # Whoever is in the kernel's queue has connected, and may have sent a request.
            for _ in range(0 if self._shares_sockets else BACKLOG):
                if not listener.accept_one():
                    break
            listener.close()
        while True:
            now = self._clock.monotonic()
            for channel in self._channels():
                if channel.settle() and not self._is_promised_an_answer(channel, now):
                    channel.handle_close()
            left_s = deadline - self._clock.monotonic()
            if not self._shared.active_channels or left_s <= 0:
                break
            self._turn(min(TICK_S, left_s))
        if self._shared.active_channels:
            _log.warning(
                "closed connections whose requests took longer than the time to stop count=%d",
                len(self._shared.active_channels),
            )
            for channel in self._channels():
                channel.handle_close()
        self._end_threads(max(left_s, THREAD_END_S))

    def _is_promised_an_answer(self, channel: Channel, now: float) -> bool:
        """Whether a client has just come, through a socket that refuses nobody, and will ask soon."""
        return self._shares_sockets and channel.is_new and now - channel.active_at < FIRST_WORD_S

    def _end_threads(self, timeout_s: float) -> None:
        still_running = self._workers.stop(timeout_s)
        if still_running:
            _log.warning("gave up on requests still running threads=%s", ",".join(still_running))


def _adjustments() -> Adjustments:
    """Return Waitress' settings; what is not named here is not used, or good as it is."""
    return Adjustments(
        ident=None,  # no Server header
        expose_tracebacks=False,
        log_socket_errors=False,  # a client that goes away is nothing to log
        url_scheme="http",
        inbuf_overflow=BODY_MEMORY_BYTES,
        recv_bytes=READ_BYTES,
        max_request_body_size=sys.maxsize,  # ours depends on the path: limits.py
    )


def _empty(folder: Path) -> None:
    """Make a folder, or remove the plain files in it: what a killed process left."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            if path.is_file() and not path.is_symlink():
                path.unlink()
    except OSError as failure:
        raise NotWritableError(
            f"Folder {folder} for temporary files cannot be used: {failure.strerror}",
            hint="Give this user the right to write there, or set storage to another folder",
        ) from failure


@contextmanager
def _tempfiles_in(folder: Path) -> Iterator[None]:
    """Make `tempfile` use a folder: Waitress' buffers and form parsers leave the choice to it."""
    before = tempfile.tempdir
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
