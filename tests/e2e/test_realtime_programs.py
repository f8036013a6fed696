"""Realtime beside functions and jobs: their runs are told, and they hold nobody up."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import POSTS
from websocket import WebSocket

import clients
from processes import ServerProcess, make_project, running_server, wait_until

pytestmark = pytest.mark.e2e

FUNCTION = """
import time
from pathlib import Path
from bakend import on_create

@on_create("posts", attempts=2)
def wait(ctx):
    if ctx.record["title"] == "fails":
        raise ValueError("it fails")
    ctx.logger.info("begun")
    while ctx.record["title"] == "waits" and not Path(__file__).with_name("open").exists():
        time.sleep(0.01)
"""
JOB = """
schedule = "0 0 1 1 *"
attempts = 1
def run(ctx):
    raise ValueError("it fails")
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = make_project(tmp_path / "project", [POSTS])
    (made / "functions").mkdir()
    (made / "jobs").mkdir()
    (made / "functions" / "one.py").write_text(FUNCTION)
    (made / "jobs" / "two.py").write_text(JOB)
    return made


@pytest.fixture
def server(project: Path) -> Iterator[ServerProcess]:
    with running_server(project, environ=clients.ADMIN) as running:
        yield running


def admin_token(server: ServerProcess) -> str:
    with server.client() as client:
        body = {"email": clients.ADMIN_EMAIL, "password": clients.ADMIN_PASSWORD}
        return str(client.post("/api/auth/login", body).json["token"])


def types(messages: list[Any]) -> list[str]:
    return [each["event"]["type"] for each in messages]


def test_runs_are_told_to_administrators_only(server: ServerProcess) -> None:
    """With what the original tells of them, and without a number: they are in no log."""
    token = admin_token(server)
    with (
        WebSocket(server.port) as nobody,
        WebSocket(server.port, token) as root,
        server.client() as client,
    ):
        for each in (nobody, root):
            each.subscribe("function.*", "job.*")
        client.post("/api/posts", {"title": "works"})
        client.request("POST", "/api/admin/jobs/two/run", {}, {"Authorization": f"Bearer {token}"})
        told: list[Any] = []
        while not {"function.completed", "job.failed"} <= {*types(told)}:
            told.append(root.receive())
        client.post("/api/posts", {"title": "fails"})
        while "function.failed" not in types(told):
            told.append(root.receive())
        assert nobody.until_pong() == []
    assert all("seq" not in each for each in told)
    events = {each["event"]["type"]: each["event"] for each in told}
    assert types(told).index("function.started") < types(told).index("function.completed")
    completed, failed = events["function.completed"], events["function.failed"]
    assert completed["source"] == "functions"
    assert completed["payload"].keys() == {
        "collection",
        "trigger",
        "eventType",
        "filePath",
        "eventId",
    }
    assert (completed["payload"]["trigger"], completed["payload"]["eventType"]) == (
        "create",
        "posts.created",
    )
    assert failed["payload"]["error"] == "ValueError: it fails"
    about_job = {"name", "filePath", "schedule", "runId"}
    assert events["job.started"]["payload"].keys() == about_job
    assert events["job.failed"]["payload"].keys() == {*about_job, "durationMs", "attempt", "error"}


def test_slow_functions_do_not_hold_up_realtime(server: ServerProcess, project: Path) -> None:
    """As many as there are workers."""
    with contextlib.ExitStack() as stack:
        nobody = stack.enter_context(WebSocket(server.port))
        client = stack.enter_context(server.client())
        nobody.subscribe("posts.created")
        for _ in range(4):
            client.post("/api/posts", {"title": "waits"})
        wait_until(lambda: server.log.count("begun") == 4, 20, what="all workers wait")
        for number in range(20):
            client.post("/api/posts", {"title": str(number)})
        titles = [nobody.receive()["event"]["payload"]["title"] for _ in range(24)]
        assert titles[4:] == [str(number) for number in range(20)]
        assert server.log.count("begun") == 4
        (project / "functions" / "open").touch()
        wait_until(lambda: server.log.count("begun") == 24, 20, what="the rest has run")
