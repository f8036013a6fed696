"""A restore that an administrator asks for: the server ends, and serves the backup in the same process."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest
from websocket import WebSocket

from bakend.backups.swapping import list_of
from bakend.database.lock import UseLock

from forms import CONTENT_TYPE, UPLOAD, form
from manager import manager
from processes import (
    CLOCK,
    Answer,
    ServerProcess,
    make_project,
    running_server,
    start_server,
    wait_until,
)

pytestmark = pytest.mark.e2e

NOTES: Final[dict[str, Any]] = {
    "name": "notes",
    "fields": [{"name": "text", "type": "text"}],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "public"),
}
EMAIL: Final = "root@example.com"
ADMIN: Final = {"BAKEND_ADMIN_EMAIL": EMAIL, "BAKEND_ADMIN_PASSWORD": "correct horse battery"}
BACKUPS: Final = "/api/admin/backups"
SEED: Final = 20
FILES: Final = 15
HELLO: Final = """
from pathlib import Path
from bakend import on_create, route

@route("GET", "/hello")
def hello(ctx):
    return {}

@on_create("notes")
def seen(ctx):
    (Path(__file__).parents[1] / f"seen-{ctx.record['text']}").touch()
"""


class Site:
    """A project with a server, and its administrator."""

    def __init__(self, project: Path, server: ServerProcess) -> None:
        self.project = project
        self.server = server
        self.headers: dict[str, str] = {}

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        """Send a request as the administrator, who logs in again where his session is gone."""
        with self.server.client() as client:
            answer = client.request(method, path, body, self.headers)
            if answer.status != 401:
                return answer
            login = {"email": EMAIL, "password": ADMIN["BAKEND_ADMIN_PASSWORD"]}
            token = client.post("/api/auth/login", login).json["token"]
            self.headers = {"Authorization": f"Bearer {token}"}
            return client.request(method, path, body, self.headers)

    def write(self, text: str) -> None:
        """Create a record."""
        assert self.ask("POST", "/api/notes", {"text": text}).status == 201

    def texts(self) -> list[str]:
        """Return what the records have."""
        items = self.ask("GET", "/api/notes").json["items"]
        return sorted(each["text"] for each in items)

    def back_up(self) -> str:
        """Have a backup made, and return its name."""
        name = str(self.ask("POST", BACKUPS).json["name"])
        wait_until(lambda: self.ask("GET", BACKUPS).json["running"] is None, 60, what="it is made")
        return name

    def restore(self, name: str, body: object = None) -> Answer:
        """Ask for a restore."""
        return self.ask("POST", f"{BACKUPS}/{name}/restore", body)

    def outcome(self) -> dict[str, Any]:
        """Wait until the server is back, and return how it went."""
        found: dict[str, Any] = {}

        def is_back() -> bool:
            assert self.server.process.poll() is None, self.server.tail
            with suppress(OSError, http.client.HTTPException):
                found.update(self.ask("GET", BACKUPS).json["restore"] or {})
            return bool(found)

        wait_until(is_back, 60, what="the server is back", every_s=0.05)
        return found

    def audit(self) -> list[tuple[str, str | None, str]]:
        """Return type, address and subject of what the audit has of backups."""
        return [
            (each["type"], each["actorEmail"], each["subject"])
            for each in self.ask("GET", "/api/admin/audit?limit=500").json["items"]
            if each["type"].startswith("system.backup.")
        ]


@contextmanager
def serving(folder: Path, **options: Any) -> Iterator[Site]:
    """Serve a project with a collection of notes and a route."""
    project = make_project(folder / "project", [NOTES])
    (project / "functions").mkdir(exist_ok=True)
    (project / "functions" / "hello.py").write_text(HELLO)
    environ = {**ADMIN, **options.pop("environ", {})}
    with running_server(project, environ=environ, **options) as server:
        yield Site(project, server)


@pytest.mark.parametrize("command", ["start", "dev"])
def test_the_backup_is_served_by_the_same_process(tmp_path: Path, command: str) -> None:
    """Data and functions are those of the backup, and where the old state lies is told."""
    with serving(tmp_path, command=command) as site:
        site.write("before")
        name = site.back_up()
        site.write("after")
        (site.project / "functions" / "hello.py").write_text("# nothing")
        pid = site.server.pid

        answer = site.restore(name)
        outcome = site.outcome()

        assert (answer.status, answer.json) == (202, {"name": name, "status": "restoring"})
        assert (outcome["name"], outcome["ok"], outcome["message"]) == (name, True, None)
        assert site.server.pid == pid
        assert site.texts() == ["before"]
        assert site.ask("GET", "/api/_/hello").status == 200
        (kept,) = outcome["kept"]
        assert (Path(kept) / "functions" / "hello.py").read_text() == "# nothing"
        wait_until(
            lambda: ("system.backup.restored", EMAIL, name) in site.audit(), 30, what="the audit"
        )
        site.write("and on")
        wait_until(
            lambda: (site.project / "seen-and on").exists(), 30, what="functions go on as well"
        )
    assert "Traceback" not in site.server.log


def test_data_only_leaves_the_functions(tmp_path: Path) -> None:
    """As the command has it; and it can be done again and again."""
    with serving(tmp_path) as site:
        site.write("before")
        name = site.back_up()
        for number in range(3):
            site.write("after")
            (site.project / "functions" / "more.py").write_text(f"# {number}")
            assert site.restore(name, {"dataOnly": True}).status == 202
            assert site.outcome()["ok"]
            assert site.texts() == ["before"]
            assert (site.project / "functions" / "more.py").read_text() == f"# {number}"


STUCK: Final = """
import time
from pathlib import Path
from bakend import on_create

PROJECT = Path(__file__).parents[1]

@on_create("notes", attempts=1)
def stuck(ctx):
    (PROJECT / "stuck").touch()
    while not (PROJECT / "open").exists():
        try:
            time.sleep(0.01)
        except BaseException:
            pass  # does not heed its limit
    try:
        ctx.records.create("notes", {"text": "of another past"})
    finally:
        (PROJECT / "tried").touch()
"""


def test_what_is_left_of_the_server_before_reaches_nothing(tmp_path: Path) -> None:
    """A function that did not end in time is a thread of the same process, and has no database any more."""
    environ = {"BAKEND_SERVER_STOP_TIMEOUT": "1s"}
    with serving(tmp_path, environ=environ) as site:
        name = site.back_up()
        (site.project / "functions" / "stuck.py").write_text(STUCK)
        assert site.restore(name, {"dataOnly": True}).status == 202
        site.outcome()  # loads it
        site.write("after")
        wait_until(lambda: (site.project / "stuck").exists(), 30, what="it is stuck")
        assert site.restore(name).status == 202
        assert site.outcome()["ok"]
        assert "given up" in site.server.log
        (site.project / "open").touch()
        wait_until(lambda: (site.project / "tried").exists(), 30, what="it goes on")

        assert site.texts() == []


def test_requests_in_flight_and_sockets_end_well(tmp_path: Path) -> None:
    """A WebSocket is told goodbye, and who comes back by it hears of what happens now."""
    with serving(tmp_path) as site:
        name = site.back_up()
        with WebSocket(site.server.port) as opened:
            opened.send({"action": "subscribe", "channel": "notes.*"})
            opened.expect("subscribed")
            site.restore(name)
            assert opened.closes() == 1001
        site.outcome()
        with WebSocket(site.server.port) as opened:
            opened.send({"action": "subscribe", "channel": "notes.*"})
            opened.expect("subscribed")
            site.write("new")
            assert opened.receive()["event"]["payload"]["text"] == "new"


def test_one_that_fails_leaves_the_old_state_served(tmp_path: Path) -> None:
    """What cannot be moved is found out only on the way; the server comes back and says why."""
    with serving(tmp_path) as site:
        site.write("before")
        name = site.back_up()
        site.write("after")
        # Nothing can be renamed to a name that is taken by a folder with something in it.
        blocked = Path(f"{list_of(site.project / 'bakend.db')}.new")
        (blocked / "full").mkdir(parents=True)

        assert site.restore(name).status == 202
        outcome = site.outcome()

        assert outcome["ok"] is False
        assert "cannot be replaced" in outcome["message"]
        assert outcome["kept"] == []
        assert site.texts() == ["after", "before"]
        wait_until(
            lambda: ("system.backup.restore_failed", EMAIL, name) in site.audit(),
            30,
            what="the audit",
        )
        shutil.rmtree(blocked)
        assert site.restore(name).status == 202  # and the next one may
    assert "Traceback" not in site.server.log


def test_what_cannot_be_restored_is_refused_while_it_serves(tmp_path: Path) -> None:
    """A damaged archive, one of a newer schema, one that is not there, another process."""
    with serving(tmp_path) as site:
        site.write("before")
        name = site.back_up()
        path = site.project / "backups" / name
        whole = path.read_bytes()

        path.write_bytes(whole[:-20])
        damaged = site.restore(name)
        path.write_bytes(whole)
        missing = site.restore("other.tar.gz")
        wrong = site.restore(name, {"dataOnly": "yes"})
        lock = UseLock(site.project / "bakend.db")
        lock.share()
        shared = site.restore(name)
        lock.release()

        assert (damaged.status, damaged.code) == (409, "conflict")
        assert "cannot be restored" in damaged.json["error"]["message"]
        assert (missing.status, wrong.status) == (404, 400)
        assert (shared.status, shared.code) == (409, "conflict")
        assert "Another process" in shared.json["error"]["message"]
        assert site.ask("GET", BACKUPS).json["restore"] is None
        assert site.texts() == ["before"]
        assert "Shutting down" not in site.server.log


def test_who_comes_in_between_keeps_the_old_state(tmp_path: Path) -> None:
    """A command that opens the database in the moment without a server: the restore fails, it serves on."""
    body = b'{"text": "slow"}'
    lines = ("Host: x", "Content-Type: application/json", f"Content-Length: {len(body)}", "", "")
    head = "\r\n".join(("POST /api/notes HTTP/1.1", *lines)).encode()
    with serving(tmp_path) as site:
        name = site.back_up()
        site.write("after")
        lock = UseLock(site.project / "bakend.db")
        with socket.create_connection(("127.0.0.1", site.server.port), timeout=60) as slow:
            slow.sendall(head + body[:5])
            assert site.restore(name).status == 202
            wait_until(lambda: "Shutting down" in site.server.log, 30, what="the end begins")
            lock.share()  # while a request that has begun is still waited for
            slow.sendall(body[5:])
            assert slow.recv(12) == b"HTTP/1.1 201"
        outcome = site.outcome()
        lock.release()

        assert outcome["ok"] is False
        assert "in use" in outcome["message"]
        assert site.texts() == ["after", "slow"]


def test_systemd_hears_of_no_end(tmp_path: Path) -> None:
    """A status and signs of life in between, then READY again, on the socket that was passed."""
    with (
        manager(tmp_path / "n") as systemd,
        socket.create_server(("127.0.0.1", 0)) as sock,
    ):
        environ = {"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "60000000"}
        port = int(sock.getsockname()[1])
        with serving(tmp_path, environ=environ, port=port, sockets=[sock]) as site:
            systemd.wait_for("READY=1")
            site.write("before")
            name = site.back_up()
            site.write("after")
            site.restore(name)
            assert site.outcome()["ok"]
            systemd.wait_for("READY=1", count=2)

            assert site.texts() == ["before"]
            assert "STOPPING=1" not in systemd.lines
            begun = systemd.lines.index(f"STATUS=Restoring {name}")
            assert "WATCHDOG=1" in systemd.lines[begun:]
            assert systemd.lines[-1] == f"STATUS=Serving on port {port}"
            assert site.server.stop() == 0
            assert "STOPPING=1" in systemd.lines


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_is_ended_is_whole_or_not_there(tmp_path: Path, number: signal.Signals) -> None:
    """Whenever the signal comes, the next start serves the state before or that of the backup."""
    project = make_project(tmp_path / "project", [NOTES])
    chance = random.Random(SEED)
    seen = []
    with running_server(project, environ=ADMIN) as server:
        site = Site(project, server)
        site.write("before")
        site.ask("GET", BACKUPS)  # logs in
        with server.client() as client:
            for _ in range(FILES):
                typed = {"Content-Type": CONTENT_TYPE, **site.headers}
                assert (
                    client.send("POST", UPLOAD, form(chance.randbytes(400_000)), typed).status
                    == 201
                )
        name = site.back_up()
    for _ in range(8):
        with start_server(project, environ=ADMIN) as server:
            server.wait_healthy()
            site = Site(project, server)
            site.write("after")
            assert site.restore(name).status == 202
            while not (project / ".restoring").exists() and "Restored" not in server.log:
                CLOCK.pause(0.002)
            CLOCK.pause(chance.uniform(0, 0.3))
            server.signal(number)
            assert server.wait() == (-number if number == signal.SIGKILL else 0)
            assert "Traceback" not in server.log
        with running_server(project, environ=ADMIN) as server:
            texts = Site(project, server).texts()
        assert texts.count("before") == 1
        seen.append("new" if texts == ["before"] else "old")
        assert len(list((project / "storage" / "files").iterdir())) == FILES
    print(f"after each: {seen}")  # noqa: T201


def test_a_changed_schedule_holds_at_once_and_after_a_restart(tmp_path: Path) -> None:
    """The file of a real project has it, and a restore in between loses nothing of it."""
    with serving(tmp_path) as site:
        name = site.back_up()
        answer = site.ask("PUT", f"{BACKUPS}/schedule", {"schedule": "0 3 * * *", "keep": 2})
        assert answer.status == 200
        site.restore(name)
        site.outcome()
        assert site.ask("GET", BACKUPS).json["schedule"] == answer.json
    written = json.loads((site.project / "bakend.json").read_text())
    assert written["backup"] == {"schedule": "0 3 * * *", "keep": 2}
    with running_server(site.project, environ=ADMIN) as server:
        again = Site(site.project, server)
        assert again.ask("GET", BACKUPS).json["schedule"]["schedule"] == "0 3 * * *"


def test_a_schedule_that_the_environment_sets_is_not_written(tmp_path: Path) -> None:
    """It would hold nothing; the variable is named."""
    with serving(tmp_path, environ={"BAKEND_BACKUP_SCHEDULE": "@daily"}) as site:
        before = (site.project / "bakend.json").read_text()
        answer = site.ask("PUT", f"{BACKUPS}/schedule", {"schedule": "@hourly"})
        plan = site.ask("GET", BACKUPS).json["schedule"]

        assert (answer.status, answer.code) == (409, "conflict")
        assert "BAKEND_BACKUP_SCHEDULE" in answer.json["error"]["message"]
        assert (plan["schedule"], plan["source"]) == ("@daily", "BAKEND_BACKUP_SCHEDULE")
        assert (site.project / "bakend.json").read_text() == before
