"""`bak upgrade` of the real file, without systemd: next versions are made of it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from verify.hosts.http import ask, free_port
from verify.hosts.releases import Releases, releases
from verify.hosts.server import wait_until
from verify.hosts.variants import variant

pytestmark = pytest.mark.slow

# As a supervisor does: starts it again whenever it ends.
SUPERVISOR = """
trap 'kill "$server"; exit' TERM
while :; do
    "$0" start --config "$1" & server=$!
    echo "$server" > "$2"
    wait "$server"
    sleep 0.2
done
"""
EXITS = "\nraise SystemExit(1)\n"


class Supervised:
    """A server that is started again whenever it ends."""

    def __init__(self, bak: Path, project: Path, port: int, found: Releases) -> None:
        self.bak = bak
        self.project = project
        self.port = port
        self.releases = found
        self.pid_file = project.parent / "pid"

    def upgrade(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it, with a command that restarts the server."""
        command: list[str | Path] = [
            self.bak,
            "upgrade",
            "--json",
            "--config",
            self.project / "bakend.json",
        ]
        command += ["--restart-command", f"kill $(cat {self.pid_file})", *self.releases.words]
        environ = {"PATH": os.defpath, "BAKEND_INSTALL_URL": self.releases.url}
        return subprocess.run([*command, *words], capture_output=True, text=True, env=environ)

    @property
    def serving(self) -> str:
        """The version that answers."""
        return str(ask(self.port, "GET", "/health").json["version"])

    def is_well(self) -> bool:
        """Tell whether it answers."""
        with contextlib.suppress(OSError):
            return ask(self.port, "GET", "/health").status == 200
        return False


@pytest.fixture
def server(one_file: Path, tmp_path: Path) -> Iterator[Supervised]:
    """Return a server that runs from a copy of the file, and a place for releases."""
    bak, project, port = tmp_path / "bin" / "bak", tmp_path / "project", free_port()
    bak.parent.mkdir()
    shutil.copy(one_file, bak)
    subprocess.run([bak, "init", project], check=True, capture_output=True)
    (project / "bakend.json").write_text(json.dumps({"port": port, "host": "127.0.0.1"}))
    target = json.loads(subprocess.check_output([bak, "version", "--json"]))["target"]
    with releases(target) as found:
        made = Supervised(bak, project, port, found)
        process = subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, bak, project / "bakend.json", made.pid_file],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(made.is_well, 60, "an answer")
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(made.pid_file.read_text()), signal.SIGKILL)


def schema_of(bak: Path) -> int:
    """Return the schema that a file knows."""
    program = "from bakend.database.migrations import NEWEST; print(NEWEST)"
    return int(subprocess.check_output([bak, "-I", "-c", program]))


def test_a_command_restarts_it(server: Supervised, tmp_path: Path) -> None:
    """The real file replaces itself, restarts by a command, and comes back by --rollback."""
    old = server.serving
    variant(server.bak, tmp_path / "new", "9.9.9", {}, schema=schema_of(server.bak))
    server.releases.publish(tmp_path / "new", "9.9.9")

    done = server.upgrade()

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["to"] == "9.9.9"
    assert server.serving == "9.9.9"
    done = server.upgrade("--rollback")
    assert done.returncode == 0, done.stderr
    assert server.serving == old


def test_a_command_brings_it_back(server: Supervised, tmp_path: Path) -> None:
    """A version that ends at each start is taken back when the patience is at its end."""
    old = server.serving
    lines = {"bakend/cli/serve.py": EXITS}
    variant(server.bak, tmp_path / "new", "9.9.9", lines, schema=schema_of(server.bak))
    server.releases.publish(tmp_path / "new", "9.9.9")

    done = server.upgrade("--patience", "3")

    assert done.returncode == 7, done.stderr
    assert server.serving == old
