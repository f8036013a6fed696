"""The `waitress-N` threads: a fixed number, and who gets the next free one.

In place of Waitress' dispatcher, which logs a warning whenever a request has to wait, and whose
threads cannot be waited for.

Requests are served in the order they came, with one exception. A request that may change something
(by its method, RFC 9110 9.2.1) may have to wait for the one writer of the database, for seconds
where another process has it. Such requests never hold all threads: a quarter of them is left for
those that only read, which wait for nobody.

Whoever wants to know whether requests are still served has an errand done by the next free thread.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from bakend.clock import Clock

if TYPE_CHECKING:
    from bakend.server.channel import Channel

_log = logging.getLogger("bakend.server")


class Workers:
    """Threads that serve connections which have a request."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._most_writes = max(1, count - max(1, count // 4))
        self._changed = threading.Condition()
        """Guards what follows; notified when a thread may have something to do."""
        self._reads: deque[tuple[int, Channel]] = deque()
        self._writes: deque[tuple[int, Channel]] = deque()
        """Connections that wait, each with the number at which it came."""
        self._errand: Callable[[], None] | None = None
        self._came = 0
        self._writing = 0
        """How many threads serve a request that may change something."""
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

    def waiting(self) -> int:
        """Return how many connections wait for a thread."""
        with self._changed:
            return len(self._reads) + len(self._writes)

    def add(self, channel: Channel) -> None:
        """Queue a connection for its next request. Any thread that holds its `requests_lock`."""
        waiting = self._writes if channel.next_may_write() else self._reads
        with self._changed:
            self._came += 1
            waiting.append((self._came, channel))
            self._changed.notify()

    def send(self, errand: Callable[[], None]) -> None:
        """Have the next free thread do something, before any request that waits.

        While no thread is free, it is not done; sent again meanwhile, it is done once. Any thread.
        """
        with self._changed:
            self._errand = errand
            self._changed.notify()

    def stop(self, timeout_s: float) -> list[str]:
        """Drop what is queued and end the threads; return those that did not end. Once only."""
        with self._changed:
            if self._is_stopped:
                return []
            self._is_stopped = True
            dropped = [channel for _, channel in (*self._reads, *self._writes)]
            self._reads.clear()
            self._writes.clear()
            self._changed.notify_all()
        for channel in dropped:
            channel.cancel()
        started = [thread for thread in self._threads if thread.ident is not None]
        deadline = self._clock.monotonic() + timeout_s
        for thread in started:
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return [thread.name for thread in started if thread.is_alive()]

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            channel, writes = taken
            if channel is None:
                self._do_errand()
                continue
            try:
                channel.service()
            except Exception:  # noqa: BLE001  # logged; the thread serves others too
                _log.exception("a connection failed")
                channel.will_close = True
                channel.server.pull_trigger()
            if writes:
                with self._changed:
                    self._writing -= 1
                    self._changed.notify()

    def _do_errand(self) -> None:
        with self._changed:
            errand, self._errand = self._errand, None
        try:
            if errand is not None:  # another thread was faster
                errand()
        except Exception:  # noqa: BLE001  # logged; the thread serves others too
            _log.exception("an errand failed")

    def _take(self) -> tuple[Channel | None, bool] | None:
        """Wait for a connection and return it, and whether it may write.

        Without a connection there is an errand to be done; None is the end.
        """
        with self._changed:
            while not self._is_stopped:
                if self._errand is not None:
                    return None, False
                may_write = bool(self._writes) and self._writing < self._most_writes
                if may_write and (not self._reads or self._writes[0] < self._reads[0]):
                    self._writing += 1
                    return self._writes.popleft()[1], True
                if self._reads:
                    return self._reads.popleft()[1], False
                self._changed.wait()
            return None
