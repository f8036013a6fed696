"""`bak backup` at the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from deposits import add_file, add_list

from bakend.database.lock import UseLock
from bakend.testing import TestProject, temporary_project

import original
from samples import LISTS
from terminal import Terminal


@pytest.fixture
def folder(bak: Terminal, tmp_path: Path) -> Path:
    """A project with a record and a file."""
    bak("init")
    with temporary_project([LISTS], folder=tmp_path) as project:
        project.make_user("ada@example.com")
        add_list(project, "first")
        add_file(project)
    return tmp_path


@pytest.fixture
def running(folder: Path) -> Iterator[TestProject]:
    """Somebody who has the project open."""
    with temporary_project(folder=folder) as project:
        yield project


def test_a_backup_is_made_listed_and_verified(bak: Terminal, folder: Path) -> None:
    """In the words of the original, under its kind of name."""
    made = bak("backup", "create")
    (path,) = (folder / "backups").iterdir()
    listed, verified = bak("backup", "list"), bak("backup", "verify", path.name)

    assert (made.code, made.out) == (0, f"Backup created: {path}\n")
    assert listed.lines[0].split("\t")[:2] == [path.name, str(path.stat().st_size)]
    assert verified.code == 0
    assert verified.out.startswith(f"{path}: whole, 1 uploaded file(s), schema ")


def test_json_is_for_programs(bak: Terminal, folder: Path) -> None:
    """Each command has it."""
    made = bak("backup", "create", "-o", "sub/mine.tar.gz", "--json").json
    listed = bak("backup", "list", "--json").json
    verified = bak("backup", "verify", "sub/mine.tar.gz", "--json").json
    restored = bak("backup", "restore", "sub/mine.tar.gz", "--to", "new", "--json").json

    assert made["path"] == str(folder / "sub/mine.tar.gz")
    assert listed == []
    assert (verified["ok"], verified["files"], verified["missing"]) == (True, 1, [])
    assert (restored["project"], restored["files"], restored["kept"]) == (
        str(folder / "new"),
        1,
        [],
    )


def test_without_a_database_there_is_nothing_to_back_up(bak: Terminal, tmp_path: Path) -> None:
    """In the words of the original; no database is made."""
    bak("init")
    made = bak("backup", "create")

    assert (made.code, made.err) == (1, f"Database file not found: {tmp_path / 'bakend.db'}\n")
    assert bak("backup", "list").out == "No backups found.\n"
    assert not (tmp_path / "bakend.db").exists()


def test_a_changed_byte_is_exit_code_1(bak: Terminal, folder: Path) -> None:
    """With a sentence, or as JSON."""
    bak("backup", "create", "-o", "a.tar.gz")
    content = bytearray((folder / "a.tar.gz").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "a.tar.gz").write_bytes(content)

    plain, as_json = (
        bak("backup", "verify", "a.tar.gz"),
        bak("backup", "verify", "a.tar.gz", "--json"),
    )
    restored = bak("backup", "restore", "--force", "a.tar.gz")

    assert plain.code == as_json.code == restored.code == 1
    assert plain.err
    assert "Traceback" not in plain.err
    assert as_json.json["ok"] is False
    assert restored.err == plain.err


def test_a_restore_replaces_only_if_it_is_forced(bak: Terminal, folder: Path) -> None:
    """In the words of the original; the old state is named."""
    bak("backup", "create", "-o", "a.tar.gz")
    with temporary_project(folder=folder) as project:
        add_list(project, "second")

    refused = bak("backup", "restore", "a.tar.gz")
    done = bak("backup", "restore", "--force", "a.tar.gz")

    assert refused.code == 1
    assert refused.err.startswith(
        "Target database or storage already exists. Re-run with --force to overwrite.\n"
    )
    (kept,) = folder.glob("before-restore-*")
    assert done.lines == [
        "Backup restored.",
        f"What was there before is in {kept}; remove it when you need it no more.",
    ]
    with temporary_project(folder=folder) as project:
        assert len(project.client.get("/api/lists").get_json()["items"]) == 1


def test_a_restore_waits_for_nobody(bak: Terminal, folder: Path, running: TestProject) -> None:
    """Code 75 while a server runs; a backup may be made meanwhile."""
    made = bak("backup", "create", "-o", "a.tar.gz")
    refused = bak("backup", "restore", "--force", "a.tar.gz")

    assert made.code == 0
    assert (refused.code, refused.lines) == (75, [])
    assert "stop the server first" in refused.err.lower()


def test_commands_are_kept_out_while_a_restore_runs(bak: Terminal, folder: Path) -> None:
    """Also those that only look."""
    lock = UseLock(folder / "bakend.db")
    lock.take_alone()
    for command in (("users", "list"), ("migrate", "status"), ("backup", "create")):
        assert bak(*command).code == 75
    lock.release()
    assert bak("users", "list").code == 0


def test_an_archive_that_is_not_there_is_told(bak: Terminal, folder: Path) -> None:
    """In the words of the original; also without a project."""
    for command in ("verify", "restore"):
        result = bak("backup", command, "no.tar.gz")
        assert (result.code, result.err) == (
            1,
            f"Backup archive not found: {folder / 'no.tar.gz'}\n",
        )


def test_what_is_no_project_of_ours_is_named(bak: Terminal, tmp_path: Path) -> None:
    """An archive without a database, as the original says it."""
    import tarfile

    (tmp_path / "x").mkdir()
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as target:
        target.add(tmp_path / "x", "storage")

    result = bak("backup", "restore", "a.tar.gz", "--to", "new")

    assert result.code == 1
    assert result.err


def test_settings_lose_their_secret(bak: Terminal, folder: Path) -> None:
    """The restored project gets one of its own."""
    (folder / "bakend.json").write_text(json.dumps({"auth": {"jwtSecret": "s" * 40}, "port": 9}))
    bak("backup", "create", "-o", "a.tar.gz")
    bak("backup", "restore", "a.tar.gz", "--to", "new")

    assert json.loads((folder / "new/bakend.json").read_text()) == {
        "auth": {},
        "port": 9,
        "database": "./bakend.db",
        "storage": "./storage",
    }


def test_an_old_database_is_backed_up_unchanged(bak: Terminal, tmp_path: Path) -> None:
    """A schema of the original's, without a migration; its lost files are told."""
    bak("init")
    original.make(tmp_path / "bakend.db")
    before = (tmp_path / "bakend.db").read_bytes()

    made = bak("backup", "create", "-o", "a.tar.gz", "--json")
    restored = bak("backup", "restore", "a.tar.gz", "--to", "new")

    assert (made.json["schema"], len(made.json["missing"])) == (3, 2)
    assert made.err.count("has no bytes") == 2
    assert (tmp_path / "bakend.db").read_bytes() == before
    assert restored.code == 0


def test_force_has_nothing_to_replace_in_a_new_folder(bak: Terminal, folder: Path) -> None:
    """A usage error."""
    bak("backup", "create", "-o", "a.tar.gz")
    assert bak("backup", "restore", "a.tar.gz", "--to", "new", "--force").code == 2
