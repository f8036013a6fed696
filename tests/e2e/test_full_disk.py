"""A disk without room: a tmpfs of 20 MB, which only root may mount."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

import writer
from forms import CONTENT_TYPE, UPLOAD, form
from processes import (
    Answer,
    ServerProcess,
    bak,
    environment,
    free_port,
    make_project,
    running_server,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.e2e,
    pytest.mark.skipif(
        os.geteuid() != 0, reason="NOT TESTED: a full disk; only root may mount a small tmpfs"
    ),
]

MIB: Final = 1 << 20
NOTE: Final = "n" * 20_000
"""A few records with such a note are more than 1 MiB: an answer that would go to the disk."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "bakend-test", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_reads_go_on_and_writes_come_back(disk: Path) -> None:
    """On a full disk writes get 507 and reads go on; with room again writes go on, and nothing is lost."""
    project = make_project(disk / "project", [writer.COLLECTION])
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(14 * MIB))
    kept: dict[str, str] = {}
    with running_server(project) as server, server.client() as client:
        while (answer := _create(server, f"k{len(kept)}", NOTE)).status == 201:
            kept[answer.json["id"]] = answer.json["key"]
        _fill(ballast)

        refused = [_create(server, f"refused-{number}", NOTE) for number in range(20)]
        changed = client.put(f"/api/things/{next(iter(kept))}", {"note": NOTE + "longer"})
        # More connections at once than there are threads: each thread has to open its reader.
        with ThreadPoolExecutor(16) as pool:
            read = list(pool.map(lambda _: _read(server, list(kept)), range(64)))
        ballast.unlink()
        after = [_create(server, f"after-{number}", NOTE) for number in range(20)]

        assert [(each.status, each.code) for each in refused] == [
            (507, "insufficient_storage")
        ] * 20
        assert changed.status == 507
        assert read == [sorted(kept)] * 64
        assert [each.status for each in after] == [201] * 20
        assert "Traceback" not in server.log

    kept |= {each.json["id"]: each.json["key"] for each in after}
    connection = sqlite3.connect(project / "bakend.db")
    with contextlib.closing(connection):
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert dict(connection.execute("SELECT id, key FROM things")) == kept
        events = connection.execute(
            "SELECT seq, subject FROM _events WHERE type = 'things.created'"
        )
        assert {row[1] for row in events} == kept.keys()


def test_a_body_finds_no_room(disk: Path, tmp_path: Path) -> None:
    """A body that has to wait on a full disk gets 507; one that fits into memory is taken."""
    project = make_project(tmp_path / "project", [writer.COLLECTION], storage=str(disk / "storage"))
    with running_server(project) as server, server.client() as client:
        _fill(disk / "ballast")

        refused = [_create(server, f"large-{number}", NOTE * 5) for number in range(10)]
        small = _create(server, "small", NOTE)
        listed = client.get("/api/things")
        (disk / "ballast").unlink()
        large = _create(server, "large", NOTE * 5)

        assert [(each.status, each.code) for each in refused] == [
            (507, "insufficient_storage")
        ] * 10
        assert small.status == 201
        assert [each["key"] for each in listed.json["items"]] == ["small"]
        assert large.status == 201
        assert "Traceback" not in server.log


def test_a_backup_finds_no_room(disk: Path, tmp_path: Path) -> None:
    """It ends with code 73 and leaves nothing, whether it sees that before or in the middle."""
    project = make_project(
        tmp_path / "project", [writer.COLLECTION], backup={"folder": str(disk / "backups")}
    )
    with running_server(project) as server, server.client() as client:
        for number in range(50):
            assert _create(server, f"k{number}", NOTE).status == 201
        _fill(disk / "ballast")
        before = bak(project, "backup", "create")
        os.truncate(disk / "ballast", (disk / "ballast").stat().st_size - 5 * MIB)
        code = (
            "import shutil, sys; from collections import namedtuple;"
            "shutil.disk_usage = lambda _: namedtuple('U', 'free')(1 << 40);"
            "from bakend.cli.main import main; main(['backup', 'create'])"
        )
        ballast = [form(os.urandom(3 * MIB), visibility="public") for _ in range(3)]
        ada = {"email": "ada@example.com", "password": "correct horse battery"}
        token = client.post("/api/auth/register", ada).json["token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": CONTENT_TYPE}
        for body in ballast:
            assert client.send("POST", UPLOAD, body, headers).status == 201
        middle = subprocess.run(
            [sys.executable, "-c", code],
            cwd=project,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        left = _names(disk / "backups")
        (disk / "ballast").unlink()
        after = bak(project, "backup", "create")

    assert (before.returncode, middle.returncode) == (73, 73), middle.stderr
    assert "may need" in before.stderr
    assert "No space is left" in middle.stderr
    assert left == set()
    assert after.returncode == 0, after.stderr


@pytest.mark.parametrize("full", ["storage", "database"])
def test_an_upload_finds_no_room(disk: Path, tmp_path: Path, full: str) -> None:
    """Where bytes or row have no room there is 507 and nothing left; downloads go on."""
    places = {"storage": tmp_path / "storage", "database": tmp_path / "bakend.db"}
    places[full] = disk / places[full].name
    project = make_project(
        tmp_path / "project",
        storage=str(places["storage"]),
        database=str(places["database"]),
    )
    sizes = [1_000, 50_000, 300_000, MIB, 3 * MIB]
    with running_server(project) as server, server.client() as client:
        ada = {"email": "ada@example.com", "password": "correct horse battery"}
        token = client.post("/api/auth/register", ada).json["token"]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": CONTENT_TYPE}

        def upload(size: int) -> Answer:
            body = form(b"x" * size, visibility="public")
            return client.send("POST", UPLOAD, body, headers)

        kept = upload(3 * MIB)
        _fill(disk / "ballast")
        refused = [upload(size) for size in sizes]
        if full == "storage":
            os.truncate(disk / "ballast", (disk / "ballast").stat().st_size - 4 * MIB)
            refused.append(upload(3 * MIB))  # room for the request, not for the file beside it
        read = client.get(f"/api/storage/{kept.json['id']}")
        on_disk = _names(places["storage"] / "files")
        half = _names(places["storage"] / "tmp")
        (disk / "ballast").unlink()
        after = [upload(size) for size in sizes]

        assert kept.status == 201
        assert [(each.status, each.code) for each in refused] == [
            (507, "insufficient_storage")
        ] * len(refused)
        assert read.body == b"x" * 3 * MIB
        assert (on_disk, half) == ({kept.json["id"]}, set())
        assert [each.status for each in after] == [201] * len(sizes)
        assert "Traceback" not in server.log

    with contextlib.closing(sqlite3.connect(places["database"])) as connection:
        rows = {row[0] for row in connection.execute("SELECT id FROM _files")}
    assert rows == _names(places["storage"] / "files")


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_start_says_so(disk: Path) -> None:
    """A start without room for its database, or for what lies beside it, is one sentence and exit 73."""
    project = make_project(disk / "project", [writer.COLLECTION])
    port = str(free_port())
    start = ("start", "--host", "127.0.0.1", "--port", port)
    _fill(disk / "ballast")

    no_secret = bak(project, *start)
    no_database = bak(project, *start, environ={"BAKEND_AUTH_JWT_SECRET": "s" * 32})
    (disk / "ballast").unlink()
    with running_server(project):
        pass
    _fill(disk / "ballast")
    no_log = bak(project, *start)

    for result in (no_secret, no_database, no_log):
        _assert_one_sentence(result)
    (disk / "ballast").unlink()
    with running_server(project) as server:
        assert _create(server, "a", NOTE).status == 201


def test_init_says_so(disk: Path) -> None:
    """A project for which there is no room is one sentence and exit 73, and nothing is left of it."""
    _fill(disk / "ballast")

    result = bak(disk, "init", "mine")

    _assert_one_sentence(result)
    assert not (disk / "mine").exists()


def _create(server: ServerProcess, key: str, note: str) -> Answer:
    with server.client() as client:
        return client.post("/api/things", {"key": key, "value": 1, "note": note})


def _read(server: ServerProcess, ids: list[str]) -> list[str]:
    """Return the ids of a list, after some single records were read too."""
    with server.client() as client:
        assert [client.get(f"/api/things/{each}").status for each in ids[:3]] == [200] * 3
        return sorted(each["id"] for each in client.get("/api/things").json["items"])


def _fill(path: Path) -> None:
    """Take what room there is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        while True:
            os.write(descriptor, bytes(4096))
    except OSError:
        pass
    finally:
        os.close(descriptor)


def _assert_one_sentence(result: subprocess.CompletedProcess[str]) -> None:
    """Expect a sentence, and what to do, in a line each."""
    assert (result.returncode, result.stdout) == (73, "")
    assert "No space" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 2
