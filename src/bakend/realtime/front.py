"""The front: what the server and the composition root know of realtime.

Light, because every start imports it: the loop, with what it imports, comes with the first client.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from bakend.errors import BakendError, PermissionDeniedError, UnavailableError
from bakend.events.event import Draft
from bakend.realtime.parts import Arrival, Parts

if TYPE_CHECKING:
    from bakend.realtime.loop import Loop

STOP_S: Final = 10.0
"""How long the thread may take to end; it closes what is open in less."""

_log = logging.getLogger("bakend.realtime")


class Realtime:
    """Takes connections, and hands them to the thread that serves them.

    Thread: `may_take` and `take` on the server's loop; `tell` on any; `stop` on the main thread, after
    it.
    """

    def __init__(self, parts: Parts, *, max_connections: int) -> None:
        """Take the parts; the thread starts with the first client."""
        self._parts = parts
        self.max_connections = max_connections
        self._lock = threading.Lock()
        """Guards what follows."""
        self._count = 0
        self._arrived: deque[Arrival] = deque()
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def may_take(self, headers: Mapping[str, str]) -> BakendError | None:
        """Return why a client may not connect, None when it may.

        Args:
            headers: Those of its handshake, named as in WSGI: `ORIGIN`.
        """
        origin = headers.get("ORIGIN")
        # No browser, no origin. And a page may always talk to the server that it came from.
        is_foreign = origin is not None and origin.partition("://")[2] != headers.get("HOST")
        if origin is not None and is_foreign and not self._parts.allows_origin(origin):
            return PermissionDeniedError("Origin is not allowed")
        with self._lock:
            if self._is_stopped or self._count >= self.max_connections:
                return UnavailableError("Too many connections", retry_after_s=5)
        return None

    def take(
        self, sock: socket.socket, *, headers: Mapping[str, str], query: str, rest: bytes
    ) -> None:
        """Take a connection over; who closes it from here on is not the server."""
        arrival = Arrival(sock=sock, headers=headers, token=_token(headers, query), rest=rest)
        with self._lock:
            self._count += 1
            self._arrived.append(arrival)
            if self._thread is None:
                # A daemon: should it hang, it must not keep the process from ending.
                self._thread = threading.Thread(
                    target=self._run, name="bakend-realtime", daemon=True
                )
                self._thread.start()
            loop = self._loop
        if loop is not None:
            loop.wake()

    def connections(self) -> int:
        """Return how many there are."""
        with self._lock:
            return self._count

    def tell(self, draft: Draft) -> None:
        """Tell an event that is not in the log, if anybody is connected."""
        loop = self._loop
        if loop is not None:
            loop.tell(draft)

    def stop(self) -> None:
        """Send what is committed, close each connection, and end the thread."""
        with self._lock:
            self._is_stopped = True
            loop, thread = self._loop, self._thread
        if thread is None:
            return
        if loop is not None:
            loop.stop()
        thread.join(STOP_S)
        if thread.is_alive():
            _log.warning("gave up on clients that are still connected thread=%s", thread.name)

    def _run(self) -> None:
        try:
            # 80 ms, for asyncio and the frames: paid by the first client, and not by each start.
            from bakend.realtime.loop import Loop

            loop = Loop(self._parts, arrivals=self._take_arrived, left=self._left)
            with self._lock:
                self._loop = loop
                is_stopped = self._is_stopped
            if is_stopped:
                loop.stop()
            loop.run()
        except Exception:  # noqa: BLE001  # logged; the server goes on without realtime
            _log.exception("realtime has ended")
        finally:
            with self._lock:
                self._is_stopped = True
            for arrival in self._take_arrived():
                arrival.sock.close()

    def _take_arrived(self) -> list[Arrival]:
        with self._lock:
            arrived = [*self._arrived]
            self._arrived.clear()
        return arrived

    def _left(self) -> None:
        with self._lock:
            self._count -= 1


def _token(headers: Mapping[str, str], query: str) -> str | None:
    """Return the access token of a handshake: of its header, else of its query."""
    scheme, _, word = headers.get("AUTHORIZATION", "").partition(" ")
    if scheme.lower() == "bearer" and word:
        return word
    given = parse_qs(query, max_num_fields=100) if query.count("&") < 100 else {}
    return given.get("token", [None])[0]
