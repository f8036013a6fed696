"""The `waitress-N` threads: a fixed number, one queue.

In place of Waitress' dispatcher, which logs a warning whenever a request has to wait, and whose
threads cannot be waited for.
"""

from __future__ import annotations

import logging
import threading
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from bakend.clock import Clock

if TYPE_CHECKING:
    from bakend.server.channel import Channel

_log = logging.getLogger("bakend.server")


class Workers:
    """Threads that serve connections which have a request."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._queue: SimpleQueue[Channel | None] = SimpleQueue()
        self._is_stopped = False
        # Daemons: one that hangs in the application must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._work, name=f"waitress-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Begin to serve."""
        for thread in self._threads:
            thread.start()

    def add(self, channel: Channel) -> None:
        """Queue a connection for its next request. Any thread."""
        self._queue.put(channel)

    def stop(self, timeout_s: float) -> list[str]:
        """Drop what is queued and end the threads; return those that did not end. Once only."""
        if self._is_stopped:
            return []
        self._is_stopped = True
        while True:
            try:
                channel = self._queue.get_nowait()
            except Empty:
                break
            if channel is not None:
                channel.cancel()
        started = [thread for thread in self._threads if thread.ident is not None]
        for _ in started:
            self._queue.put(None)
        deadline = self._clock.monotonic() + timeout_s
        for thread in started:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return [thread.name for thread in started if thread.is_alive()]

    def _work(self) -> None:
        while (channel := self._queue.get()) is not None:
            try:
                channel.service()
            except Exception:  # noqa: BLE001  # logged; the thread serves others too
                _log.exception("a connection failed")
                channel.will_close = True
                channel.server.pull_trigger()
