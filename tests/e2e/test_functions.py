"""Functions in a real server: killed at any moment, each committed record reaches them, in order."""

from __future__ import annotations

import http.client
import json
import random
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from programs import NOTE, POSTS, SEEN

from processes import (
    CLOCK,
    START_S,
    Client,
    bak,
    make_project,
    running_server,
    start_server,
    wait_until,
)

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(600)]

SEED: Final = 20_260_101
KILLS: Final = 100

APPENDS: Final = """
import os, signal
from pathlib import Path
from bakend import on_event

BESIDE = Path(__file__).parents[1]

def is_first(word, event):
    try:
        (BESIDE / f"{word}-{event.seq}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def die_if_told(when, event):
    told = BESIDE / f"die-{when}"
    if told.exists() and is_first("died", event):  # three times would be what makes it deadly
        told.unlink()
        os.kill(os.getpid(), signal.SIGKILL)

@on_event("posts.*")
def append(ctx):
    die_if_told("before", ctx.event)
    if ctx.record["title"] == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    if ctx.event.seq % 10 == 0 and is_first("failed", ctx.event):
        raise RuntimeError("fails once")
    with (BESIDE / "out.txt").open("a") as file:
        file.write(f"{ctx.event.subject} {ctx.record['number']}\\n")
    die_if_told("after", ctx.event)
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
        with (
            Client(self._port, timeout_s=10) as client,
            suppress(OSError, http.client.HTTPException),
        ):
            while True:
                made = client.post("/api/posts", {"number": 0})
                mine = self.acknowledged.setdefault(made.json["id"], [0])
                for number in (1, 2):
                    client.put(f"/api/posts/{made.json['id']}", {"number": number})
                    mine.append(number)


def numbers_seen(project: Path) -> dict[str, list[int]]:
    """Return the numbers that the function saw of each record, in its order, repeats included."""
    found: dict[str, list[int]] = {}
    for line in lines(project / "out.txt"):
        subject, _, number = line.partition(" ")
        found.setdefault(subject, []).append(int(number))
    return found


def is_done(project: Path) -> bool:
    """Tell whether the function has passed every event, and nothing waits to be tried again."""
    with closing(sqlite3.connect(project / "bakend.db")) as database:
        place, end, waiting = database.execute(
            "SELECT (SELECT min(seq) FROM _functions), (SELECT max(seq) FROM _events),"
            " (SELECT count(*) FROM _runs WHERE status IN ('waiting', 'running'))"
        ).fetchone()
    return bool(place == end and not waiting)


def test_no_committed_record_is_lost_to_a_function(tmp_path: Path) -> None:
    """A hundred kills, half of them inside the function: each change is seen, the last one last.

    A tenth of the events fail once before they succeed, and one ends the process each time.
    """
    chance = random.Random(SEED)
    project = project_with(tmp_path, append=APPENDS)
    acknowledged: dict[str, list[int]] = {}
    kills = inside = by_event = 0
    while kills < KILLS:
        with start_server(project) as server:
            wait_until(
                lambda: server.process.poll() is not None or server.is_healthy(),
                START_S,
                what="it answers, or has died of the deadly event",
            )
            load = _Load(server.port)
            if kills == KILLS // 2 and not by_event:
                with server.client() as client, suppress(OSError, http.client.HTTPException):
                    client.post("/api/posts", {"number": 0, "title": "deadly"})
            thread = threading.Thread(target=load.run)
            thread.start()
            CLOCK.pause(chance.uniform(0.02, 0.5))
            told = project / f"die-{chance.choice(('before', 'after'))}"
            if (code := server.process.poll()) is not None:
                assert code == -signal.SIGKILL, server.tail
                by_event += 1
            elif kills % 2:
                told.touch()
                server.wait()
                kills, inside = kills + 1, inside + 1
            else:
                server.kill()
                kills += 1
            if told.exists():  # the deadly event came first
                told.unlink()
                kills, inside, by_event = kills - 1, inside - 1, by_event + 1
            thread.join()
            acknowledged.update(load.acknowledged)

    with running_server(project):
        wait_until(lambda: is_done(project), 120, what="the function is done", every_s=0.5)
    seen = numbers_seen(project)
    events = sum(len({*numbers}) for numbers in seen.values())
    repeats = sum(map(len, seen.values())) - events
    print(  # noqa: T201
        f"{len(acknowledged)} records, {events} events seen, {repeats} of them again,"
        f" after {kills} kills, {inside} inside the function, and {by_event} by the deadly event"
    )
    assert len(acknowledged) > KILLS
    assert inside == KILLS // 2
    assert (
        1 <= by_event <= 3
    )  # another kill may come just while it runs, and counts as one of the three
    for record, numbers in seen.items():
        assert {*acknowledged.get(record, [])} <= {*numbers}
        first = [*dict.fromkeys(numbers)]
        assert first == sorted(first)
        assert numbers[-1] == max(numbers)
    assert acknowledged.keys() <= seen.keys()
    (run,) = json.loads(bak(project, "functions", "runs", "--status", "failed", "--json").stdout)
    assert (run["crashes"], run["error"]) == (3, "The process has ended 3 times while this ran")


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
    """Twice as many as there are workers: others go on, health says so, and the stop is in good order."""
    project = project_with(tmp_path, stuck=STUCK, note=NOTE)
    with running_server(project) as server, server.client() as client:
        assert client.post("/api/posts", {"title": "stuck"}).status == 201
        wait_until(lambda: "left behind" in server.log, 40, what="the first one is given up")
        assert "warnings" not in client.get("/health").json
        for _ in range(7):
            assert client.post("/api/posts", {"title": "stuck"}).status == 201
        assert client.post("/api/posts", {"title": "fine"}).status == 201
        wait_until(lambda: "fine" in titles(client), 60, what="the other function goes on")
        wait_until(
            lambda: server.log.count("thread is left behind") == 8, 60, what="they are given up"
        )
        (warning,) = client.get("/health").json["warnings"]
        assert warning.startswith("8 runs of functions never ended")
        told = bak(project, "health", "--url", server.url)
        assert (told.returncode, told.stderr.strip()) == (0, warning)
    runs = json.loads(bak(project, "functions", "runs", "--json").stdout)
    assert [run["status"] for run in runs] == ["failed"] * 8


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
