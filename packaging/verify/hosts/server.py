"""`bak start` on a host: a project, a process, and its end."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from verify.hosts.host import Host
from verify.hosts.http import ask, free_port
from verify.outcome import Failed, expect

START_S: Final = 60.0
STOP_S: Final = 60.0

NOTES: Final[Mapping[str, object]] = {
    "name": "notes",
    "fields": [
        {"name": "text", "type": "text", "required": True},
        # A pattern is judged in a process of its own, which is this same file.
        {"name": "color", "type": "string", "regex": "^#[0-9a-f]{6}$"},
    ],
    "permissions": {"create": "public", "read": "public", "update": "public", "delete": "public"},
}


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Wait until something is true; fail the check if it does not become so."""
    pause, until = threading.Event(), time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > until:
            raise Failed(f"not within {timeout_s:g} s: {what}")
        pause.wait(0.02)


def define(project: Path, definition: Mapping[str, object]) -> None:
    """Write a collection's definition, as an editor does that replaces the file."""
    folder = project / "collections"
    folder.mkdir(exist_ok=True)
    unfinished = folder / "unfinished"
    unfinished.write_text(json.dumps(definition))
    unfinished.rename(folder / f"{definition['name']}.json")


def make_project(host: Host, folder: str, *, bak: str | None = None) -> str:
    """Have `bak init` make a project with one collection; return its config file, as seen inside."""
    host.must(bak or host.inside(host.bak), "init", host.inside(folder))
    define(host.at(folder), NOTES)
    return host.inside(f"{folder}/bakend.json")


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves a project."""

    process: subprocess.Popen[bytes]
    port: int
    output: IO[bytes]

    @property
    def log(self) -> str:
        """What it printed so far."""
        number = self.output.fileno()
        # Not read(): the place in the file is shared with the process that writes.
        return os.pread(number, os.fstat(number).st_size, 0).decode(errors="replace")

    @property
    def tail(self) -> str:
        """The last of it, for a message."""
        return " / ".join(self.log.strip().splitlines()[-6:])

    @property
    def server_pid(self) -> int:
        """The process that serves: the last child of those that only entered a namespace for it."""
        pid = self.process.pid
        while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            pid = int(children[0])
        return pid

    def is_well(self) -> bool:
        """Tell whether it answers; fail the check when it has ended."""
        code = self.process.poll()
        expect(code is None, f"it ended with exit code {code}: {self.tail}")
        try:
            return ask(self.port, "GET", "/health", timeout_s=5).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_well(self) -> None:
        """Wait for its first good answer."""
        try:
            wait_until(self.is_well, START_S, "an answer on /health")
        except Failed as failed:
            raise Failed(f"{failed}; {self.tail}") from None

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        os.kill(self.server_pid, signal.SIGKILL)
        self.process.wait(STOP_S)

    def stop(self, pid: int | None = None) -> None:
        """Send SIGTERM and expect exit code 0.

        Args:
            pid: The process to send it to, where that is not the one we started.
        """
        os.kill(pid or self.process.pid, signal.SIGTERM)
        self.expect_end()

    def expect_end(self) -> None:
        """Wait for its end, and expect exit code 0."""
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            raise Failed(f"it still runs {STOP_S:g} s after SIGTERM: {self.tail}") from None
        expect(code == 0, f"exit code {code} after SIGTERM: {self.tail}")
        expect("Traceback" not in self.log, f"a traceback in its log: {self.tail}")


@contextlib.contextmanager
def started(
    host: Host,
    config: str,
    *,
    command: str = "start",
    words: Sequence[str] = (),
    bak: str | None = None,
    environ: Mapping[str, str] | None = None,
    chroot: Sequence[str] = (),
    port: int | None = None,
) -> Iterator[Server]:
    """Start a server and don't wait for it; what is left of it at the end of the block is killed.

    Args:
        config: The project's config file, as seen inside.
        words: What stands before the file: setpriv, unshare.
        bak: Another file than the installed one, as seen inside.
        port: A free one, if none is given.
    """
    port = free_port() if port is None else port
    serve = (command, "--config", config, "--host", "127.0.0.1", "--port", str(port))
    with tempfile.TemporaryFile() as output:
        process = host.start(
            *(*words, bak or host.inside(host.bak), *serve),
            output=output,
            environ=environ,
            chroot=chroot,
        )
        server = Server(process, port, output)
        try:
            yield server
        finally:
            if process.poll() is None:
                with contextlib.suppress(OSError):
                    os.kill(server.server_pid, signal.SIGKILL)
                process.kill()
                process.wait()
