"""Another file in its place, or none, while it runs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

from verify.catalog import quick
from verify.hosts.database import count_notes
from verify.hosts.host import Host
from verify.hosts.http import ask, want
from verify.hosts.load import load
from verify.hosts.server import NOTES, Server, define, make_project, started, wait_until
from verify.lab import Lab
from verify.outcome import expect

PROJECT: Final = "/srv/app"

# Whoever reads a byte of the new file by mistake gets nothing that works.
OTHER: Final = b"#!/bin/sh\nexit 99\n" + b"\0" * 4096

LATE: Final = """
import sys
print("ready", flush=True)
sys.stdin.readline()
import email.mime.multipart, sqlite3.dump, unittest.mock, wsgiref.simple_server, xml.dom.minidom
import flask.testing, importlib.metadata, waitress.proxy_headers
assert importlib.metadata.version("flask")
print("imported", flush=True)
"""


@quick
def by_rename(lab: Lab) -> str:
    """A new file renamed over it under load: no request fails, and later imports are its own."""

    def replace(place: Path) -> None:
        beside = place.with_name("bak.new")
        beside.write_bytes(OTHER)
        beside.chmod(0o755)
        beside.rename(place)

    return _survives(lab, replace)


@quick
def deleted(lab: Lab) -> str:
    """Deleted under load: no request fails, and later imports are its own."""
    return _survives(lab, Path.unlink)


def _survives(lab: Lab, change: Callable[[Path], None]) -> str:
    with lab.here() as host:
        config = make_project(host, PROJECT)
        kept = host.at("/opt/kept")
        kept.hardlink_to(host.at(host.bak))  # to look into the database afterwards
        importer = host.start(
            *(host.inside(host.bak), "-I", "-c", LATE),
            output=subprocess.PIPE,
            feed=subprocess.PIPE,
        )
        assert importer.stdout is not None
        expect(importer.stdout.readline() == b"ready\n", "bak -c does not run")
        with started(host, config, command="dev") as server:
            server.wait_well()
            with load(server.port) as clients:
                clients.wait_for(60)
                change(host.at(host.bak))
                said, _ = importer.communicate(b"go\n", timeout=60)
                _takes_new_pattern(host, server)
                clients.wait_for(200)
            expect(not clients.bad, f"{len(clients.bad)} requests failed: {clients.bad[:2]}")
            server.stop()
        expect(said.endswith(b"imported\n"), f"later imports fail: {said.decode()[-300:]}")
        host.at(host.bak).unlink(missing_ok=True)
        kept.rename(host.at(host.bak))
        stored = count_notes(host, PROJECT)
    expect(stored == clients.created, f"{clients.created} acknowledged, {stored} stored")
    return f"{len(clients.tries)} requests, none failed; later imports and processes are its own"


def _takes_new_pattern(host: Host, server: Server) -> None:
    """A new pattern is judged by a new process, which has to be this version still."""
    # A repetition of repetitions may take for ever: a process beside the server tries it.
    color = {"name": "color", "type": "string", "regex": "^(#[0-9a-f]+ ?)+$"}
    fields = [{"name": "text", "type": "text", "required": True}, color]
    define(host.at(PROJECT), {**NOTES, "name": "later", "fields": fields})

    def is_there() -> bool:
        return ask(server.port, "GET", "/api/later").status == 200

    wait_until(is_there, 20, f"a collection defined after the change; {server.tail}")
    want(server.port, "POST", "/api/later", 201, {"text": "fits", "color": "#00ff7f"})
    want(server.port, "POST", "/api/later", 400, {"text": "does not", "color": "red"})
