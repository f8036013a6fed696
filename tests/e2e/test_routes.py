"""Routes of the project's own in a real server: side by side, too many, stuck, and changed."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path
from typing import Any, Final

import pytest
from programs import POSTS

from processes import Answer, bak, free_port, make_project, running_server, start_server, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

THREADS: Final = 5
MOST: Final = 3
"""How many routes run at once, of that many threads."""

WAITS: Final = """
import threading, time
from pathlib import Path
from bakend import route

@route("GET", "/wait")
def wait(ctx):
    ctx.logger.info("waits")
    while not Path(__file__).with_name("open").exists():
        time.sleep(0.01)
    return "opened"

@route("GET", "/loop", timeout=1)
def loop():
    while True:
        time.sleep(0.01)

@route("GET", "/sleep", timeout=1)
async def sleep():
    import asyncio
    await asyncio.sleep(600)

# Long enough for a busy machine to get as far as the wait, which no exception interrupts.
@route("GET", "/stuck", timeout=2)
def stuck(ctx):
    ctx.logger.info("stuck begins")
    threading.Lock().acquire() and threading.Event().wait()

@route("GET", "/pid")
def pid():
    import os
    return os.getpid()
"""


def project_with(tmp_path: Path, text: str, **settings: object) -> Path:
    project = make_project(tmp_path / "project", [POSTS], **settings)
    (project / "functions").mkdir()
    (project / "functions" / "api.py").write_text(text)
    return project


class Asks(threading.Thread):
    """A request whose answer may take its time."""

    def __init__(self, port: int, path: str) -> None:
        super().__init__()
        self._port = port
        self._path = path
        self.answer: tuple[int, str | None, bytes] = (0, None, b"")
        self.start()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        connection.request("GET", self._path)
        response = connection.getresponse()
        self.answer = (response.status, response.headers["Retry-After"], response.read())
        connection.close()


def test_routes_leave_threads_to_all_else(tmp_path: Path) -> None:
    """As many wait as may run at once: one more is told to come again, records answer as ever."""
    project = project_with(tmp_path, WAITS, server={"threads": THREADS})
    with running_server(project) as server, server.client() as client:
        waiting = [Asks(server.port, "/api/_/wait") for _ in range(MOST)]
        wait_until(lambda: server.log.count("waits") == MOST, 30, what="all of them run")

        refused = client.get("/api/_/wait")
        assert (refused.status, refused.code) == (503, "unavailable")
        assert refused.headers["Retry-After"] == "1"
        assert client.post("/api/posts", {"title": "x"}).status == 201
        (project / "functions" / "open").touch()
        for each in waiting:
            each.join()

        assert [each.answer for each in waiting] == [(200, None, b'"opened"')] * MOST
        assert client.get("/api/_/wait").status == 200


def test_a_route_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """More often than there are threads: each client is answered, and others go on."""
    project = project_with(tmp_path, WAITS, server={"threads": THREADS})
    with running_server(project) as server, server.client() as client:
        for path in ("/api/_/loop", "/api/_/sleep"):
            slow = client.get(path)
            assert (slow.status, slow.code) == (503, "unavailable")
        for _ in range(2):
            stuck = [Asks(server.port, "/api/_/stuck") for _ in range(MOST)]
            for each in stuck:
                each.join()
            assert [each.answer[0] for each in stuck] == [503] * MOST
        assert server.log.count("thread is left behind") == 2 * MOST
        assert client.get("/api/_/pid").json == server.pid
        assert client.post("/api/posts", {"title": "x"}).status == 201
        assert server.stop() == 0
    runs = bak(project, "functions", "runs").stdout.splitlines()
    assert len(runs) == 2 + 2 * MOST
    assert all("\tfailed\t" in line for line in runs)


def test_a_stop_does_not_wait_for_a_route_that_never_ends(tmp_path: Path) -> None:
    """Longer than for any request; the process ends by itself."""
    text = WAITS.replace("timeout=2", "timeout=600")
    project = project_with(tmp_path, text, server={"stopTimeout": "2s"})
    with running_server(project) as server, server.client() as client:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/api/_/stuck")
        wait_until(
            lambda: "stuck begins" in server.log and client.get("/health").status == 200,
            30,
            what="it is stuck",
        )
        assert server.stop() in (0, 1)
        connection.close()


def test_each_process_answers(tmp_path: Path) -> None:
    """Also one that does not run functions, because another does."""
    project = project_with(tmp_path, WAITS)
    with start_server(project) as first, start_server(project) as second:
        for server in (first, second):
            server.wait_healthy()
            with server.client() as client:
                assert client.get("/api/_/pid").json == server.pid


def edit(file: Path, text: str) -> None:
    unfinished = file.with_suffix(".new")
    unfinished.write_text(text)
    unfinished.replace(file)


def test_dev_swaps_routes_while_one_answers(tmp_path: Path) -> None:
    """Who has begun ends with what there was; who comes later meets what there is."""
    project = project_with(tmp_path, WAITS)
    file = project / "functions" / "api.py"
    with running_server(project, command="dev") as server, server.client() as client:

        def answer(path: str) -> Any:
            got: Answer = client.get(path)
            return got.json if got.status == 200 else got.status

        waiting = Asks(server.port, "/api/_/wait")
        wait_until(lambda: "waits" in server.log, 30, what="it has begun")
        edit(file, WAITS.replace('"opened"', '"new"').replace('"/pid"', '"/process"'))
        wait_until(lambda: answer("/api/_/process") == server.pid, 30, what="the new one is there")
        assert answer("/api/_/pid") == 404
        (project / "functions" / "open").touch()
        waiting.join()
        assert waiting.answer[2] == b'"opened"'
        assert answer("/api/_/wait") == "new"

        edit(file, "broken(")
        wait_until(lambda: "Not loaded" in server.log, 30, what="the fault is told")
        assert answer("/api/_/process") == server.pid
        file.unlink()
        wait_until(lambda: answer("/api/_/process") == 404, 30, what="it is gone with its file")


def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """By the limit of all JSON routes, and before the handler."""
    text = "from bakend import route\n@route('POST', '/size')\ndef f(request): return len(request.body)"
    project = project_with(tmp_path, text, limits={"jsonBody": "10KB"})
    with running_server(project, port=free_port()) as server, server.client() as client:
        assert client.send("POST", "/api/_/size", b"x" * 10_000).json == 10_000
        assert client.send("POST", "/api/_/size", b"x" * 20_000).status == 413
