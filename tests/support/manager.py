"""Somebody who listens as systemd does to what its services say."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

from processes import wait_until


class Manager:
    """The receiving end of `NOTIFY_SOCKET`."""

    def __init__(self, sock: socket.socket, address: str) -> None:
        self._sock = sock
        self.address = address
        """The value of `NOTIFY_SOCKET`."""
        self._lines: list[str] = []

    @property
    def lines(self) -> list[str]:
        """Every line that was sent so far, in its order; within the block of `manager`."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._lines += self._sock.recv(65_536).decode().split("\n")
        return self._lines

    def wait_for(self, line: str, *, count: int = 1) -> None:
        """Wait until a line was sent, so many times."""
        wait_until(
            lambda: self.lines.count(line) >= count, 30, what=f"{line}, in {self._lines[-9:]}"
        )


@contextlib.contextmanager
def manager(name: str | Path) -> Iterator[Manager]:
    """Yield a manager that listens at a path, or at an abstract name that begins with `@`."""
    text = str(name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0{text[1:]}" if text.startswith("@") else text)
        sock.setblocking(False)
        yield Manager(sock, text)
