"""`bak start` and `bak dev`, as far as they get without serving; the rest is in tests/e2e."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakend.cli.serve import _Stopper
from bakend.version import VERSION

from processes import running_server
from terminal import Terminal


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens already."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


@pytest.mark.parametrize("command", ["start", "dev"])
@pytest.mark.parametrize("form", ["--port={}", "--port {}"])
def test_a_port_in_use_is_told(bak: Terminal, taken: int, command: str, form: str) -> None:
    """A taken port ends with code 69, its number and the way out; nothing is on stdout."""
    bak("init")

    result = bak(command, "--host=127.0.0.1", *form.format(taken).split())

    assert result.code == 69
    assert f"Port {taken} is already in use" in result.err
    assert "--port" in result.err
    assert result.out == ""


def test_a_port_of_the_config_in_use_is_told(bak: Terminal, taken: int, tmp_path: Path) -> None:
    """The same holds where the port comes from the config."""
    bak("init")
    (tmp_path / "bakend.json").write_text(json.dumps({"host": "127.0.0.1", "port": taken}))

    assert bak("start").code == 69


@pytest.mark.parametrize("flag", ["--port=0", "--port=65536", "--port=http", "--host="])
def test_a_wrong_flag_is_told(bak: Terminal, flag: str) -> None:
    """A flag whose value is no setting ends with code 78 and names the flag."""
    bak("init")

    result = bak("start", flag)

    assert result.code == 78
    assert flag.partition("=")[0] in result.err


def test_a_host_of_another_machine_is_told(bak: Terminal) -> None:
    """An address that is not ours ends with code 78."""
    bak("init")

    result = bak("start", "--host=192.0.2.1", "--port=9999")

    assert result.code == 78
    assert 'Host "192.0.2.1" is not an address of this machine' in result.err


def test_production_refuses_a_known_secret(
    bak: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that was published ends the start in production with code 78; it is not shown."""
    (tmp_path / "bakend.json").write_text('{"auth": {"jwtSecret": "dev-only-change-me"}}')
    monkeypatch.setenv("BAKEND_ENV", "production")

    result = bak("start")

    assert result.code == 78
    assert "auth.jwtSecret is a default/demo value" in result.err
    assert "dev-only-change-me" not in result.err


def test_a_named_config_in_an_empty_folder_is_made(
    bak: Terminal, taken: int, tmp_path: Path
) -> None:
    """With --config and an empty folder the project is made first, under that name, and said so."""
    folder = tmp_path / "new"
    (folder / "lost+found").mkdir(parents=True)  # a new volume

    result = bak("start", "--config=new/shop.json", "--host=127.0.0.1", f"--port={taken}")

    assert result.code == 69  # it got as far as that
    assert result.lines == [f"Created Bakend project at {folder}"]
    assert (folder / "shop.json").is_file()
    assert not (folder / "bakend.json").exists()
    assert "No config file" not in result.err


def test_a_named_config_in_a_folder_in_use_is_not_made(bak: Terminal, tmp_path: Path) -> None:
    """A mistyped --config makes nothing where there is something."""
    (tmp_path / "notes.txt").write_text("mine")

    result = bak("start", "--config=bakend.json")

    assert result.code == 78
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_the_environment_may_ask_for_a_project(
    bak: Terminal, taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`BAKEND_INIT=1` makes the project where there is none, as containers want it."""
    monkeypatch.setenv("BAKEND_INIT", "1")

    result = bak("start", "--host=127.0.0.1", f"--port={taken}")

    assert result.lines == [f"Created Bakend project at {tmp_path}"]
    assert (tmp_path / "bakend.json").is_file()


def test_a_project_without_a_config_starts_on_defaults(
    bak: Terminal, taken: int, tmp_path: Path
) -> None:
    """A folder with collections/ is a project; the log says that its config is missing."""
    (tmp_path / "collections").mkdir()

    result = bak("start", "--host=127.0.0.1", f"--port={taken}")

    assert result.code == 69
    assert f"WARN No config file at {tmp_path / 'bakend.json'}" in result.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_anything_is_open_ends_at_once(
    bak: Terminal, number: signal.Signals
) -> None:
    """The first thing of a start are its signal handlers; then a signal is an end, not a failure."""
    _Stopper()

    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(number)

    assert ended.value.code == 0


@pytest.mark.e2e
@pytest.mark.parametrize("command", ["start", "dev"])
def test_a_project_just_made_starts_at_once(bak: Terminal, tmp_path: Path, command: str) -> None:
    """After `bak init` nothing has to be done but start it; the banner comes when it listens."""
    bak("init")

    with running_server(tmp_path, command=command) as server:
        health = bak("health", "--url", server.url)
        banner = (
            f"Bakend v{VERSION}\n\nDatabase: ready\nAPI: ready\n\nListening on :{server.port}\n"
        )
        assert banner in server.log
        assert "WARN" not in server.log

    assert (health.code, health.out) == (0, f"{server.url}: ok, version {VERSION}\n")
