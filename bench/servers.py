"""The processes that are measured: their start, their memory, their end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
HOST: Final = "127.0.0.1"
THREADS: Final = 8
"""Bakend's default, and given to the baseline too."""

START_S: Final = 30.0
POLL_S: Final = 0.002
STOP_S: Final = 30.0


class BenchError(Exception):
    """Raised when a figure would be wrong; its text is for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a kind of server is started; PORT in the arguments becomes the port."""

    name: str
    args: Sequence[str]
    folder: Path
    environ: Mapping[str, str]

    def start(self) -> Server:
        """Start a process and don't wait for it."""
        port = _free_port()
        # A file, as under a service manager: what the access log costs belongs to the figure.
        log = self.folder / f"{self.name}.log"
        inherited = {key: text for key, text in os.environ.items() if key[:6] != "BAKEND"}
        with log.open("ab") as output:
            began_at = time.perf_counter()
            process = subprocess.Popen(
                [arg.replace("PORT", str(port)) for arg in self.args],
                cwd=self.folder,
                env={**inherited, **self.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        return Server(self.name, process, port, began_at, log)

    @contextlib.contextmanager
    def running(self) -> Iterator[Server]:
        """Start a process, wait until it answers, and stop it at the end of the block."""
        server = self.start()
        try:
            server.wait_healthy()
            yield server
        finally:
            server.stop()


@dataclass(frozen=True, slots=True)
class Server:
    """One process."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    began_at: float
    """On `time.perf_counter`."""
    log: Path

    def request(self, method: str, path: str, content: object = None) -> Any:
        """Send one JSON request on a connection of its own and return the JSON of the answer.

        Raises:
            OSError, HTTPException: No answer came.
            BenchError: The answer is an error.
        """
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        try:
            body = None if content is None else json.dumps(content).encode()
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise BenchError(f"{self.name}: {method} {path}: {response.status} {text!r:.200}")
        return json.loads(text)

    def wait_healthy(self) -> float:
        """Wait for the first good answer; return seconds from the start of the process to it."""
        while True:
            try:
                self.request("GET", "/health")
                return time.perf_counter() - self.began_at
            except (OSError, http.client.HTTPException):
                waited_s = time.perf_counter() - self.began_at
                if self.process.poll() is not None or waited_s > START_S:
                    tail = self.log.read_text(errors="replace")[-2_000:]
                    raise BenchError(f"{self.name} does not start:\n{tail}") from None
                time.sleep(POLL_S)

    def memory(self) -> Memory | None:
        """Return how much memory the process has now, None where there is no /proc."""
        try:
            lines = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            return None
        kib = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        return Memory(kib["Rss:"] / 1024, kib["Pss:"] / 1024)

    def cpu_s(self) -> float | None:
        """Return the processor time that the process has used, None where there is no /proc."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text()
        except OSError:
            return None
        # After the name, which may contain anything: user and system time in clock ticks, proc(5).
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """Stop the process and wait for its end."""
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of one process."""

    rss_mib: float
    """All pages that it has mapped and that are in memory."""
    pss_mib: float
    """The same, each page divided by the number of processes that share it."""


@contextlib.contextmanager
def idle_connections(server: Server, count: int) -> Iterator[None]:
    """Hold connections open that send nothing, all of them accepted when the block begins."""
    with contextlib.ExitStack() as stack:
        for number in range(count):
            stack.enter_context(socket.create_connection((HOST, server.port), timeout=10))
            if number % 100 == 99:  # servers accept in order: the queue never overflows
                server.request("GET", "/health")
        yield
    if count:
        server.request("GET", "/health")  # whoever answers this has seen them close


def baseline(kind: str, folder: Path) -> Command:
    """Return the command of the bare server, `wsgi` or `flask`."""
    script = str(ROOT / "bench" / "baseline.py")
    args = [sys.executable, script, kind, "PORT", str(THREADS)]
    return Command(f"hello-{kind}", args, folder, {})


def bakend(
    bak: Sequence[str], folder: Path, *, environ: Mapping[str, str], name: str = "bakend"
) -> Command:
    """Return the command of our server for a project.

    Args:
        bak: What to start; the checkout's package if empty.
        folder: The project.
        environ: Settings beside its `bakend.json`.
        name: In messages and reports.
    """
    path = {} if bak else {"PYTHONPATH": str(ROOT / "src")}
    args = [*(bak or [sys.executable, "-m", "bakend"]), "start", "--host", HOST, "--port", "PORT"]
    return Command(name, args, folder, {**path, **environ})


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as sock:
        return int(sock.getsockname()[1])
