"""A clock for a thread that looks at something again and again."""

from __future__ import annotations

import queue
import threading

from bakend.testing import FakeClock


class Looks:
    """A clock that lets a thread look once for each `let`, and waits until it has."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._tickets: queue.Queue[None] = queue.Queue()
        self._arrived = threading.Semaphore(0)
        self._fake = FakeClock()

    def wait(self, condition: threading.Event | threading.Condition, timeout_s: float) -> bool:
        assert timeout_s == self._every_s
        assert isinstance(condition, threading.Event)
        self._arrived.release()
        while not condition.is_set():
            try:
                self._tickets.get(timeout=0.01)
            except queue.Empty:
                continue
            return False
        return True

    def let(self, looks: int = 1) -> None:
        """Let the thread look so often, and return when it waits again."""
        for _ in range(looks):
            assert self._arrived.acquire(timeout=20)
            self._tickets.put(None)
        assert self._arrived.acquire(timeout=20)
        self._arrived.release()

    def __getattr__(self, name: str) -> object:
        return getattr(self._fake, name)
