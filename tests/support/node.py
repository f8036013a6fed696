"""Node with packages in it, made ready once: the JavaScript client, and what makes the dashboard.

They come from npm, by the lock file, and lie in an ignored folder beside it: a second run needs no
network. What is missing and cannot be had fails the tests, and says what to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from processes import NOTHING, SLOWNESS

FOLDER: Final = Path(__file__).resolve().parents[1] / "conformance" / "javascript"
INSTALLED: Final = FOLDER / "node_modules"
DASHBOARD: Final = Path(__file__).resolve().parents[2] / "dashboard"

OLDEST: Final = (18, 15)
"""Debian 12 has 18; the one before has no fetch, and earlier ones of it no reports as text."""

WITH_SOCKETS: Final = (20, 10)
SOCKETS_AS_USUAL: Final = (22, 0)
"""From where on there is a WebSocket behind a flag, and without one."""

INSTALL_S: Final = 900.0
SCRIPT_S: Final = 90.0

# A person's own would put other modules or flags in front of ours.
_LEFT_OUT: Final = ("NODE_OPTIONS", "NODE_PATH", "NODE_TEST_CONTEXT")


class NodeError(Exception):
    """Raised when the client cannot be made ready; its text is for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node that can import the client."""

    program: str
    version: tuple[int, int] = OLDEST

    def command(self, script: str, *arguments: str) -> list[str]:
        """Return the command that runs one of our scripts."""
        flags = ["--test-reporter=tap"]
        if WITH_SOCKETS <= self.version < SOCKETS_AS_USUAL:
            flags.append("--experimental-websocket")
        return [self.program, *flags, str(FOLDER / script), *arguments]

    def require_for(self, script: str) -> None:
        """Skip a test whose script needs a global WebSocket, where this Node has none."""
        if script.startswith("realtime") and self.version < WITH_SOCKETS:
            needed = ".".join(map(str, WITH_SOCKETS))
            pytest.skip(f"realtime needs Node {needed} or newer: this one has no WebSocket")

    def test(self, script: str, *arguments: str, environ: Mapping[str, str] = NOTHING) -> None:
        """Run the tests of a script; fail with their report unless each of them passed."""
        done = subprocess.run(
            self.command(script, *arguments),
            cwd=FOLDER,
            env=environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SCRIPT_S * SLOWNESS,
            check=False,
        )
        assert_all_passed(script, done.returncode, done.stdout)


def assert_all_passed(script: str, code: int, report: str) -> None:
    """Fail, with the report, unless there were tests and each of them ran and passed."""
    counts = {name: int(count) for name, count in re.findall(r"^# (\w+) (\d+)$", report, re.M)}
    left_out = [name for name in ("fail", "cancelled", "skipped", "todo") if counts.get(name)]
    is_good = code == 0 and counts.get("pass", 0) > 0 and not left_out
    assert is_good, f"{script} ended with {code}:\n{report}"


def environment(extra: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """Return the environment of a script."""
    return {name: text for name, text in os.environ.items() if name not in _LEFT_OUT} | dict(extra)


def make_ready(folder: Path = FOLDER) -> Node:
    """Find or install Node, install the packages of a folder by its lock file, and return it.

    Raises:
        NodeError: Something is missing, and we cannot or may not install it.
    """
    with _alone(folder):
        program, version = _find_node()
        made_from = _digest(folder / "package.json", folder / "package-lock.json")
        note = folder / "node_modules" / ".made-from"
        if not note.exists() or note.read_text() != made_from:
            _install(folder)
            note.write_text(made_from)
    return Node(program, version)


def _find_node() -> tuple[str, tuple[int, int]]:
    program = shutil.which("node") or shutil.which("nodejs")
    if program is None:
        _install_packages("nodejs")
        program = shutil.which("node") or shutil.which("nodejs")
    if program is None:
        raise NodeError("nodejs is installed, but there is no program node on the PATH")
    version = _run([program, "--version"], "node --version").strip()
    found = re.match(r"v(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise NodeError(f"{program} is {version}; the client needs Node {oldest} or newer")
    return program, (int(found[1]), int(found[2]))


def _install(folder: Path) -> None:
    # Half of an installation has no note, so the next run makes it anew; npm removes what is there.
    if shutil.which("npm") is None:
        _install_packages("npm")
    _run(["npm", "ci"], f"The packages, by `npm ci` in {folder},", folder)


def _install_packages(*packages: str) -> None:
    """Install packages of Debian or Ubuntu."""
    install = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    names = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise NodeError(f"These tests need {names}: install Node 18 or newer")
    if os.geteuid() != 0:
        command = f"sudo apt-get update && sudo apt-get install -y {names}"
        raise NodeError(f"These tests need {names}. Run once: {command}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    with contextlib.suppress(NodeError):
        _run(install, names)
        return
    # A fresh machine has not read its list of packages yet.
    _run(["apt-get", "update"], "The system's list of packages")
    _run(install, names)


def _run(command: Sequence[str], what: str, folder: Path = FOLDER) -> str:
    """Return what a command prints on stdout."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_S * SLOWNESS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NodeError(f"{what} did not end within {INSTALL_S * SLOWNESS:g} s") from None
    if done.returncode != 0:
        raise NodeError(f"{done.stdout}{done.stderr}\n{what} could not be had (see above)")
    return done.stdout


def _digest(*files: Path) -> str:
    """Return a short fingerprint of what the files hold."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:32]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process of this clone makes it ready; the system frees the lock if we die."""
    with (folder / "node_modules.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
