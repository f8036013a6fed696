"""`bak doctor`: each thing that can be wrong is found, and nothing is changed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from deposits import add_file

from bakend.testing import temporary_project

import original
from processes import free_port
from samples import LISTS
from terminal import Terminal


@pytest.fixture
def folder(bak: Terminal, tmp_path: Path) -> Path:
    """A project with a file and a backup, on a port of its own."""
    bak("init")
    (tmp_path / "bakend.json").write_text(json.dumps({"port": free_port(), "host": "127.0.0.1"}))
    with temporary_project([LISTS], folder=tmp_path) as project:
        project.make_user("ada@example.com")
        add_file(project)
        project.app.upkeep.backups().create()
    for path in tmp_path.glob("bakend.db*"):
        path.chmod(0o600)
    return tmp_path


def findings(bak: Terminal, *options: str, code: int) -> dict[str, list[dict[str, Any]]]:
    """Run it and return what it found, by what it is about."""
    result = bak("doctor", "--offline", "--json", *options)
    assert result.code == code, result.out
    assert result.json["ok"] is (code == 0)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in result.json["findings"]:
        assert each["level"] in ("ok", "warn", "error")
        assert bool(each["todo"]) == (each["level"] != "ok"), each
        found.setdefault(each["what"], []).append(each)
    return found


def bad(found: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return the levels of what is not as it should be."""
    levels = ("ok", "warn", "error")
    worst = {
        what: max((each["level"] for each in all_), key=levels.index)
        for what, all_ in found.items()
    }
    return {what: level for what, level in worst.items() if level != "ok"}


def test_a_good_project_has_no_finding(bak: Terminal, folder: Path) -> None:
    """Everything is ok, and nothing is changed by looking."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}

    assert bad(findings(bak, "--deep", code=0)) == {}

    after = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    assert {path.name for path in before.keys() ^ after.keys()} <= {
        "bakend.db-wal",
        "bakend.db-shm",
    }
    assert all(after[path] == before[path] for path in before if path.name != "bakend.db")


def test_it_is_read_by_people(bak: Terminal, folder: Path) -> None:
    """A line each, and what to do below it."""
    shutil.rmtree(folder / "backups")
    result = bak("doctor", "--offline")

    assert result.code == 0
    at = next(n for n, line in enumerate(result.lines) if line.startswith("warn   backups:"))
    assert result.lines[at + 1] == "       -> bak backup create, and set backup.schedule"


def test_what_everybody_can_read_is_told(bak: Terminal, folder: Path) -> None:
    """The secret is an error, the database a warning."""
    (folder / "bakend.db").chmod(0o644)
    assert bad(findings(bak, code=0)) == {"permissions": "warn"}
    (folder / ".bakend/jwt_secret").chmod(0o644)
    found = findings(bak, code=1)

    assert [each["level"] for each in found["permissions"]] == ["error", "warn"]
    assert found["permissions"][0]["todo"] == f"chmod o-rwx {folder / '.bakend/jwt_secret'}"


def test_settings_that_are_wrong_end_it(bak: Terminal, folder: Path) -> None:
    """Every fault is a finding."""
    (folder / "bakend.json").write_text('{"port": "x", "logLevel": 3}')
    found = bak("doctor", "--offline", "--json")

    assert found.code == 1
    assert [each["what"] for each in found.json["findings"]] == ["config", "config", "version"]


def test_a_weak_secret_is_told(bak: Terminal, folder: Path) -> None:
    """Short ones, of the metrics as well."""
    config = json.loads((folder / "bakend.json").read_text())
    config |= {"auth": {"jwtSecret": "short"}, "metrics": {"token": "short"}}
    (folder / "bakend.json").write_text(json.dumps(config))
    (folder / "bakend.json").chmod(0o600)

    assert bad(findings(bak, code=0))["secret"] == "warn"


def test_a_port_that_others_have_is_told(bak: Terminal, folder: Path) -> None:
    """No Bakend answers there."""
    config = json.loads((folder / "bakend.json").read_text())
    with socket.create_server(("127.0.0.1", config["port"])) as other:
        other.listen()
        assert bad(findings(bak, code=1)) == {"port": "error"}


def test_a_full_disk_and_a_wrong_clock_are_told(
    bak: Terminal, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their figures."""
    future = time.time() + 86_400
    os.utime(folder / "bakend.db", (future, future))
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Full)
    assert bad(findings(bak, code=1)) == {"disk": "error", "clock": "warn"}


class _Full:
    free = 1_000


def test_a_damaged_database_is_told(bak: Terminal, folder: Path) -> None:
    """As a finding: nothing else stops it."""
    content = bytearray((folder / "bakend.db").read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    (folder / "bakend.db").write_bytes(content)
    assert "error" in bad(findings(bak, code=1)).values()

    (folder / "bakend.db").write_bytes(b"no database" * 1_000)
    assert bad(findings(bak, code=1))["database"] == "error"


def test_files_are_read_if_it_is_asked_for(bak: Terminal, folder: Path) -> None:
    """A changed byte is found by --deep only; a lost one, too."""
    (path,) = (folder / "storage/files").iterdir()
    path.write_bytes(b"hellO")
    assert bad(findings(bak, code=0)) == {}
    assert bad(findings(bak, "--deep", code=1)) == {"files": "error"}
    path.unlink()
    assert bad(findings(bak, "--deep", code=1)) == {"files": "error"}


def test_references_to_nothing_are_told_by_a_deep_look(bak: Terminal, folder: Path) -> None:
    """As SQLite finds them."""
    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database, database:
        database.execute("INSERT INTO _spent_tokens VALUES ('h', 'ses_none', 'x')")
    assert bad(findings(bak, "--deep", code=1)) == {"integrity": "error"}


def test_what_does_not_load_is_told(bak: Terminal, folder: Path) -> None:
    """A function, a definition."""
    (folder / "functions" / "a.py").write_text("import nothing_of_that_name\n")
    (folder / "collections" / "b.json").write_text("{")
    found = findings(bak, code=1)

    assert bad(found) == {"functions": "error", "collections": "error"}
    assert "nothing_of_that_name" in found["functions"][0]["text"]


def test_an_old_schema_and_an_old_backup_are_told(bak: Terminal, folder: Path) -> None:
    """The next start helps the one, a backup the other."""
    for path in folder.glob("bakend.db*"):
        path.unlink()
    original.make(folder / "bakend.db")
    (folder / "bakend.db").chmod(0o600)
    (backup,) = (folder / "backups").iterdir()
    backup.rename(backup.with_name("bakend-backup-2026-01-01T00-00-00-000Z.tar.gz"))

    found = bad(findings(bak, code=0))

    assert found == {"schema": "warn", "collections": "warn", "backups": "warn"}


def test_an_open_server_without_a_proxy_is_told(bak: Terminal, folder: Path) -> None:
    """TLS is the business of a proxy; one that is trusted is enough."""
    config = json.loads((folder / "bakend.json").read_text())
    del config["host"]
    (folder / "bakend.json").write_text(json.dumps(config))
    assert bad(findings(bak, code=0)) == {"tls": "warn"}
    config["server"] = {"trustedProxies": ["10.0.0.1"]}
    (folder / "bakend.json").write_text(json.dumps(config))
    assert bad(findings(bak, code=0)) == {}
