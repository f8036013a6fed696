"""Load: clients that create and list records until they are told to stop, and keep count."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from verify.hosts.http import ask
from verify.hosts.server import wait_until

CLIENTS: Final = 8


@dataclass(frozen=True, slots=True)
class Try:
    """One request and what became of it."""

    method: str
    began: float
    """By the monotonic clock, before its connection was opened."""
    status: int | None
    """None where no whole answer came."""
    problem: str = ""


@dataclass(slots=True)
class Load:
    """What the clients did so far.

    Thread: any; lists are only appended to.
    """

    port: int
    path: str
    tries: list[Try] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def created(self) -> int:
        """How many records were acknowledged."""
        return sum(one.method == "POST" and one.status == 201 for one in self.tries)

    @property
    def bad(self) -> list[Try]:
        """What was not answered as it should have been."""
        return [one for one in self.tries if one.status not in (200, 201)]

    def wait_for(self, count: int, timeout_s: float = 60.0) -> None:
        """Wait until so many more requests are done."""
        goal = len(self.tries) + count
        wait_until(lambda: len(self.tries) >= goal, timeout_s, f"{count} requests under load")

    def work(self) -> None:
        """Be one client until the end."""
        methods = itertools.cycle(("POST", "GET"))
        while not self.stopping.is_set():
            one = self._try(next(methods))
            self.tries.append(one)
            if one.status is None and one.problem == ConnectionRefusedError.__name__:
                self.stopping.wait(0.01)

    def _try(self, method: str) -> Try:
        began = time.monotonic()
        try:
            if method == "POST":
                answer = ask(
                    self.port, "POST", self.path, {"text": "under load", "color": "#00ff7f"}
                )
            else:
                answer = ask(self.port, "GET", f"{self.path}?limit=5")
        except (OSError, http.client.HTTPException) as error:
            return Try(method, began, None, type(error).__name__)
        return Try(method, began, answer.status)


@contextlib.contextmanager
def load(port: int, path: str = "/api/notes") -> Iterator[Load]:
    """Yield a load that has begun; at the end of the block every client has its last answer."""
    found = Load(port, path)
    clients = [
        threading.Thread(target=found.work, name=f"client-{number}") for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    try:
        found.wait_for(3 * CLIENTS)
        yield found
    finally:
        found.stopping.set()
        for client in clients:
            client.join()
