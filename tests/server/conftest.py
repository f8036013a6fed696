"""A real server on a real port for each test, and a client that sees bytes."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import pytest

from bakend.clock import Clock, SystemClock
from bakend.errors import BakendError, UnavailableError
from bakend.server.channel import Channel
from bakend.server.serve import Server

DEADLINE_S = 20.0
KIB, MIB = 1 << 10, 1 << 20


class FakeClock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, condition: threading.Event | threading.Condition, timeout_s: float) -> bool:
        raise NotImplementedError

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


class Answer:
    """A status, the headers in lower case, and the whole body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def code(self) -> str:
        """The code of an error's envelope."""
        return str(json.loads(self.body)["error"]["code"])


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self._file = self.socket.makefile("rb")

    def send(self, *pieces: str | bytes) -> Client:
        for piece in pieces:
            self.socket.sendall(piece.encode("latin-1") if isinstance(piece, str) else piece)
        return self

    def get(self, path: str, *, method: str = "GET", version: str = "1.1") -> Client:
        return self.send(f"{method} {path} HTTP/{version}\r\nHost: test\r\n\r\n")

    def post(self, path: str, body: bytes) -> Client:
        head = f"POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {len(body)}\r\n\r\n"
        return self.send(head, body)

    def answer(self, *, has_body: bool = True) -> Answer:
        """Read one whole answer, or fail."""
        line = self._file.readline()
        assert line.startswith(b"HTTP/1."), f"no answer but {line!r}"
        headers: dict[str, str] = {}
        while (field := self._file.readline()) != b"\r\n":
            name, _, value = field.decode("latin-1").partition(":")
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value.strip()
        body = self._body(headers) if has_body else b""
        return Answer(int(line.split()[1]), headers, body)

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._file.readline(), 16):
                body += self._file.read(size)
                assert self._file.readline() == b"\r\n"
            assert self._file.readline() == b"\r\n"
            return body
        length = int(headers.get("content-length", 0))
        body = self._file.read(length)
        assert len(body) == length, "the answer is not whole"
        return body

    def is_closed(self) -> bool:
        """Wait for the other side to close; what it still sends is a failure."""
        try:
            return self._file.read(1) == b""
        except ConnectionError:
            return True

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class Application:
    """Some routes, and gates that hold them open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.entered = threading.Semaphore(0)
        self.bodies: list[int] = []
        self.files: list[BinaryIO] = []
        """What `/file` has opened; `file_bytes` of it are sent from `file_start` on."""
        self.file_start, self.file_bytes = 0, 32 * MIB

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/wait":
                self.entered.release()
                assert self.gate.wait(DEADLINE_S)
                return self._plain(start, b"waited")
            case "/fail":
                raise RuntimeError("a secret of the application")
            case "/exit":
                raise SystemExit(3)
            case "/gone":
                raise FileNotFoundError("a secret of the application")
            case "/late":
                start("200 OK", [("Content-Length", "10")])
                return _fails_late()
            case "/stream":
                start("200 OK", [("Content-Type", "text/plain")])
                return (b"piece %d\n" % number for number in range(3))
            case "/large":
                start("200 OK", [("Content-Length", str(32 * MIB))])
                return (b"x" * MIB for _ in range(32))
            case "/piece":
                return self._plain(start, bytes(8 * MIB))
            case "/file":
                return self._file(environ, start)
            case "/headers":
                seen = {k: v for k, v in environ.items() if k.startswith("HTTP_")}
                return self._plain(start, json.dumps(seen).encode())
        body = environ["wsgi.input"].read()
        self.bodies.append(len(body))
        return self._plain(start, b"hello" if not body else b"%d bytes" % len(body))

    def _file(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        file = TemporaryFile(buffering=0)  # noqa: SIM115  # the server closes it
        file.truncate(self.file_start + self.file_bytes + 1)
        file.seek(self.file_start)
        self.files.append(file)
        start("200 OK", [("Content-Length", str(self.file_bytes))])
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
        return wrapped

    def _plain(self, start: Callable[..., Any], body: bytes) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


def _fails_late() -> Iterator[bytes]:
    yield b"half "
    raise RuntimeError("after the head")


def error_response(error: BakendError, status: int) -> tuple[int, list[tuple[str, str]], bytes]:
    headers = [("Content-Type", "application/json; charset=utf-8"), ("X-Request-Id", "req_test")]
    if isinstance(error, UnavailableError):
        headers.append(("Retry-After", str(error.retry_after_s)))
    body = json.dumps({"error": {"code": error.code, "message": error.message}}).encode()
    return status, headers, body


class Running:
    """A server in a thread; what the thread raises surfaces in the test."""

    def __init__(self, app: Application, temporary: Path, clock: Clock, **changed: Any) -> None:
        self.app = app
        self.temporary = temporary
        self.clients: list[Client] = []
        self._failures: list[BaseException] = []
        options: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": 0,
            "threads": 4,
            "max_connections": 200,
            "stop_timeout_s": DEADLINE_S,
            "body_limits": {"/": MIB, "/upload": 300 * MIB},
        }
        self.server = Server(
            app,
            temporary=temporary,
            error_response=error_response,
            clock=clock,
            **(options | changed),
        )
        self.port = self.server.addresses[0][1]
        self._thread = threading.Thread(target=self._run, name="test-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.server.run()
        except BaseException as failure:  # noqa: BLE001  # shown by join()
            self._failures.append(failure)

    def connect(self) -> Client:
        client = Client(self.port)
        self.clients.append(client)
        return client

    def channels(self) -> list[Channel]:
        """Return the connections as the loop sees them."""
        return list(self.server._shared.active_channels.values())

    def only_channel(self) -> Channel:
        """Wait for the loop to have taken the only connection, and return it."""
        self.until(lambda: len(self.channels()) == 1)
        return self.channels()[0]

    def until_idle(self, count: int) -> None:
        """Wait for so many connections to be idle: an answer arrives before its thread is done."""
        self.until(lambda: sum(channel.is_idle() for channel in self.channels()) == count)

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that another thread does."""
        waiting = threading.Event()
        for _ in range(int(DEADLINE_S / 0.005)):
            if condition():
                return
            waiting.wait(0.005)
        raise AssertionError("it does not happen")

    def advance(self, clock: FakeClock, seconds: float) -> bool:
        """Move the clock and make the loop look at it."""
        clock.seconds += seconds
        self.server._waker.wake()
        return True

    def tick(self, clock: FakeClock, seconds: float) -> None:
        """Move the clock and wait until the loop has closed whom it closes."""
        self.advance(clock, seconds)
        self.until(lambda: self.server._next_tick > clock.seconds)
        # It has begun to look; when it serves someone after that, it has finished.
        extra = Client(self.port)
        extra.get("/").answer()
        extra.close()
        self.until(lambda: len(self.channels()) <= len(self.clients))

    def join(self) -> None:
        """Wait for run() to return."""
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive(), "run() does not return"
        if self._failures:
            raise self._failures[0]

    def end(self) -> None:
        self.app.gate.set()
        self.server.stop()
        for client in self.clients:
            client.close()
        self.join()
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def app() -> Application:
    return Application()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def serve(app: Application, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start servers; each is stopped, and leaves no thread, socket or temporary file behind."""
    running: list[Running] = []

    def start(*, clock: Clock | None = None, **changed: Any) -> Running:
        one = Running(app, tmp_path / f"tmp{len(running)}", clock or SystemClock(), **changed)
        running.append(one)
        return one

    yield start
    for one in running:
        one.end()
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("waitress-")]
    assert left == []
