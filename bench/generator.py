"""Our own load generator, for machines without `wrk`: a few processes, raw sockets, no client library.

It reads of an answer only the status and the length, so that the server stays the slower side.
"""

from __future__ import annotations

import multiprocessing
import select
import socket
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from typing import Final

PROCESSES: Final = 2
MAX_REQUESTS: Final = 200_000
"""Of one process; none gets near it in the time it has."""

ANSWER_S: Final = 30.0


@dataclass(slots=True)
class Load:
    """What one process saw."""

    times_s: list[float] = field(default_factory=list)
    """From a request to the end of its answer, each."""
    errors: int = 0
    """Answers other than 2xx, and connections that ended."""
    duration_s: float = 0.0


def run(
    address: tuple[str, int], request: bytes, *, connections: int, seconds: float
) -> list[Load]:
    """Load a server from several processes, and return what each saw."""
    # Not fork: it copies whatever state this process is in.
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    share = connections // PROCESSES
    workers = []
    try:
        for _ in range(PROCESSES):
            receiver, sender = context.Pipe(duplex=False)
            worker = context.Process(
                target=_work, args=(address, request, share, seconds, barrier, sender), daemon=True
            )
            worker.start()
            sender.close()
            workers.append((worker, receiver))
        return [receiver.recv() for _, receiver in workers]
    finally:
        for worker, receiver in workers:
            receiver.close()
            worker.join(ANSWER_S)
            if worker.is_alive():
                worker.kill()


class _Connection:
    """One connection, with a request on its way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = b""

    def send(self, request: bytes) -> None:
        """Send a request."""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read once; return whether the answer is complete.

        Raises:
            OSError, ValueError: The connection ended, or the answer is not 2xx with a length.
        """
        piece = self.socket.recv(65_536)
        if not piece:
            raise ConnectionError
        self._received += piece
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return False
        head = head.lower()
        if head[9:10] != b"2":
            raise ValueError
        length_at = head.index(b"content-length:") + 15
        if len(body) < int(head[length_at:].split(b"\r\n", 1)[0]):
            return False
        self._received = b""
        return True


def _work(
    address: tuple[str, int],
    request: bytes,
    count: int,
    seconds: float,
    barrier: Barrier,
    sender: Connection,
) -> None:
    load = Load()
    opened = [_Connection(address) for _ in range(count)]
    by_descriptor = {one.socket.fileno(): one for one in opened}
    poll = select.poll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    barrier.wait(ANSWER_S)
    began_at = time.perf_counter()
    for one in opened:
        one.send(request)
    while not load.errors and len(load.times_s) < MAX_REQUESTS:
        for descriptor, _ in poll.poll(ANSWER_S * 1_000):
            one = by_descriptor[descriptor]
            try:
                if one.receive():
                    load.times_s.append(time.perf_counter() - one.sent_at)
                    one.send(request)
            except (OSError, ValueError):
                load.errors += 1
        load.duration_s = time.perf_counter() - began_at
        if load.duration_s >= seconds:
            break
    for one in opened:
        one.socket.close()
    sender.send(load)
    sender.close()
