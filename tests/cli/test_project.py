"""What every command says of a project that is not right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bakend.testing import temporary_project

from samples import LISTS
from terminal import Terminal

LOOKING = [("settings",), ("migrate", "status"), ("migrate", "plan"), ("health",)]
OPENING = [("migrate", "status"), ("migrate", "plan"), ("migrate", "apply"), ("start",), ("dev",)]


@pytest.mark.parametrize(
    "args", [*LOOKING, ("migrate", "apply"), ("start",), ("dev",)], ids=" ".join
)
def test_a_missing_project_is_told_with_the_way_out(
    bak: Terminal, tmp_path: Path, args: tuple[str, ...]
) -> None:
    """Where there is no project, the code is 78, `bak init` is named, and nothing is made."""
    result = bak(*args)

    assert result.code == 78
    assert f"No config file at {tmp_path / 'bakend.json'}" in result.err
    assert "bak init" in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args", [*LOOKING, ("migrate", "apply"), ("start",), ("dev",)], ids=" ".join
)
def test_every_fault_of_a_config_is_told_at_once(
    bak: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    """Faults of file, .env and environment come together, and the project stays as it was."""
    (tmp_path / "bakend.json").write_text('{"port": 70000, "logLevel": "LOUD", "storage": ""}')
    (tmp_path / ".env").write_text("BAKEND_SERVER_THREADS=many\n")
    monkeypatch.setenv("BAKEND_LIMITS_JSON_DEPTH", "0")

    result = bak(*args)

    assert result.code == 78
    for word in (
        "port",
        "logLevel",
        "storage",
        "BAKEND_SERVER_THREADS",
        "BAKEND_LIMITS_JSON_DEPTH",
    ):
        assert any(word in line for line in result.err.splitlines()), word
    assert "Traceback" not in result.err
    assert {each.name for each in tmp_path.iterdir()} == {"bakend.json", ".env"}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{} {}", '{"a": 1, "a": 2}', "\0"],
    ids=["open", "list", "two", "twice", "nul"],
)
def test_a_config_that_is_no_json_object_is_told(bak: Terminal, tmp_path: Path, text: str) -> None:
    """A file that is not one JSON object ends with code 78 and its path."""
    (tmp_path / "bakend.json").write_text(text)

    result = bak("start")

    assert result.code == 78
    assert str(tmp_path / "bakend.json") in result.err


@pytest.mark.parametrize("args", OPENING, ids=" ".join)
def test_a_file_that_is_no_database_is_told(
    bak: Terminal, tmp_path: Path, args: tuple[str, ...]
) -> None:
    """Something else under the database's name ends with code 78 and stays as it is."""
    bak("init")
    file = tmp_path / "bakend.db"
    file.write_bytes(b"This is not a database, but it is long enough to be taken for one. " * 30)
    before = file.read_bytes()

    result = bak(*args)

    assert result.code == 78
    assert f"{file}: The database file is damaged or is not a SQLite database" in result.err
    assert file.read_bytes() == before


@pytest.mark.parametrize("args", OPENING, ids=" ".join)
def test_a_newer_database_is_refused(bak: Terminal, tmp_path: Path, args: tuple[str, ...]) -> None:
    """A database that a newer Bakend wrote ends with code 65."""
    bak("init")
    with temporary_project([LISTS], folder=tmp_path) as project, project.app.database.write() as tx:
        tx.execute("UPDATE _bakend_meta SET value = '999' WHERE key = 'schema_version'")

    result = bak(*args)

    assert result.code == 65
    assert "has schema 999" in result.err


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("migrate apply", "database"),
        ("start", "database"),
        ("start", "storage"),
        ("dev", "database"),
        ("dev", "storage"),
    ],
)
def test_a_folder_that_cannot_be_written_is_told(
    bak: Terminal, tmp_path: Path, command: str, key: str
) -> None:
    """A database or storage in an impossible place ends with code 73 and its path."""
    bak("init")
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "inside"
    (tmp_path / "bakend.json").write_text(json.dumps({key: str(place)}))

    result = bak(*command.split())

    assert result.code == 73
    assert str(tmp_path / "file") in result.err
    assert "Traceback" not in result.err
