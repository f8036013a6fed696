"""Functions in a real server: killed at any moment, each committed record reaches them, in order."""

from __future__ import annotations

import http.client
import json
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from programs import NOTE, POSTS, SEEN

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
KILLS: Final = 30

APPENDS: Final = """
from pathlib import Path
from bakend import on_event

OUT = Path(__file__).parents[1] / "out.txt"

@on_event("posts.*")
def append(ctx):
    if ctx.event.type != "posts.deleted":
        with OUT.open("a") as file:
            file.write(f"{ctx.event.subject} {ctx.record['number']}\\n")
"""


def project_with(tmp_path: Path, **files: str) -> Path:
    project = make_project(tmp_path / "project", [POSTS, SEEN])
    (project / "functions").mkdir()
    for name, text in files.items():
        (project / "functions" / f"{name}.py").write_text(text)
    return project


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


class _Load:
    """Creates and changes records until the server is gone, and keeps what was acknowledged."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.acknowledged: dict[str, list[int]] = {}

    def run(self) -> None:
        try:
            with Client(self._port, timeout_s=10) as client:
                while True:
                    made = client.post("/api/posts", {"number": 0})
                    mine = self.acknowledged.setdefault(made.json["id"], [0])
                    for number in (1, 2):
                        client.put(f"/api/posts/{made.json['id']}", {"number": number})
                        mine.append(number)
        except (OSError, http.client.HTTPException):
            return


def first_seen(out: Path) -> dict[str, list[int]]:
    """Return the numbers that a function saw of each record, each at its first time."""
    found: dict[str, list[int]] = {}
    for line in lines(out):
        subject, _, number = line.partition(" ")
        numbers = found.setdefault(subject, [])
        if int(number) not in numbers:
            numbers.append(int(number))
    return found


def test_no_committed_record_is_lost_to_a_function(tmp_path: Path) -> None:
    """Thirty kills at random moments; afterwards each record was seen, its changes in order."""
    chance = random.Random(SEED)
    project = project_with(tmp_path, append=APPENDS)
    out, port = project / "out.txt", free_port()
    acknowledged: dict[str, list[int]] = {}
    for _ in range(KILLS):
        with start_server(project, port=port) as server:
            server.wait_healthy()
            load = _Load(port)
            thread = threading.Thread(target=load.run)
            thread.start()
            CLOCK.pause(chance.uniform(0.02, 0.5))
            server.kill()
            thread.join()
            acknowledged.update(load.acknowledged)

    def is_complete() -> bool:
        seen = first_seen(out)
        return all(
            seen.get(each, [])[: len(numbers)] == numbers for each, numbers in acknowledged.items()
        )

    with running_server(project, port=port):
        # What may have been running at a kill is begun one at a time.
        wait_until(is_complete, 240, what="each record was seen, in order")
    written = len(lines(out))
    print(f"{len(acknowledged)} records, {written} lines after {KILLS} kills")  # noqa: T201
    assert len(acknowledged) > KILLS
    for numbers in first_seen(out).values():
        assert numbers == sorted(numbers)
    assert (
        json.loads(bak(project, "functions", "runs", "--status", "failed", "--json").stdout) == []
    )


def test_an_event_that_kills_the_process_ends_as_failed(tmp_path: Path) -> None:
    """After three times, and all others get through."""
    kills = NOTE + (
        "    if ctx.record['title'] == 'killer':\n"
        "        import os, signal\n        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    project = project_with(tmp_path, one=kills)
    with start_server(project) as server:
        server.wait_healthy()
        with server.client() as client:
            for title in ("a", "killer", "b"):
                try:
                    client.post("/api/posts", {"title": title})
                except (OSError, http.client.HTTPException):
                    break
        server.wait()
    ends = 1
    while ends < 3:
        with start_server(project) as server:
            server.wait()
        ends += 1
    with running_server(project) as server, server.client() as client:
        assert client.post("/api/posts", {"title": "last"}).status == 201
        wait_until(lambda: "last" in titles(client), 20, what="the others get through")
        assert "a" in titles(client)
    (run,) = json.loads(bak(project, "functions", "runs", "--status", "failed", "--json").stdout)
    assert (run["crashes"], run["error"]) == (3, "The process has ended 3 times while this ran")


def titles(client: Client) -> list[str]:
    items: list[dict[str, Any]] = client.get("/api/seen").json["items"]
    return [item["what"] for item in items]


WAITS: Final = """
import time
from pathlib import Path
from bakend import on_create

@on_create("posts"{more})
def wait(ctx):
    while not Path(__file__).with_name("open").exists():
        {pause}
    ctx.records.create("seen", {{"what": "opened"}})
"""


def waiting(pause: str, more: str = "") -> str:
    return WAITS.format(pause=pause, more=more)


def test_a_request_never_waits_for_a_function(tmp_path: Path) -> None:
    """The function waits for something that only comes after the answer."""
    project = project_with(tmp_path, one=waiting("time.sleep(0.01)"))
    with running_server(project) as server, server.client(timeout_s=20) as client:
        for _ in range(10):  # more than there are workers
            assert client.post("/api/posts", {"title": "x"}).status == 201
        assert titles(client) == []
        (project / "functions" / "open").touch()
        wait_until(lambda: len(titles(client)) == 10, 20, what="the functions have run")


STUCK: Final = """
import threading
from bakend import on_create

# Long enough for a busy machine to get as far as the wait, which no exception interrupts.
@on_create("posts", timeout=2, attempts=1)
def stuck(ctx):
    if ctx.record["title"] == "stuck":
        threading.Lock().acquire() and threading.Event().wait()
"""


def test_a_function_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """As many as there are workers: others go on, and the server stops in good order."""
    project = project_with(tmp_path, stuck=STUCK, note=NOTE)
    with running_server(project) as server, server.client() as client:
        for _ in range(4):
            assert client.post("/api/posts", {"title": "stuck"}).status == 201
        assert client.post("/api/posts", {"title": "fine"}).status == 201
        wait_until(lambda: "fine" in titles(client), 40, what="the other function goes on")
        wait_until(
            lambda: server.log.count("thread is left behind") == 4, 40, what="they are given up"
        )
    runs = json.loads(bak(project, "functions", "runs", "--json").stdout)
    assert [run["status"] for run in runs] == ["failed"] * 4


def test_a_stop_waits_for_a_function_that_runs(tmp_path: Path) -> None:
    """And nothing of it is repeated."""
    project = project_with(
        tmp_path,
        one="import time\nfrom bakend import on_create\n@on_create('posts')\ndef slow(ctx):\n"
        "    ctx.logger.info('begun')\n    time.sleep(1)\n"
        "    ctx.records.create('seen', {'what': 'done'})\n",
    )
    with running_server(project) as server, server.client() as client:
        client.post("/api/posts", {"title": "x"})
        wait_until(lambda: "begun" in server.log, 20, what="it has begun")
        assert server.stop() == 0
    with running_server(project) as server, server.client() as client:
        client.post("/api/posts", {"title": "y"})
        wait_until(lambda: len(titles(client)) == 2, 20, what="the second has run")


def test_a_job_runs_in_one_of_two_processes(tmp_path: Path) -> None:
    """The other one takes over when the first is killed; a command asks whoever runs them."""
    project = make_project(tmp_path / "project", [SEEN])
    (project / "jobs").mkdir()
    (project / "jobs" / "tick.py").write_text(
        "import os\nschedule = '0 0 1 1 *'\ndef run(ctx):\n    ctx.logger.info('in %d', os.getpid())\n"
    )
    with start_server(project) as first, start_server(project) as second:
        first.wait_healthy()
        second.wait_healthy()

        def pid() -> int:
            done = bak(project, "jobs", "run", "tick")
            assert done.returncode == 0, done.stderr
            return int(done.stdout.split()[-1])

        pids = {pid() for _ in range(3)}
        assert len(pids) == 1
        owner, other = (first, second) if pids == {first.pid} else (second, first)
        assert pids == {owner.pid}
        owner.kill()
        wait_until(lambda: pid() == other.pid, 20, what="the other one takes over", every_s=0.3)


def edit(file: Path, text: str) -> None:
    unfinished = file.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.replace(file)


def test_dev_takes_in_what_is_saved(tmp_path: Path) -> None:
    """Functions and their helpers; a file that breaks leaves what ran before."""
    text = NOTE.replace("ctx.record[", "WORD + ctx.record[").replace(
        "import on_create", "import on_create\nfrom ._word import WORD"
    )
    project = project_with(tmp_path, one=text, _word="WORD = 'a'")
    with running_server(project, command="dev") as server, server.client() as client:

        def posts(title: str) -> Callable[[], bool]:
            assert client.post("/api/posts", {"title": title}).status == 201
            return lambda: any(what.endswith(title) for what in titles(client))

        wait_until(posts("1"), 20, what="the first")
        edit(project / "functions" / "_word.py", "WORD = 'b'")
        wait_until(lambda: "Functions: 1" in server.log, 20, what="the helper is taken in")
        wait_until(posts("2"), 20, what="the second")
        edit(project / "functions" / "one.py", "broken(")
        wait_until(lambda: "Not loaded" in server.log, 20, what="the fault is told")
        wait_until(posts("3"), 20, what="the third")

        assert sorted(titles(client)) == ["a1", "b2", "b3"]
