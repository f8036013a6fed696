"""`bak init`: what it makes, and what it leaves alone."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from bakend.errors import NotWritableError

from terminal import Terminal

SCAFFOLD = {
    ".bakend",
    ".gitignore",
    "README.md",
    "bakend.json",
    "collections",
    "functions",
    "jobs",
}


def _names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


@pytest.mark.parametrize("name", ["shop", "deep/er/shop", "../shop"])
def test_init_makes_a_project(bak: Terminal, tmp_path: Path, name: str) -> None:
    """The folder and those above it are made, and its absolute path is told."""
    folder = (tmp_path / name).resolve()
    result = bak("init", name)

    assert (result.code, result.err) == (0, "")
    assert result.lines == [
        f"Created Bakend project at {folder}",
        f"Next:  cd {name} && bak dev",
    ]
    assert _names(folder) == SCAFFOLD


def test_init_takes_an_absolute_path(bak: Terminal, tmp_path: Path) -> None:
    """A name may be a whole path; what is printed can be pasted into a shell."""
    folder = tmp_path / "my shop"

    result = bak("init", str(folder))

    assert result.lines[1] == f"Next:  cd '{folder}' && bak dev"
    assert _names(folder) == SCAFFOLD


@pytest.mark.parametrize("nobodys", [(), (".git",), ("lost+found",)], ids=str)
def test_init_takes_an_empty_folder(
    bak: Terminal, tmp_path: Path, nobodys: tuple[str, ...]
) -> None:
    """Without a name the project is made here, where at most a new repository or volume may be."""
    for name in nobodys:
        (tmp_path / name).mkdir()

    result = bak("init")

    assert result.code == 0
    assert result.lines[1] == "Next:  bak dev"
    assert _names(tmp_path) - set(nobodys) == SCAFFOLD


def test_init_leaves_a_folder_in_use_alone(bak: Terminal, tmp_path: Path) -> None:
    """A folder with anything in it is refused and stays as it was."""
    (tmp_path / "notes.txt").write_text("mine")

    result = bak("init")

    assert result.code == 1
    assert result.err.splitlines()[0] == f"Directory is not empty: {tmp_path}"
    assert _names(tmp_path) == {"notes.txt"}


def test_init_keeps_the_secret_to_its_owner(bak: Terminal, tmp_path: Path) -> None:
    """The secret is in a file of mode 0600 in a folder of mode 0700, and not in the config."""
    bak("init")

    file = tmp_path / ".bakend" / "jwt_secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(file.read_text().strip()) >= 32
    assert "jwtSecret" not in (tmp_path / "bakend.json").read_text()


def test_each_project_has_another_secret(bak: Terminal, tmp_path: Path) -> None:
    """No two projects share a secret."""
    bak("init", "a")
    bak("init", "b")

    secrets = {(tmp_path / each / ".bakend" / "jwt_secret").read_text() for each in "ab"}
    assert len(secrets) == 2


def test_init_writes_the_files_of_a_project(bak: Terminal, tmp_path: Path) -> None:
    """Config, ignored files and README are as a newcomer needs them."""
    bak("init", "shop")

    folder = tmp_path / "shop"
    text = (folder / "bakend.json").read_text()
    assert text.endswith("}\n")
    assert text.startswith('{\n  "port"')
    assert json.loads(text) == {
        "port": 8080,
        "database": "./bakend.db",
        "storage": "./storage",
        "logLevel": "INFO",
        "auth": {"accessTokenTtl": "15m", "refreshTokenTtl": "7d"},
    }
    assert (folder / ".gitignore").read_text().splitlines() == [
        "*.db",
        "*.db-wal",
        "*.db-shm",
        "storage/",
        ".bakend/",
        ".env",
        "*.db.lock",
        "backups/",
        "before-restore-*/",
        "logs/",
        ".DS_Store",
    ]
    assert (folder / "README.md").read_text().startswith("# shop\n")


def test_init_without_a_name_takes_that_of_the_folder(
    bak: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The README is headed by the folder's name where no other is given."""
    folder = tmp_path / "garden"
    folder.mkdir()
    monkeypatch.chdir(folder)

    bak("init")

    assert (folder / "README.md").read_text().startswith("# garden\n")


def test_init_says_where_it_may_not_write(bak: Terminal, tmp_path: Path) -> None:
    """A place that cannot be a folder ends with code 73, a sentence and the way out."""
    (tmp_path / "file").write_text("")

    result = bak("init", "file/shop")

    assert result.code == 73
    assert result.err.splitlines() == [
        f"The project cannot be made at {tmp_path / 'file' / 'shop'}: Not a directory",
        "  Choose a folder that you may write to",
    ]


@pytest.mark.parametrize("fails_at", ["ensure_secret", "_readme"])
@pytest.mark.parametrize("name", ["deep/er/shop", "."])
def test_init_that_fails_leaves_nothing(
    bak: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str, name: str
) -> None:
    """What was made before the disk failed is taken back, folders above included."""

    def fail(*_args: object) -> str:
        raise NotWritableError("The disk failed")

    monkeypatch.setattr(f"bakend.cli.init.{fails_at}", fail)

    result = bak("init", name)

    assert (result.code, result.err) == (73, "The disk failed\n")
    assert list(tmp_path.iterdir()) == []


def test_a_project_just_made_is_in_order(bak: Terminal) -> None:
    """After `bak init` every looking command succeeds without a warning."""
    bak("init")

    for args in (("settings",), ("migrate", "status"), ("migrate", "plan")):
        result = bak(*args)
        assert (result.code, result.err) == (0, "")
