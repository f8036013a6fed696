"""Tasks in a real server: killed at any moment, each that was asked for runs."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import threading
from pathlib import Path
from typing import Any, Final

import pytest
from programs import SEEN

from processes import (
    CLOCK,
    Client,
    bak,
    free_port,
    make_project,
    running_server,
    start_server,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(600)]

SEED: Final = 20_260_101
KILLS: Final = 15

TASKS: Final = """
import os, signal, time
from pathlib import Path
from bakend import route, task

HERE = Path(__file__).parent
OUT = HERE.parent / "out.txt"

@task
def append(what, fails=False):
    with OUT.open("a") as file:
        file.write(f"{what}\\n")
    if fails and OUT.read_text().count(f"{what}\\n") == 1:
        raise ValueError("the first time")

@task
def wait(ctx):
    ctx.logger.info("waits")
    while not (HERE / "open").exists():
        time.sleep(0.01)
    with OUT.open("a") as file:
        file.write("opened\\n")

@task
def kill():
    os.kill(os.getpid(), signal.SIGKILL)

@route("POST", "/<word>")
def do(ctx, word):
    asked = ctx.request.json
    with ctx.db.transaction() as tx:
        tx.enqueue(word, **asked.get("args", {}))
        if asked.get("breaks"):
            raise ValueError("rolled back")
    return asked.get("args")
"""


def project_with(tmp_path: Path, **settings: object) -> Path:
    project = make_project(tmp_path / "project", [SEEN], **settings)
    (project / "functions").mkdir()
    (project / "functions" / "one.py").write_text(TASKS)
    return project


def lines(project: Path) -> list[str]:
    out = project / "out.txt"
    return out.read_text().splitlines() if out.exists() else []


def runs(project: Path) -> list[dict[str, Any]]:
    """Return the runs that there are, oldest first."""
    listed = bak(project, "functions", "runs", "--json", "--limit", "10000").stdout
    found: list[dict[str, Any]] = json.loads(listed)
    return found[::-1]


class _Load:
    """Asks for tasks until the server is gone, and keeps what was acknowledged, and what was not."""

    def __init__(self, port: int, chance: random.Random) -> None:
        self._port = port
        self._chance = chance
        self.acknowledged: list[str] = []
        self.refused: list[str] = []

    def run(self) -> None:
        try:
            with Client(self._port, timeout_s=10) as client:
                while True:
                    what = f"{self._chance.getrandbits(60):x}"
                    args = {"what": what, "fails": self._chance.random() < 0.1}
                    breaks = self._chance.random() < 0.2
                    body = {"args": args, "breaks": breaks}
                    status = client.post("/api/_/append", body).status
                    assert status == (500 if breaks else 200)
                    (self.refused if breaks else self.acknowledged).append(what)
        except (OSError, http.client.HTTPException):
            return


def test_no_task_that_was_asked_for_is_lost(tmp_path: Path) -> None:
    """Fifteen kills at random moments: what was committed has run, what was rolled back has not."""
    chance = random.Random(SEED)
    project, port = project_with(tmp_path), free_port()
    acknowledged: set[str] = set()
    refused: set[str] = set()
    for _ in range(KILLS):
        with start_server(project, port=port) as server:
            server.wait_healthy()
            load = _Load(port, chance)
            thread = threading.Thread(target=load.run)
            thread.start()
            CLOCK.pause(chance.uniform(0.02, 0.5))
            server.kill()
            thread.join()
            acknowledged.update(load.acknowledged)
            refused.update(load.refused)

    with running_server(project, port=port):
        wait_until(lambda: acknowledged <= set(lines(project)), 240, what="each task has run")
    written = lines(project)
    print(f"{len(acknowledged)} tasks, {len(written)} runs after {KILLS} kills")  # noqa: T201
    assert len(acknowledged) > KILLS
    assert refused
    assert not refused & set(written)
    assert [
        run for run in runs(project) if run["status"] == "failed" and run["kind"] == "task"
    ] == []


def test_a_task_that_was_killed_runs_again(tmp_path: Path) -> None:
    """At the next start, and is done then; a stop in good order waits for one that runs."""
    project = project_with(tmp_path)
    with start_server(project) as server:
        server.wait_healthy()
        with server.client() as client:
            assert client.post("/api/_/wait", {}).status == 204
        wait_until(lambda: "waits" in server.log, 30, what="it runs")
        server.kill()
    (running,) = runs(project)
    assert (running["status"], running["attempt"]) == ("running", 1)
    with running_server(project) as server:
        wait_until(lambda: "waits" in server.log, 30, what="it runs again")
        (project / "functions" / "open").touch()
        wait_until(lambda: lines(project) == ["opened"], 30, what="it comes to its end")
    (done,) = runs(project)
    assert (done["status"], done["attempt"], done["crashes"]) == ("completed", 2, 1)


def test_a_task_that_kills_the_process_ends_as_failed(tmp_path: Path) -> None:
    """After three times; those that ran beside it are not blamed."""
    project = project_with(tmp_path)
    with start_server(project) as server:
        server.wait_healthy()
        with server.client() as client:
            client.post("/api/_/wait", {})
            wait_until(lambda: "waits" in server.log, 30, what="another one runs")
            # It may be faster than its answer.
            with contextlib.suppress(OSError, http.client.HTTPException):
                client.post("/api/_/kill", {})
        server.wait()
    (project / "functions" / "open").touch()
    for _ in range(2):
        with start_server(project) as server:
            server.wait()
    with running_server(project) as server, server.client() as client:
        assert client.post("/api/_/append", {"args": {"what": "last"}}).status == 200
        wait_until(lambda: {"opened", "last"} <= set(lines(project)), 30, what="the others run")
    ended = {run["name"]: (run["status"], run["crashes"]) for run in runs(project)}
    assert ended["kill"] == ("failed", 3)
    assert ended["wait"][0] == ended["append"][0] == "completed"


def test_each_process_may_ask_for_tasks(tmp_path: Path) -> None:
    """One of two runs them, each once; when it is killed, the other one does."""
    project = project_with(tmp_path)
    with start_server(project) as first, start_server(project) as second:
        asked = []
        for number, server in enumerate((first, second)):
            server.wait_healthy()
            with server.client() as client:
                asked.append(f"task {number}")
                assert client.post("/api/_/append", {"args": {"what": asked[-1]}}).status == 200
        wait_until(lambda: sorted(lines(project)) == asked, 30, what="both have run")
        first.kill()
        with second.client() as client:
            assert client.post("/api/_/append", {"args": {"what": "task 2"}}).status == 200
        wait_until(
            lambda: sorted(lines(project)) == [*asked, "task 2"], 30, what="it is taken over"
        )


def test_a_task_that_has_failed_is_tried_again_when_asked(tmp_path: Path) -> None:
    """By the command, while the server runs."""
    project = project_with(tmp_path)
    text = TASKS.replace("@task\ndef append", "@task(attempts=1)\ndef append")
    (project / "functions" / "one.py").write_text(text)
    with running_server(project) as server, server.client() as client:
        client.post("/api/_/append", {"args": {"what": "x", "fails": True}})
        wait_until(lambda: runs(project)[0]["status"] == "failed", 30, what="it fails", every_s=0.3)
        done = bak(project, "functions", "retry", runs(project)[0]["runId"])
        assert done.returncode == 0, done.stderr
        wait_until(lambda: lines(project) == ["x", "x"], 30, what="it runs once more")
