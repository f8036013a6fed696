"""Backups of a server under load, restored elsewhere; and what a restore means to those who come back.

`BAKEND_TEST_BACKUP_ROUNDS=100` for many; a few otherwise.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from guides import commands, follow
from websocket import WebSocket

from bakend.database.lock import UseLock

from forms import CONTENT_TYPE, UPLOAD, form
from processes import (
    CLOCK,
    ServerProcess,
    bak,
    environment,
    make_project,
    running_server,
    start_server,
    wait_until,
)

pytestmark = pytest.mark.e2e

ROUNDS: Final = int(os.environ.get("BAKEND_TEST_BACKUP_ROUNDS", "3"))
NOTES: Final[dict[str, Any]] = {
    "name": "notes",
    "fields": [{"name": "text", "type": "text"}, {"name": "cover", "type": "file"}],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "public"),
}
ADA: Final = {"email": "ada@example.com", "password": "correct horse battery"}
SEED: Final = 20
MANY: Final = 200
"""From so many files on the load is less, so that many rounds don't fill the disk."""


class Load:
    """Clients that create, change and delete records and files, and what they were told."""

    def __init__(self, server: ServerProcess, headers: dict[str, str]) -> None:
        self._server = server
        self._headers = headers
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self.records: dict[str, str] = {}
        """Id to text, of acknowledged records that nobody deletes or changes any more."""
        self.files: dict[str, str] = {}
        """Id to checksum, of acknowledged files that nobody deletes."""
        self.deleted = 0
        self._threads = [
            threading.Thread(target=self._work, args=(random.Random(SEED + n),)) for n in range(3)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def known(self) -> tuple[dict[str, str], dict[str, str]]:
        """Return what is acknowledged by now."""
        with self._lock:
            return dict(self.records), dict(self.files)

    def _work(self, chance: random.Random) -> None:
        with self._server.client() as client:
            while not self._stopped.wait(0.5 if len(self.files) > MANY else 0):
                text = str(chance.random())
                record = client.post("/api/notes", {"text": text}).json["id"]
                content = chance.randbytes(chance.choice([10, 5_000, 50_000]))
                typed = {"Content-Type": CONTENT_TYPE, **self._headers}
                file = client.send("POST", UPLOAD, form(content), typed).json["id"]
                if chance.random() < 0.4:
                    assert client.delete(f"/api/notes/{record}").status == 204
                    path = f"/api/storage/{file}"
                    assert client.request("DELETE", path, headers=self._headers).status == 204
                    self.deleted += 1
                    continue
                changes = {"cover": file, "text": f"{text}!"}
                changed = client.request("PUT", f"/api/notes/{record}", changes, self._headers)
                assert changed.status == 200
                with self._lock:
                    self.records[record] = f"{text}!"
                    self.files[file] = hashlib.sha256(content).hexdigest()


def _register(server: ServerProcess) -> dict[str, str]:
    with server.client() as client:
        return {"Authorization": f"Bearer {client.post('/api/auth/register', ADA).json['token']}"}


def _rows(project: Path, sql: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(project / "bakend.db")) as database:
        return database.execute(sql).fetchall()


def _assert_files_are_whole(project: Path) -> None:
    rows = _rows(project, "SELECT id, size, sha256 FROM _files")
    on_disk = {path.name: path.read_bytes() for path in (project / "storage/files").iterdir()}
    assert set(on_disk) == {row[0] for row in rows}
    for file_id, size, sha256 in rows:
        assert len(on_disk[file_id]) == size
        assert hashlib.sha256(on_disk[file_id]).hexdigest() == sha256


@pytest.mark.slow  # a proof by repetition; each step of it has a test of its own
@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_a_backup_under_load_is_restored_whole(tmp_path: Path) -> None:
    """Each time: the restored server starts, has all that was acknowledged, and each file is whole.

    Every other backup is made by the server itself, and downloaded.
    """
    tokens = {"accessTokenTtl": "1d"}  # many rounds take longer than a token lives
    project = make_project(tmp_path / "project", [NOTES], auth=tokens)
    with (
        running_server(project, environ=ADMIN) as server,
        Load(server, _register(server)) as load,
    ):
        admin = _log_in_admin(server)
        for number in range(ROUNDS):
            _wait_for_files(load, 5 * number)
            records, files = load.known()
            archive = tmp_path / "a.tar.gz"
            if number % 2:
                archive.write_bytes(_made_by_the_server(server, admin))
            else:
                made = bak(project, "backup", "create", "-o", str(archive))
                assert (made.returncode, made.stderr) == (0, "")

            verified = bak(tmp_path, "backup", "verify", str(archive))
            assert verified.returncode == 0, verified.stderr
            elsewhere = tmp_path / "elsewhere"
            restored = bak(tmp_path, "backup", "restore", str(archive), "--to", str(elsewhere))
            assert restored.returncode == 0, restored.stderr
            _assert_files_are_whole(elsewhere)
            with running_server(elsewhere) as other, other.client() as client:
                found = {
                    each["id"]: each["text"] for each in client.get("/api/notes").json["items"]
                }
                assert records.items() <= found.items()
                some = next(iter(files))
                assert client.get(f"/api/storage/{some}").status == 401  # protected, and there
            known = dict(_rows(elsewhere, "SELECT id, sha256 FROM _files"))
            assert files.items() <= known.items()
            shutil.rmtree(elsewhere)
            _assert_one_byte_is_noticed(archive, random.Random(number))
    print(f"{ROUNDS} rounds, {len(load.files)} files kept, {load.deleted} deleted")  # noqa: T201
    assert load.deleted > ROUNDS


ADMIN: Final = {
    "BAKEND_ADMIN_EMAIL": "root@example.com",
    "BAKEND_ADMIN_PASSWORD": "correct horse battery",
}
BACKUPS: Final = "/api/admin/backups"


def _log_in_admin(server: ServerProcess) -> dict[str, str]:
    login = {"email": ADMIN["BAKEND_ADMIN_EMAIL"], "password": ADMIN["BAKEND_ADMIN_PASSWORD"]}
    with server.client() as client:
        return {"Authorization": f"Bearer {client.post('/api/auth/login', login).json['token']}"}


def _made_by_the_server(server: ServerProcess, admin: dict[str, str]) -> bytes:
    """Have a backup made over HTTP, and return it as it is downloaded."""
    with server.client() as client:
        asked = client.request("POST", BACKUPS, headers=admin)
        assert asked.status == 202

        def is_made() -> bool:
            listed = client.request("GET", BACKUPS, headers=admin).json
            assert listed["failed"] is None
            return listed["running"] is None

        wait_until(is_made, 60, what="the backup is made", every_s=0.05)
        answer = client.request("GET", f"{BACKUPS}/{asked.json['name']}", headers=admin)
        assert answer.status == 200
        return answer.body


def test_a_backup_by_another_process_is_the_same(tmp_path: Path) -> None:
    """Of one state: the same members, with the same contents."""
    project = make_project(tmp_path / "project", [NOTES])
    with running_server(project, environ=ADMIN) as server, server.client() as client:
        admin = _log_in_admin(server)
        client.post("/api/notes", {"text": "first"})
        typed = {"Content-Type": CONTENT_TYPE, **admin}
        assert client.send("POST", UPLOAD, form(b"content"), typed).status == 201
        bak(project, "backup", "create", "-o", "theirs.tar.gz")
        (project / "own.tar.gz").write_bytes(_made_by_the_server(server, admin))

    contents = []
    for name in ("theirs", "own"):
        folder = tmp_path / name
        with tarfile.open(project / f"{name}.tar.gz") as opened:
            opened.extractall(folder, filter="data")
        with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database:
            rows = [line for line in database.iterdump() if "_throttle" not in line]
        names = sorted(path for path in folder.rglob("*") if path.is_file())
        others = {
            path.relative_to(folder): path.read_bytes()
            for path in names
            if path.name not in ("bakend.db", "backup.json")
        }
        contents.append((rows, others))
    assert contents[0] == contents[1]
    assert len(contents[0][1]) == 3


def test_the_server_makes_scheduled_backups(tmp_path: Path) -> None:
    """A missed one at once: the newest is of another day."""
    project = make_project(tmp_path / "project", [NOTES], backup={"schedule": "@hourly", "keep": 1})
    old = "bakend-scheduled-2026-01-01T00-00-00-000Z.tar.gz"
    (project / "backups").mkdir()
    (project / "backups" / old).touch()
    with running_server(project) as server:
        wait_until(
            lambda: not (project / "backups" / old).exists(), 60, what="the old one is replaced"
        )
        assert "Made the backup" in server.log
    (made,) = (project / "backups").glob("*.tar.gz")
    assert bak(project, "backup", "verify", made.name).returncode == 0


def _wait_for_files(load: Load, least: int) -> None:
    wait_until(lambda: len(load.files) > least, 60, what="there is load")


def _assert_one_byte_is_noticed(archive: Path, chance: random.Random) -> None:
    content = bytearray(archive.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    archive.write_bytes(content)
    verified = bak(archive.parent, "backup", "verify", str(archive))
    assert verified.returncode == 1
    assert verified.stderr
    assert "Traceback" not in verified.stderr


def test_a_backup_of_a_fresh_server_has_its_first_record(tmp_path: Path) -> None:
    """The original's is empty: what was committed lies in the write-ahead log."""
    project = make_project(tmp_path / "project", [NOTES])
    with running_server(project) as server, server.client() as client:
        client.post("/api/notes", {"text": "first"})
        bak(project, "backup", "create", "-o", "a.tar.gz")
    bak(project, "backup", "restore", "a.tar.gz", "--to", "new")

    assert _rows(project / "new", "SELECT text FROM notes") == [("first",)]


def test_a_restore_undoes_what_a_killed_server_wrote(tmp_path: Path) -> None:
    """The write-ahead log of the old database is not played into the restored one."""
    project = make_project(tmp_path / "project", [NOTES])
    with running_server(project) as server, server.client() as client:
        client.post("/api/notes", {"text": "before"})
        bak(project, "backup", "create", "-o", "a.tar.gz")
        client.post("/api/notes", {"text": "after"})
        refused = bak(project, "backup", "restore", "--force", "a.tar.gz")
        server.kill()
    restored = bak(project, "backup", "restore", "--force", "a.tar.gz")

    assert refused.returncode == 75
    assert restored.returncode == 0, restored.stderr
    with running_server(project) as server, server.client() as client:
        assert [each["text"] for each in client.get("/api/notes").json["items"]] == ["before"]


def test_no_server_starts_while_a_restore_runs(tmp_path: Path) -> None:
    """Exit code 75, and a sentence."""
    project = make_project(tmp_path / "project", [NOTES])
    lock = UseLock(project / "bakend.db")
    lock.take_alone()
    try:
        with start_server(project) as server:
            assert server.wait() == 75
            assert "being replaced" in server.log
    finally:
        lock.release()


@pytest.mark.slow
def test_killed_backups_leave_nothing_behind(tmp_path: Path) -> None:
    """After kills at any moment: no archive that is not whole, and the next one cleans up."""
    project = make_project(tmp_path / "project", [NOTES])
    chance = random.Random(SEED)
    with running_server(project) as server:
        headers = _register(server)
        with server.client() as client:
            for _ in range(40):
                body = form(chance.randbytes(1_000_000))
                client.send("POST", UPLOAD, body, {"Content-Type": CONTENT_TYPE, **headers})
        folder, inside = project / "backups", 0
        for _ in range(15):
            with subprocess.Popen(
                [sys.executable, "-m", "bakend", "backup", "create"],
                cwd=project,
                env=environment(),
                stdout=subprocess.DEVNULL,
            ) as process:
                CLOCK.pause(chance.uniform(0.2, 1.2))
                process.kill()
            inside += any(folder.glob(".*unfinished")) if folder.exists() else 0
        for path in folder.glob("*.tar.gz"):
            assert bak(project, "backup", "verify", path.name).returncode == 0
        made = bak(project, "backup", "create", "-o", "backups/last.tar.gz")

    assert made.returncode == 0, made.stderr
    assert inside > 0, "no kill fell into a backup"
    assert [path.name for path in folder.glob(".*")] == []


@contextlib.contextmanager
def _begun_restore(project: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Restore `a.tar.gz` in a process that has begun to unpack it, however slow the machine is."""
    with subprocess.Popen(
        [sys.executable, "-m", "bakend", "backup", "restore", "--force", "a.tar.gz"],
        cwd=project,
        env=environment(),
        stdout=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not (project / ".restoring").exists():
            CLOCK.pause(0.002)
        yield process


@pytest.mark.slow
def test_killed_restores_are_whole_or_not_there(tmp_path: Path) -> None:
    """After each kill the project is the old or the new one, and opens."""
    project = make_project(tmp_path / "project", [NOTES])
    chance = random.Random(SEED)
    with running_server(project) as server:
        headers = _register(server)
        with server.client() as client:
            client.post("/api/notes", {"text": "before"})
            for _ in range(20):
                body = form(chance.randbytes(500_000))
                client.send("POST", UPLOAD, body, {"Content-Type": CONTENT_TYPE, **headers})
        bak(project, "backup", "create", "-o", "a.tar.gz")
        with server.client() as client:
            client.post("/api/notes", {"text": "after"})
    with _begun_restore(project) as process:
        begun_at = CLOCK.monotonic()
        while (project / ".restoring").exists():
            CLOCK.pause(0.002)
        took_s = CLOCK.monotonic() - begun_at
        assert process.wait() == 0
    seen, inside = [], 0
    for number in range(25):
        with contextlib.closing(sqlite3.connect(project / "bakend.db")) as database, database:
            database.execute(
                "INSERT INTO notes (id, created_at, updated_at, text) VALUES (?, 'x', 'x', 'after')",
                (f"rec_{number}",),
            )
        with _begun_restore(project) as process:
            CLOCK.pause(chance.uniform(0, 1.5 * took_s))
            process.kill()
        inside += (project / ".restoring").exists()
        shutil.rmtree(project / ".restoring", ignore_errors=True)
        listed = bak(project, "users", "list")  # opens the project, and ends what was begun
        assert listed.returncode == 0, listed.stderr
        _assert_files_are_whole(project)
        texts = [row[0] for row in _rows(project, "SELECT text FROM notes")]
        seen.append("new" if texts == ["before"] else "old")
        assert texts.count("before") == 1
    print(f"{inside} kills fell into a restore; after each: {seen}")  # noqa: T201
    assert inside > 0, "no kill fell into a restore"
    assert {"old", "new"} == set(seen)


@pytest.mark.slow  # a dozen processes, one after the other
def test_the_guide_works_as_written(tmp_path: Path) -> None:
    """Each command of the guide, one after the other."""
    project = make_project(tmp_path / "project", [NOTES])
    with running_server(project) as server, server.client() as client:
        client.post("/api/notes", {"text": "first"})
        lines = commands("backup.md")
        stops = [line for line in lines if "--force" in line]
        for line in lines[: lines.index(stops[0])]:
            done = follow(line, project, tmp_path)
            assert done.returncode == 0, (line, done.stderr)
    for line in lines[lines.index(stops[0]) :]:
        done = follow(line, project, tmp_path)
        assert done.returncode == 0, (line, done.stderr)
    assert len(lines) >= 8
    assert _rows(project, "SELECT text FROM notes") == [("first",)]


def test_who_comes_back_after_a_restore_is_told_to_read_anew(tmp_path: Path) -> None:
    """A number that the restored log has left out is of another past; one before it is not."""
    project = make_project(tmp_path / "project", [NOTES])
    with running_server(project) as server, server.client() as client:
        client.post("/api/notes", {"text": "before"})
        kept = _rows(project, "SELECT max(seq) FROM _events")[0][0]
        bak(project, "backup", "create", "-o", "a.tar.gz")
        client.post("/api/notes", {"text": "after"})
        lost = _rows(project, "SELECT max(seq) FROM _events")[0][0]
    assert bak(project, "backup", "restore", "--force", "a.tar.gz").returncode == 0
    with running_server(project) as server, server.client() as client:
        client.post("/api/notes", {"text": "new"})
        for since, answers in ((kept, ["event", "replayed"]), (lost, ["resync"])):
            with WebSocket(server.port) as opened:
                opened.send({"action": "subscribe", "channel": "notes.*", "since": since})
                opened.expect("subscribed")
                received = [opened.receive() for _ in answers]
            assert [each["type"] for each in received] == answers
            if answers[0] == "event":
                assert received[0]["event"]["payload"]["text"] == "new"
                assert received[0]["seq"] > lost
