"""Functions before a write in a real server: one transaction, a limit, a door that stays shut."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any, Final

import pytest
from programs import POSTS, SEEN
from websocket import WebSocket

from processes import Answer, Client, bak, make_project, running_server, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

HEAD: Final = "from bakend import Reject, before_create, before_update, on_create\n"


def project_with(tmp_path: Path, text: str, **settings: object) -> Path:
    project = make_project(tmp_path / "project", [POSTS, SEEN], **settings)
    (project / "functions").mkdir()
    write(project, text)
    return project


def write(project: Path, text: str) -> None:
    """Save the one file of functions, as an editor does that replaces it."""
    unfinished = project / "functions" / "one.new"
    unfinished.write_text(HEAD + text)
    unfinished.replace(project / "functions" / "one.py")


def items(client: Client, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/{name}").json["items"]
    return found


STOCK: Final = """
@before_create("posts")
def stock(ctx):
    if (ctx.record["number"] or 0) < 0:
        raise Reject("There is less than nothing", field="number")
    ctx.record["title"] = ctx.record["title"].upper()
    ctx.records.create("seen", {"what": ctx.record["title"]})
    if ctx.record["title"] == "FAIL":
        raise ValueError("after the other record")
"""


def test_a_function_is_part_of_the_write(tmp_path: Path) -> None:
    """What it changes is in the answer, the database and the event; what it refuses is nowhere."""
    project = project_with(tmp_path, STOCK)
    with running_server(project) as server, server.client() as client:
        with WebSocket(server.port) as listener:
            listener.subscribe("posts.*", "seen.*")
            refused = client.post("/api/posts", {"title": "x", "number": -1})
            failed = client.post("/api/posts", {"title": "fail"})
            made = client.post("/api/posts", {"title": "fine"})
            told = [listener.expect("event")["event"] for _ in range(2)]
            assert listener.until_pong() == []

        assert (refused.status, refused.json["error"]["details"]) == (
            400,
            [{"field": "number", "rule": "rejected", "message": "There is less than nothing"}],
        )
        assert (failed.status, failed.code) == (500, "internal_error")
        assert failed.headers["X-Request-Id"] in failed.json["error"]["message"]
        assert made.json["title"] == "FINE"
        assert [event["type"] for event in told] == ["seen.created", "posts.created"]
        assert told[1]["payload"] == made.json
        assert [each["title"] for each in items(client, "posts")] == ["FINE"]
        assert [each["what"] for each in items(client, "seen")] == ["FINE"]
        assert "ValueError: after the other record" in server.log
    (run,) = json.loads(bak(project, "functions", "runs", "--json").stdout)
    assert (run["status"], run["error"]) == ("failed", "ValueError: after the other record")
    again = bak(project, "functions", "retry", run["runId"])
    assert (again.returncode, "part of a write" in again.stderr) == (1, True)


SLEEPS: Final = """
import time

@before_create("posts")
def slow(ctx):
    number = ctx.db.query("SELECT count(*) AS n FROM posts")[0]["n"]
    time.sleep(0.3)
    ctx.record["number"] = number
"""


def test_no_writer_comes_in_between(tmp_path: Path) -> None:
    """Eight at once count on; reads go on meanwhile, and a collection without functions waits, too."""
    project = project_with(tmp_path, SLEEPS, **{"database.busyTimeout": "1s"})
    answers: list[Answer] = []
    with running_server(project) as server, server.client() as client:

        def post(name: str, content: dict[str, object]) -> None:
            with server.client() as mine:
                answers.append(mine.post(f"/api/{name}", content))

        threads = [threading.Thread(target=post, args=("posts", {})) for _ in range(8)]
        threads.append(threading.Thread(target=post, args=("seen", {"what": "x"})))
        for thread in threads:
            thread.start()
        reads = 0
        while any(thread.is_alive() for thread in threads):
            assert client.get("/api/seen").status == 200
            reads += 1
        for thread in threads:
            thread.join()

        assert [answer.status for answer in answers] == [201] * 9
        assert sorted(each["number"] for each in items(client, "posts")) == list(range(8))
        assert reads > 9


HANGS: Final = """
import threading

@before_create("posts", timeout=1)
def hangs(ctx):
    if ctx.record["title"] == "hang":
        ctx.records.create("seen", {"what": "never"})
        threading.Lock().acquire() and threading.Event().wait()
"""


def test_a_function_that_hangs_before_a_write_holds_up_nobody_for_long(tmp_path: Path) -> None:
    """Its client gets 503, the next writer the database; the thread is given up, the stop is clean."""
    project = project_with(tmp_path, HANGS)
    with running_server(project) as server, server.client() as client:
        hung = client.post("/api/posts", {"title": "hang"})
        fine = client.post("/api/posts", {"title": "fine"})
        wait_until(lambda: "thread is left behind" in server.log, 40, what="it is given up")

        assert (hung.status, hung.code, hung.headers["Retry-After"]) == (503, "unavailable", "1")
        assert (fine.status, items(client, "seen")) == (201, [])
    (run,) = json.loads(bak(project, "functions", "runs", "--json").stdout)
    assert run["error"] == "took longer than 1 s"


def test_workers_that_write_ask_and_do_not_wait_for_themselves(tmp_path: Path) -> None:
    """All workers at once write to a collection that is guarded."""
    project = project_with(
        tmp_path,
        "@on_create('posts')\ndef after(ctx):\n"
        "    ctx.records.create('seen', {'what': ctx.record['title']})\n"
        "@before_create('seen')\ndef before(ctx):\n    ctx.record['what'] += '!'\n",
        **{"functions.workers": 2},
    )
    with running_server(project) as server, server.client() as client:
        for number in range(20):
            assert client.post("/api/posts", {"title": str(number)}).status == 201
        wait_until(lambda: len(items(client, "seen")) == 20, 30, what="all have been written")
        assert all(each["what"].endswith("!") for each in items(client, "seen"))


GUARD: Final = "@before_create('posts')\ndef guard(ctx):\n    ctx.record['title'] = 'checked'\n"


def test_a_broken_file_keeps_writes_shut_after_a_restart(tmp_path: Path) -> None:
    """503 for writes, 200 for reads, by each of two processes; mended, 201 again."""
    project = project_with(tmp_path, GUARD)
    with running_server(project) as server, server.client() as client:
        assert client.post("/api/posts", {}).json["title"] == "checked"
    assert bak(project, "functions", "check").returncode == 0

    write(project, "nowhere\n")
    checked = bak(project, "functions", "check", "--json")
    assert checked.returncode == 78
    (fault,) = json.loads(checked.stdout)
    assert fault["error"].startswith("functions/one.py:2: NameError")
    with running_server(project) as first, running_server(project) as second:
        for server in (first, second):
            with server.client() as client:
                shut = client.post("/api/posts", {})
                assert (shut.status, shut.code) == (503, "unavailable")
                assert shut.headers["Retry-After"] == "10"
                assert "functions/one.py" in shut.json["error"]["message"]
                assert len(items(client, "posts")) == 1
                assert client.post("/api/seen", {"what": "x"}).status == 201

    write(project, GUARD)
    with running_server(project) as server, server.client() as client:
        assert client.post("/api/posts", {}).status == 201


def test_dev_keeps_what_ran_when_a_file_breaks(tmp_path: Path) -> None:
    """And opens the door once the function is taken away."""
    project = project_with(tmp_path, GUARD)

    def title(client: Client) -> object:
        return client.post("/api/posts", {}).json["title"]

    with running_server(project, command="dev") as server, server.client() as client:
        assert title(client) == "checked"
        write(project, "broken(\n")
        wait_until(lambda: "Not loaded" in server.log, 20, what="the fault is told")
        assert title(client) == "checked"
        write(project, GUARD.replace("checked", "anew"))
        wait_until(lambda: title(client) == "anew", 20, what="it is taken in", every_s=0.2)
        write(project, "")
        wait_until(lambda: title(client) is None, 20, what="it is gone", every_s=0.2)
