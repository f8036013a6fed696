"""Bakend as users run it: a process of its own, on a real port, and a client for it.

`running_server` starts, waits for `/health` and stops. A test that kills its server, or looks at how
it starts, uses `start_server`, whose block only ends it. What a server prints is kept and can be
read at any time; a wait that fails shows it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final

import bakend
from bakend.clock import SystemClock

SLOWNESS: Final = float(os.environ.get("BAKEND_TEST_SLOWNESS", "1"))
"""How much longer than on a quiet machine everything may take."""

START_S: Final = 30.0
"""A server answers within a second; the rest is for a machine that does other things."""

CLOCK: Final = SystemClock()
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
SOURCE: Final = str(Path(bakend.__file__).parent.parent)
# As systemd does it: the sockets from descriptor 3 on, and which process they are meant for.
PASS: Final = """
import os, sys
count = int(sys.argv[1])
for number, descriptor in enumerate(sys.argv[2 : 2 + count]):
    os.dup2(int(descriptor), 3 + number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(sys.argv[2 + count], sys.argv[2 + count :])
"""
SUPPORT: Final = str(Path(__file__).parent)


def wait_until(
    condition: Callable[[], object], timeout_s: float, *, what: str, every_s: float = 0.01
) -> None:
    """Wait until something is true, and fail with what it was when it does not become so."""
    until = CLOCK.monotonic() + timeout_s * SLOWNESS
    while not condition():
        assert CLOCK.monotonic() < until, f"not within {timeout_s * SLOWNESS:g} s: {what}"
        CLOCK.pause(every_s)


_given: Final[set[int]] = set()
"""Ports that were given out: nobody may listen there yet, and a browser may know what was there before."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody had a moment ago, and another one each time.

    From below those that the system gives to outgoing connections, which could take it in between.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        if port in _given:
            continue
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port


def make_project(
    folder: Path, collections: Sequence[Mapping[str, Any]] = (), **settings: object
) -> Path:
    """Write `bakend.json` and `collections/*.json`, and return the folder."""
    (folder / "collections").mkdir(parents=True, exist_ok=True)
    (folder / "bakend.json").write_text(
        json.dumps({"database": "./bakend.db", "storage": "./storage", **settings})
    )
    for each in collections:
        write_definition(folder, each)
    return folder


def write_definition(folder: Path, collection: Mapping[str, Any]) -> None:
    """Write one definition into a project, as an editor does that replaces the file."""
    path = folder / "collections" / f"{collection['name']}.json"
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(collection))
    unfinished.replace(path)


def environment(extra: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """Return the environment of a child: without the settings of whoever runs the tests."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("BAKEND_")}
    return {**inherited, "PYTHONPATH": os.pathsep.join((SOURCE, SUPPORT)), **extra}


def bak(
    folder: Path, *args: str, environ: Mapping[str, str] = NOTHING, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bakend", *args],
        cwd=folder,
        env=environment(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s * SLOWNESS,
        check=False,
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The value that the body is the JSON text of."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error's envelope."""
        return str(self.json["error"]["code"])


class Client:
    """One keep-alive connection that speaks JSON; opened by the first request, and anew after an error.

    Thread: one.
    """

    def __init__(self, port: int, *, timeout_s: float = 60.0) -> None:
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout=timeout_s * SLOWNESS
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def request(
        self, method: str, path: str, content: object = None, headers: Mapping[str, str] = NOTHING
    ) -> Answer:
        """Send a request, its content as JSON, and return the whole answer.

        Raises:
            OSError, HTTPException: No whole answer came.
        """
        body = None if content is None else json.dumps(content).encode()
        return self.send(method, path, body, headers)

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str] = NOTHING
    ) -> Answer:
        """Send a request, its body as it is, and return the whole answer.

        Raises:
            OSError, HTTPException: No whole answer came.
        """
        typed = {} if body is None else {"Content-Type": "application/json"}
        try:
            self._connection.request(method, path, body, {**typed, **headers})
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except (OSError, http.client.HTTPException):
            self._connection.close()
            raise

    def get(self, path: str) -> Answer:
        """GET."""
        return self.request("GET", path)

    def post(self, path: str, content: object) -> Answer:
        """POST JSON."""
        return self.request("POST", path, content)

    def put(self, path: str, content: object) -> Answer:
        """PUT JSON."""
        return self.request("PUT", path, content)

    def delete(self, path: str) -> Answer:
        """DELETE."""
        return self.request("DELETE", path)


class ServerProcess:
    """One process of `bak start` or `bak dev`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: IO[bytes]) -> None:
        self.process = process
        self.port = port
        self._output = output
        self._last_log = ""
        """What it had printed when its file was closed."""

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:8080`."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has printed so far, on stdout and stderr."""
        if self._output.closed:
            return self._last_log
        descriptor = self._output.fileno()
        # Not read(): the place in the file is shared with the process that writes.
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    @property
    def tail(self) -> str:
        """The last lines of that, for a message."""
        return "\n".join(self.log.splitlines()[-30:])

    def client(self, *, timeout_s: float = 60.0) -> Client:
        """Return a client; nothing is connected yet."""
        return Client(self.port, timeout_s=timeout_s)

    def is_healthy(self) -> bool:
        """Tell whether it answers; fail when the process has ended."""
        assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.tail}"
        with self.client(timeout_s=5) as client:
            try:
                return client.get("/health").status == 200
            except (OSError, http.client.HTTPException):
                return False

    def wait_healthy(self) -> None:
        """Wait until it answers."""
        try:
            wait_until(self.is_healthy, START_S, what="the server answers", every_s=0.03)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail}") from None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 30.0) -> int:
        """Wait for its end and return the exit code, negative for a signal; fail if it stays."""
        try:
            return self.process.wait(timeout_s * SLOWNESS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout_s:g} s:\n{self.tail}") from None

    def stop(self, timeout_s: float = 40.0) -> int:
        """Ask it to stop, wait for its end, and return the exit code."""
        self.process.terminate()
        return self.wait(timeout_s)

    def keep_log(self) -> None:
        """Keep what was printed for the time after the block."""
        self._last_log = self.log

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def start_server(
    folder: Path,
    *args: str,
    command: str = "start",
    environ: Mapping[str, str] = NOTHING,
    port: int | None = None,
    executable: Path | None = None,
    sockets: Sequence[socket.socket] = (),
) -> Iterator[ServerProcess]:
    """Start a server and don't wait for it; what is left of it at the end of the block is killed.

    Args:
        folder: The project.
        args: Further flags.
        command: `start` or `dev`.
        environ: Added to the environment.
        port: A free one, if none is given.
        executable: The file to start, if it is not the Python that runs the tests.
        sockets: Listening ones that are passed to it.
    """
    port = free_port() if port is None else port
    program = [sys.executable, "-m", "bakend"] if executable is None else [str(executable)]
    descriptors = [sock.fileno() for sock in sockets]
    if sockets:
        words = map(str, (len(descriptors), *descriptors))
        program = [sys.executable, "-c", PASS, *words, *program]
    flags = ("--host", "127.0.0.1", "--port", str(port), *args)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*program, command, *flags],
            pass_fds=descriptors,
            cwd=folder,
            env=environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        server = ServerProcess(process, port, output)
        try:
            yield server
        finally:
            if process.poll() is None:
                server.kill()
            server.keep_log()


@contextlib.contextmanager
def running_server(
    folder: Path,
    *args: str,
    command: str = "start",
    environ: Mapping[str, str] = NOTHING,
    port: int | None = None,
    executable: Path | None = None,
    sockets: Sequence[socket.socket] = (),
) -> Iterator[ServerProcess]:
    """Start a server, wait until it answers, and stop it at the end of the block; see `start_server`.

    The test may end it by itself. Where the block ends well, the stop has to as well.
    """
    with start_server(
        folder,
        *args,
        command=command,
        environ=environ,
        port=port,
        executable=executable,
        sockets=sockets,
    ) as server:
        server.wait_healthy()
        yield server
        if server.process.poll() is None:
            code = server.stop()
            assert code == 0, f"stopped with {code}:\n{server.tail}"
