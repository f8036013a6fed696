"""The grammar of the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bakend.cli import main
from bakend.version import VERSION

import processes
from processes import environment
from terminal import Terminal


def _commands(command: click.Command, path: str = "bak") -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from _commands(inner, f"{path} {name}")


COMMANDS = dict(_commands(main.bak))
HELP_FLAGS = ("--help", "-h")


@pytest.mark.parametrize("flag", ["--version", "-v"])
def test_prints_the_version(bak: Terminal, flag: str) -> None:
    """The version is on stdout and alone."""
    result = bak(flag)

    assert (result.code, result.out, result.err) == (0, f"{VERSION}\n", "")


def test_shows_its_usage_without_a_command(bak: Terminal) -> None:
    """No command is wrong usage, and the usage is shown on stdout."""
    result = bak()

    assert result.code == 2
    assert result.out.startswith("Usage: bak")


def test_names_an_unknown_command(bak: Terminal) -> None:
    """An unknown command is named on stderr, and the usage follows on stdout."""
    result = bak("strat")

    assert result.code == 2
    assert result.err == "Unknown command: strat\n"
    assert result.out.startswith("Usage: bak")


@pytest.mark.parametrize(
    "args",
    [
        ("start", "--nonsense"),
        ("--nonsense", "start"),
        ("start", "--config"),
        ("start", "surplus"),
        ("migrate", "nonsense"),
        ("migrate", "apply", "--force"),
        ("health", "--timeout", "soon"),
        ("health", "--timeout", "0"),
        ("health", "--timeout", "inf"),
    ],
    ids=" ".join,
)
def test_refuses_wrong_usage(bak: Terminal, args: tuple[str, ...], tmp_path: Path) -> None:
    """An argument that makes no sense ends with code 2, a sentence on stderr, and nothing done."""
    result = bak(*args)

    assert result.code == 2
    assert "Error: " in result.err
    assert result.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_explains_itself(path: str) -> None:
    """Each command has a text of help, and so has each of its options."""
    command = COMMANDS[path]

    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.name}"


@pytest.mark.parametrize("flag", HELP_FLAGS)
@pytest.mark.parametrize("path", COMMANDS)
def test_help_does_nothing(bak: Terminal, path: str, flag: str, tmp_path: Path) -> None:
    """`--help` behind any command shows its usage and does nothing else."""
    result = bak(*path.split()[1:], flag)

    assert result.code == 0
    assert result.out.startswith(f"Usage: {path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "args",
    [
        ("--config", "here/bakend.json", "settings", "--json"),
        ("settings", "--config", "here/bakend.json", "--json"),
        ("--config=here/bakend.json", "settings", "--json"),
        ("settings", "--json", "--config=here/bakend.json"),
        ("--config", "elsewhere.json", "settings", "--config", "here/bakend.json", "--json"),
    ],
    ids=" ".join,
)
def test_takes_the_config_before_and_after_the_command(
    bak: Terminal, args: tuple[str, ...], tmp_path: Path
) -> None:
    """`--config` may stand on either side, with a blank or `=`; the one behind the command wins."""
    bak("init", "here")

    result = bak(*args)

    assert result.code == 0
    assert result.json["config"] == str(tmp_path / "here" / "bakend.json")


@pytest.mark.parametrize(
    "args",
    [
        ("--config", "here/bakend.json", "migrate", "status"),
        ("migrate", "--config", "here/bakend.json", "status"),
        ("migrate", "status", "--config", "here/bakend.json"),
    ],
    ids=" ".join,
)
def test_takes_the_config_at_every_level(bak: Terminal, args: tuple[str, ...]) -> None:
    """A command of a group takes `--config` in each of the three places."""
    bak("init", "here")

    assert bak(*args).lines == ["No collections found in files or database."]


def test_takes_the_config_from_the_environment(
    bak: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`BAKEND_CONFIG` names the config file where no flag does."""
    bak("init", "here")
    monkeypatch.setenv("BAKEND_CONFIG", "here/bakend.json")

    assert bak("settings", "--json").json["config"] == str(tmp_path / "here" / "bakend.json")


def test_says_nothing_of_its_insides_when_it_fails(
    bak: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is one sentence and code 1; the traceback is for those who ask for it."""

    def fails(**_options: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(COMMANDS["bak version"], "callback", fails)

    result = bak("version")
    monkeypatch.setenv("BAKEND_LOG_LEVEL", "DEBUG")
    loud = bak("version")

    assert (result.code, loud.code) == (1, 1)
    assert result.err.startswith("bak failed: ZeroDivisionError: on purpose\n")
    assert "Traceback" not in result.err
    assert "Traceback" in loud.err


def test_ctrl_c_is_no_fault(bak: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever interrupts a command gets the code that shells give, and no sentence."""

    def interrupted(**_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(COMMANDS["bak version"], "callback", interrupted)

    result = bak("version")

    assert (result.code, result.err.strip()) == (130, "")  # click ends the line of the ^C


def test_ends_quietly_when_nobody_reads(tmp_path: Path) -> None:
    """A reader that goes away, as `head` does, gets no traceback after it."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bakend", "--help"],
            stdout=write_end,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=environment(),
            timeout=60,
            check=False,
        )
    finally:
        os.close(write_end)

    assert done.stderr == b""
    assert done.returncode == 1


def test_the_module_is_the_command(tmp_path: Path) -> None:
    """`python -m bakend` is `bak`."""
    done = processes.bak(tmp_path, "init", "p")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Created Bakend project at {tmp_path / 'p'}\n")
    assert json.loads((tmp_path / "p" / "bakend.json").read_text())["port"] == 8080


RECEIVES = """
import os, runpy, signal, sys
install = signal.signal
def install_and_receive(number, handler):
    install(number, handler)
    if number == int(sys.argv[1]):
        os.kill(os.getpid(), number)
signal.signal = install_and_receive
runpy.run_module("bakend", run_name="__main__")
"""
"""Runs `python -m bakend`, and sends it a signal as soon as it is ready for that one."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_imports_ends_quietly(number: signal.Signals) -> None:
    """From the first line on, a signal ends the process as a signal does, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", RECEIVES, str(int(number))],
        env=environment(),
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (-number, b"")
