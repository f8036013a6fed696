"""scripts/example.py: the project that a newcomer meets, with a real server."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from todo_example import seed

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT: Final = Path(__file__).parents[2]
SCRIPT: Final = ROOT / "scripts" / "example.py"
LAST_LINE: Final = "Ctrl-C stops the server"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which the example keeps its data away from the clone."""
    if not Path(sys.executable).with_name("bak").exists():
        pytest.skip("the command bak is not installed beside this Python")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {
        **os.environ,
        "BAKEND_PORT": str(port),
        "BAKEND_DATABASE": str(tmp_path / "todo.db"),
        "BAKEND_STORAGE": str(tmp_path / "storage"),
        "BAKEND_AUTH_JWT_SECRET": "a secret for nothing but this one test",
    }


@contextmanager
def running(environ: dict[str, str], log: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the example, and give its process and what it printed until it was ready."""
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, SCRIPT],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            assert process.stdout is not None
            said = ""
            for line in process.stdout:
                said += line
                if line.startswith(LAST_LINE):
                    break
            else:
                pytest.fail(f"the example ended too early:\n{said}\n{log.read_text()}")
            yield process, said
        finally:
            process.terminate()
            process.communicate(timeout=30)


@contextmanager
def server(environ: dict[str, str]) -> Iterator[Any]:
    """Be the example's user."""
    with seed.Server(f"http://127.0.0.1:{environ['BAKEND_PORT']}") as connected:
        connected.log_in()
        yield connected


def total(environ: dict[str, str]) -> int:
    """Ask the server how many todos there are."""
    with server(environ) as connected:
        return int(connected.ask("GET", "/api/todos?limit=1&count=true")["total"])


def test_the_printed_lines_work_one_after_the_other(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """What a newcomer copies creates a record, lists, changes it and deletes it."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    with running(environ, tmp_path / "log") as (_process, said):
        lines = [
            line
            for line in said.splitlines()
            if line.startswith(("  token=", "  id=", "  echo ", "  curl "))
        ]
        done = subprocess.run(
            ["sh", "-e"], input="\n".join(lines), capture_output=True, text=True, check=True
        )

    new_id, listed, changed, deleted = done.stdout.splitlines()
    assert new_id.startswith("rec_")
    assert json.loads(listed)["items"][0]["id"] == new_id
    assert json.loads(changed)["done"] is True
    assert deleted == "204"


@pytest.mark.parametrize("document", ["README.md", "examples/todo/README.md"])
def test_the_lines_of_a_document_work(
    environ: dict[str, str], tmp_path: Path, document: str
) -> None:
    """The curl lines of both documents do what the words around them say."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    blocks = re.findall(
        r"^```sh\n(.*?)^```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE
    )
    (block,) = [block for block in blocks if block.startswith("api=")]

    with running(environ, tmp_path / "log"):
        lines = block.replace(":8080", f":{environ['BAKEND_PORT']}")
        done = subprocess.run(["sh", "-e"], input=lines, capture_output=True, text=True, check=True)
        left = total(environ)

    assert '"done":true' in done.stdout
    assert '"total":1001' in done.stdout
    assert re.findall('"code":"([a-z_]+)"', done.stdout) == ["validation_error"]
    assert left == 1000


def test_a_second_run_keeps_what_people_changed(environ: dict[str, str], tmp_path: Path) -> None:
    """Seed data is loaded once: a todo that was deleted does not come back."""
    with running(environ, tmp_path / "log") as (_process, said):
        assert "1000/1000 todos" in said
        assert total(environ) == 1000
        with server(environ) as connected:
            (record,) = connected.ask("GET", "/api/todos?limit=1")["items"]
            connected.ask("DELETE", f"/api/todos/{record['id']}")

    with running(environ, tmp_path / "log"):
        assert total(environ) == 999


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_server(
    environ: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C and a service manager end the server itself, and its exit code is handed on."""
    with running(environ, tmp_path / "log") as (process, _said):
        process.send_signal(number)
        code = process.wait(timeout=30)

    assert code == 0
    with pytest.raises(ConnectionRefusedError):
        total(environ)


def test_a_port_in_use_is_the_servers_own_sentence(environ: dict[str, str]) -> None:
    """When the port is taken the server says so, and its exit code is handed on."""
    with socket.create_server(("127.0.0.1", int(environ["BAKEND_PORT"]))):
        done = subprocess.run(
            [sys.executable, SCRIPT], env=environ, capture_output=True, text=True, check=False
        )

    assert done.returncode == 69
    assert environ["BAKEND_PORT"] in done.stderr
    assert "Traceback" not in done.stderr
