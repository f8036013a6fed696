"""`bak upgrade` on the command line: what it looks up, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from releases import publish, served

from bakend import executable
from bakend.cli.upgrade import _of_server, _server
from bakend.errors import UpgradeError
from bakend.upgrade import releases
from bakend.upgrade.programs import Owner
from bakend.upgrade.service import Server
from bakend.version import VERSION

from terminal import Terminal


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder for releases, which `bak upgrade` looks into."""
    folder = tmp_path / "release"
    folder.mkdir()
    with served(folder) as url:
        monkeypatch.setenv("BAKEND_INSTALL_URL", url)
        yield folder


def test_check_tells_a_newer_one(bak: Terminal, release: Path) -> None:
    """Exit code 10 for scripts, a sentence for people."""
    publish(release, "99.0.0", target=releases.target())

    done = bak("upgrade", "--check")
    assert done.code == 10
    assert done.out == f"99.0.0 is there, this is {VERSION}: bak upgrade\n"
    assert "test key" in done.err
    done = bak("upgrade", "--check", "--json")
    assert done.code == 10
    assert json.loads(done.out) == {"version": VERSION, "newest": "99.0.0", "isNewer": True}


@pytest.mark.parametrize("newest", [VERSION, "0.0.1"])
def test_check_finds_nothing_newer(bak: Terminal, release: Path, newest: str) -> None:
    """The same version is not newer, and an older one is not either."""
    publish(release, newest, target=releases.target())

    assert bak("upgrade", "--check").code == 0


@pytest.mark.parametrize(
    ("newest", "level", "words"),
    [
        ("99.0.0", "warn", f"99.0.0 is there, this is {VERSION}"),
        (VERSION, "ok", "the newest"),
        (None, "ok", "what is newest cannot be found out"),
    ],
)
def test_the_doctor_knows_it_too(
    bak: Terminal, release: Path, newest: str | None, level: str, words: str
) -> None:
    """No network is no fault of the project."""
    if newest is not None:
        publish(release, newest, target=releases.target())
    bak("init", "project")

    findings = bak("doctor", "--json", "--config", "project/bakend.json").json["findings"]

    (version,) = [each for each in findings if each["what"] == "version"]
    assert version["level"] == level
    assert words in version["text"]


def test_check_without_a_server(bak: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is neither yes nor no."""
    monkeypatch.setenv("BAKEND_INSTALL_URL", "http://127.0.0.1:9")

    done = bak("upgrade", "--check")

    assert done.code == 69
    assert "--file" in done.err


def test_a_check_that_is_not_signed(bak: Terminal, release: Path) -> None:
    """What it says would be anybody's."""
    publish(release, "99.0.0", target=releases.target())
    (release / "SHA256SUMS.sig").unlink()

    assert bak("upgrade", "--check").code == 70


@pytest.mark.skipif(executable.IS_ONE_FILE, reason="the one file can be replaced")
def test_what_is_no_executable_cannot_be_replaced(bak: Terminal) -> None:
    """From source or as a zipapp there is nothing to swap."""
    done = bak("upgrade")

    assert done.code == 3
    assert "git pull" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ["--check", "--rollback"],
        ["--version", "1.2.3", "--file", "x"],
        ["--rollback", "--version", "1.2.3"],
        ["--unit", "x", "--restart-command", "y"],
        ["--patience", "0"],
    ],
)
def test_what_does_not_go_together(bak: Terminal, words: list[str]) -> None:
    """It is wrong usage."""
    assert bak("upgrade", *words).code == 2


def server(unit: str, folder: Path, *words: str, environ: dict[str, str] | None = None) -> Server:
    return Server(unit, 1, Owner(7, 8), ("bak", "start", *words), environ or {}, folder)


def test_the_server_is_found(tmp_path: Path) -> None:
    """The only one, or the one that is named; several are a question."""
    one, two = server("a.service", tmp_path), server("b.service", tmp_path)

    assert _server([], None) is None
    assert _server([one], None) is one
    assert _server([one, two], "b") is two
    with pytest.raises(UpgradeError, match="Several"):
        _server([one, two], None)
    with pytest.raises(UpgradeError, match=r"c\.service"):
        _server([one, two], "c")


@pytest.mark.parametrize("form", ["--config FILE", "--config=FILE", "variable", "folder"])
def test_its_project_is_that_of_its_start(tmp_path: Path, form: str) -> None:
    """By its command line, its environment, or where it was started; owned by its user."""
    config = tmp_path / "bakend.json"
    config.write_text('{"port": 1234, "host": "::1", "database": "./x.db"}')
    words = form.replace("FILE", str(config)).split() if form.startswith("-") else []
    environ = {"BAKEND_CONFIG": str(config)} if form == "variable" else {}
    folder = tmp_path if form == "folder" else Path("/")

    found, address = _of_server(server("a.service", folder, *words, environ=environ))

    assert address == "http://[::1]:1234"
    assert found.database == tmp_path / "x.db"
    assert found.owner == Owner(7, 8)
