"""The project's own Python, run by the file on a host without Python; needs the network."""

from __future__ import annotations

import contextlib
import http.client
import json
from pathlib import Path
from typing import Final

from verify.catalog import full
from verify.hosts.host import Host
from verify.hosts.http import ask, want
from verify.hosts.network import connected
from verify.hosts.server import Server, make_project, started, wait_until
from verify.lab import Lab
from verify.outcome import expect

PROJECT: Final = "/srv/app"
INSTALL_S: Final = 300.0
DEATHS: Final = 3
"""How often an event may end the process before it is set aside."""

FUNCTIONS: Final = """
import os, signal
from pathlib import Path
import humanize
from bakend import Reject, before_create, on_create, route, task

@before_create("notes")
def check(ctx):
    if ctx.record["text"] == "no":
        raise Reject("Not that", field="text")
    ctx.record["text"] += " " + humanize.naturalsize(10**6)

@on_create("notes")
def note(ctx):
    if ctx.record["text"].startswith("deadly"):
        os.kill(os.getpid(), signal.SIGKILL)
    ctx.enqueue(write, text=ctx.record["text"])

@task
def write(ctx, text):
    with (Path(__file__).parents[1] / "seen.txt").open("a") as file:
        file.write(text + "\\n")

@route("GET", "/size/<int:number>")
def size(number):
    return {"size": humanize.naturalsize(number)}
"""
JOB: Final = """
import humanize
schedule = "@yearly"
def run(ctx):
    ctx.logger.info("one job, %s", humanize.naturalsize(3 * 10**6))
"""


@full
def with_a_package_of_its_own(lab: Lab) -> str:
    """Before and after a write, in the background, at a route and in a job, with `bak add humanize`."""
    with lab.bare() as host:
        environ = connected(host)
        config = make_project(host, PROJECT)
        folder = host.at(PROJECT)
        for name, text in (("functions/all.py", FUNCTIONS), ("jobs/tick.py", JOB)):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        _bak(host, environ, config, "add", "humanize")
        with started(host, config) as server:
            server.wait_well()
            _use(server, folder)
            ran = _bak(host, environ, config, "jobs", "run", "tick")
            expect("one job, 3.0 MB" in ran, f"the job says {ran!r}")
            with contextlib.suppress(OSError, http.client.HTTPException):
                ask(server.port, "POST", "/api/notes", {"text": "deadly"})
            server.process.wait(60)
        deaths = 1
        while deaths < DEATHS:
            with started(host, config) as server:
                server.process.wait(60)
                deaths += 1
        with started(host, config) as server:
            server.wait_well()
            want(server.port, "POST", "/api/notes", 201, {"text": "last"})
            wait_until(lambda: "last 1.0 MB" in _seen(folder), 30, "the last note is seen")
            server.stop()
        failed = json.loads(
            _bak(host, environ, config, "functions", "runs", "--status", "failed", "--json")
        )
    crashes = [run["crashes"] for run in failed]
    expect(crashes == [DEATHS], f"failed runs and how often the process ended: {crashes}")
    return f"all of them ran; set aside after {deaths} deaths of the process"


def _use(server: Server, folder: Path) -> None:
    made = want(server.port, "POST", "/api/notes", 201, {"text": "first"}).json
    expect(made["text"] == "first 1.0 MB", f"made {made}")
    refused = want(server.port, "POST", "/api/notes", 400, {"text": "no"}).json
    expect(refused["error"]["details"][0]["rule"] == "rejected", f"refused by {refused}")
    size = want(server.port, "GET", "/api/_/size/2000", 200).json
    expect(size == {"size": "2.0 kB"}, f"the route says {size}")
    wait_until(lambda: _seen(folder) == ["first 1.0 MB"], 30, "the note is seen")


def _seen(folder: Path) -> list[str]:
    file = folder / "seen.txt"
    return file.read_text().splitlines() if file.exists() else []


def _bak(host: Host, environ: dict[str, str], config: str, *words: str) -> str:
    command = (host.inside(host.bak), *words, "--config", config)
    return host.must(*command, environ=environ, timeout_s=INSTALL_S)
