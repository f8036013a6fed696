"""Starts the example project in development mode, fills it, and says what to try.

Given arguments go to `bak dev`. Signals are passed on to the server, and its exit code is ours.
"""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PROJECT: Final = ROOT / "examples" / "todo"

LISTENING: Final = re.compile(r"^Listening on .*:(\d+)\s*$")
# A thousand of these lines would hide what else the log has to say.
SEED_LOGGED: Final = re.compile(r"\] INFO (GET|POST) /api/(lists|todos) 20[01] ")

TO_TRY: Final = """\

Open
  {address}/health
  {address}/_/

Try, one line after the other: log in, then create, list, change and delete a todo
  token=$(curl -s {address}/api/auth/login -H 'Content-Type: application/json' \
-d '{{"email":"demo@example.com","password":"demo password"}}' | sed 's/.*"token": *"\\([^"]*\\)".*/\\1/')
  id=$(curl -s {address}/api/todos -H "Authorization: Bearer $token" \
-H 'Content-Type: application/json' -d '{{"title":"Try Bakend"}}' | sed 's/.*"id": *"\\([^"]*\\)".*/\\1/')
  echo "$id"
  curl -s '{address}/api/todos?limit=3' -H "Authorization: Bearer $token"; echo
  curl -s -X PUT {address}/api/todos/"$id" -H "Authorization: Bearer $token" \
-H 'Content-Type: application/json' -d '{{"done":true,"priority":5}}'; echo
  curl -s -X DELETE {address}/api/todos/"$id" -H "Authorization: Bearer $token" -w '%{{http_code}}\\n'

Ctrl-C stops the server; what you changed is kept in examples/todo/.bakend"""


class Example:
    """The server's process, and what is done beside it once it listens."""

    def __init__(self) -> None:
        self.server: subprocess.Popen[str] | None = None
        self.seeding: subprocess.Popen[bytes] | None = None
        self.is_seeding = False
        self.stopping = False

    def pass_on(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal to the server; whoever loads seed data ends at once."""
        self.stopping = True
        if self.seeding is not None:
            self.seeding.terminate()
        if self.server is not None:
            # A closed terminal is a stop as any other.
            self.server.send_signal(signal.SIGTERM if number == signal.SIGHUP else number)

    def run(self, arguments: Sequence[str]) -> int:
        """Start the server, show what it says until it ends, and return its exit code."""
        bak = Path(sys.executable).with_name("bak")
        # In a process group of its own, Ctrl-C reaches the server once: from us.
        self.server = subprocess.Popen(
            [str(bak), "dev", "--config", str(PROJECT / "bakend.json"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            process_group=0,
        )
        if self.stopping:
            self.server.terminate()
        assert self.server.stdout is not None
        assert self.server.stderr is not None
        log = threading.Thread(target=self.show_log, args=(self.server.stderr,), daemon=True)
        log.start()
        try:
            self.follow(self.server.stdout)
            code = self.server.wait()
        finally:
            # Whatever ends us ends the server, such as a reader of our output that has gone.
            self.server.terminate()
        log.join(timeout=5)
        # As a shell has it, when a signal ended the server.
        return code if code >= 0 else 128 - code

    def follow(self, output: IO[str]) -> None:
        """Show the server's output to its end; fill the project once the server listens."""
        for line in output:
            print(line, end="", flush=True)
            if found := LISTENING.match(line):
                # The output must go on being read while the seed data is loaded.
                address = f"http://127.0.0.1:{found[1]}"
                threading.Thread(target=self.fill, args=(address,), daemon=True).start()

    def show_log(self, log: IO[str]) -> None:
        """Show the server's log, without the requests that load the seed data."""
        for line in log:
            if not (self.is_seeding and SEED_LOGGED.search(line)):
                print(line, end="", file=sys.stderr, flush=True)

    def fill(self, address: str) -> None:
        """Load the seed data and print the addresses, once the server answers."""
        if not is_healthy(address):
            print(f"{address}/health does not answer", file=sys.stderr)
            return
        self.is_seeding = True
        self.seeding = subprocess.Popen(
            [sys.executable, str(PROJECT / "seed.py"), address], process_group=0
        )
        seeded = self.seeding.wait() == 0
        self.is_seeding = False
        if not self.stopping:
            if not seeded:
                print("The server runs without its seed data", file=sys.stderr)
            print(TO_TRY.format(address=address), flush=True)


def is_healthy(address: str) -> bool:
    """Ask the server for its health; it listens already, so one question is enough."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(arguments: Sequence[str]) -> int:
    """Run the example until it is stopped."""
    example = Example()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, example.pass_on)
    print("Starting the example project examples/todo", flush=True)
    return example.run(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
