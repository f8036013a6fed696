"""The official client for JavaScript, unchanged from npm, in Node, against a real server.

Each script beside this file is a set of tests of its own; here are their servers.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import clients
import node
from node import Node
from processes import free_port, running_server, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(1200)]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A script, and the settings that its server has."""

    script: str
    settings: Mapping[str, object] = field(default_factory=dict)


SCENARIOS = [
    Scenario("accounts.mjs"),
    Scenario("expiry.mjs", {"auth": {"accessTokenTtl": "3s"}}),
    Scenario("records.mjs"),
    Scenario("access.mjs"),
    Scenario("files.mjs"),
    Scenario("errors.mjs", {"throttle.login": 2}),
    Scenario("journey.mjs"),
    Scenario("realtime.mjs"),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.script)
def test_the_client_works_unchanged(scenario: Scenario, javascript: Node, tmp_path: Path) -> None:
    """What the client sends is understood, and what it is answered it can read."""
    javascript.require_for(scenario.script)
    clients.make(tmp_path, **scenario.settings)

    with running_server(tmp_path, environ=clients.ADMIN) as server:
        javascript.test(scenario.script, server.url, environ=clients.ADMIN)

        assert "Traceback" not in server.log, server.tail


def test_a_busy_database_is_told_to_the_client(javascript: Node, tmp_path: Path) -> None:
    """While another process holds the database, a write is an error with a code, and reads go on."""
    clients.make(tmp_path, **{"database.busyTimeout": "200ms"})
    with running_server(tmp_path) as server:
        database = sqlite3.connect(tmp_path / "bakend.db", isolation_level=None)
        with contextlib.closing(database):
            database.execute("BEGIN IMMEDIATE")
            javascript.test("busy.mjs", server.url)
            database.execute("ROLLBACK")


@pytest.mark.parametrize("script_name", ["restart.mjs", "realtime-restart.mjs"])
@pytest.mark.parametrize("ends", ["stop", "kill"])
def test_a_client_outlasts_its_server(
    javascript: Node, tmp_path: Path, ends: str, script_name: str
) -> None:
    """The server goes and comes back while the client lives: tokens and subscriptions last."""
    javascript.require_for(script_name)
    clients.make(tmp_path)
    port = free_port()
    with contextlib.ExitStack() as stack:
        with running_server(tmp_path, port=port) as first:
            script = stack.enter_context(
                subprocess.Popen(
                    javascript.command(script_name, first.url),
                    cwd=node.FOLDER,
                    env=node.environment(),
                    stdin=subprocess.PIPE,
                    stdout=(stdout := stack.enter_context((tmp_path / "report").open("wb"))),
                    stderr=subprocess.STDOUT,
                    text=True,
                )
            )
            stack.callback(script.kill)
            report = Path(stdout.name)
            wait_until(
                lambda: "ready" in report.read_text() or script.poll() is not None,
                30,
                what="the client is ready",
            )
            if ends == "kill":
                first.kill()
        with running_server(tmp_path, port=port):
            script.communicate("go on\n", timeout=60)
            node.assert_all_passed(script_name, script.returncode, report.read_text())


@pytest.mark.built
def test_the_journey_against_the_one_file(one_file: Path, javascript: Node, tmp_path: Path) -> None:
    """Register, me, records, files, refresh and logout against dist/bak, as it is published."""
    clients.make(tmp_path)

    with running_server(tmp_path, executable=one_file) as server:
        javascript.test("journey.mjs", server.url)


def test_the_client_is_the_one_that_is_named(javascript: Node) -> None:
    """What is installed is the version of package.json, as its lock file has it by hash."""
    wanted = json.loads((node.FOLDER / "package.json").read_text())["dependencies"]
    lock = (node.FOLDER / "package-lock.json").read_text()
    locked = json.loads(lock)["packages"]
    for name, version in wanted.items():
        installed = json.loads((node.INSTALLED / name / "package.json").read_text())
        entry = locked[f"node_modules/{name}"]
        assert (installed["version"], entry["version"]) == (version, version)
        assert entry["integrity"].startswith("sha512-")
    assert "://" not in lock
