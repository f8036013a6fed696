"""`bench/run`: starts the servers on a temporary project, measures them or the dashboard, prints."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from verify.hosts.browser import browser
from verify.outcome import Failed, NotRun

from bench import load, measures, project, screens, servers
from bench.load import Request
from bench.measures import IDLE, Case, Sizes
from bench.report import Report
from bench.screen_report import ScreenReport
from bench.servers import BenchError, Server

QUICK: Final = (2, 1, 1)
FULL: Final = (9, 6, 1)
"""Starts; rounds of load; seconds of each load. Many short rounds cancel drift better than few long."""

QUICK_SCREENS: Final = (2, 2, 6)
FULL_SCREENS: Final = (9, 10, 60)
"""Rounds of opening a page; seconds of scrolling, each time; seconds of live updates."""


def main() -> int:
    """Measure, print, and return the exit code."""
    options = _options()
    bak = shlex.split(options.bak)
    _allow_descriptors(2 * IDLE)
    try:
        with tempfile.TemporaryDirectory(dir=options.folder, prefix="bakend-bench-") as folder:
            report: Report | ScreenReport
            if options.what == "dashboard":
                sizes = QUICK_SCREENS if options.quick else FULL_SCREENS
                report = _measure_dashboard(Path(folder), bak, *sizes)
            else:
                report = _measure(Path(folder), bak, *(QUICK if options.quick else FULL))
    except (BenchError, Failed, NotRun) as error:
        print(f"No figures: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(report.text())
    if options.json is not None:
        options.json.write_text(json.dumps(report.json(), indent=2) + "\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench/run", description="Measure Bakend.")
    parser.add_argument(
        "what", nargs="?", choices=("server", "dashboard"), default="server", help="default: server"
    )
    parser.add_argument("--quick", action="store_true", help="half a minute in place of minutes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument(
        "--folder", type=Path, help="where the temporary project lies: on the disk to measure"
    )
    parser.add_argument(
        "--bak", default="", metavar="COMMAND", help="measure this `bak`, not the checkout's"
    )
    return parser.parse_args()


def _measure(folder: Path, bak: list[str], starts: int, rounds: int, seconds: int) -> Report:
    for name in ("full", "normal"):
        project.make(folder / name)
    # The connections of the load come on top of the idle ones.
    roomy = {"BAKEND_SERVER_MAX_CONNECTIONS": str(2 * IDLE)}
    lax = {**roomy, "BAKEND_DATABASE_SYNCHRONOUS": "normal"}
    bare_command = servers.baseline("wsgi", folder)
    flask_command = servers.baseline("flask", folder)
    ours = servers.bakend(bak, folder / "full", environ=roomy)
    ours_lax = servers.bakend(bak, folder / "normal", environ=lax, name="bakend-normal")

    _say("starting servers")
    started = measures.starts([flask_command, ours], rounds=starts)
    with contextlib.ExitStack() as stack:
        bare, hello, full, normal = (
            stack.enter_context(command.running())
            for command in (bare_command, flask_command, ours, ours_lax)
        )
        at_start = [server.memory() for server in (bare, hello, full)]
        some_id, token = project.fill(full), project.sign_up(full)
        _say(f"loading with {load.tool()}")
        rows = measures.loads(
            bare, _cases(hello, full, normal, some_id, token), rounds=rounds, seconds=seconds
        )
        sizes = [
            Sizes(server.name, before, server.memory())
            for server, before in zip((bare, hello, full), at_start, strict=True)
        ]
    generator = {
        "load": load.tool(),
        "connections": load.CONNECTIONS,
        "threads": servers.THREADS,
    }
    return Report({**_machine(folder), **generator}, started, sizes, rows)


def _measure_dashboard(
    folder: Path, bak: list[str], rounds: int, seconds: int, live_s: int
) -> ScreenReport:
    project.make(folder / "large")
    ours = servers.bakend(bak, folder / "large", environ=screens.ADMIN)
    with ours.running():
        _say(f"making {project.MANY:,} records")
        project.fill_many(folder / "large")
    with ours.running() as server, browser(folder / "profile") as window:
        _say("looking at them in Chromium")
        seen = screens.measure(window, server, rounds=rounds, seconds=seconds, live_s=live_s)
        machine = {**_machine(folder), "browser": window.version}
    return ScreenReport(machine, seen)


def _cases(hello: Server, full: Server, normal: Server, some_id: str, token: str) -> list[Case]:
    health = Request("GET", "/health")
    create = Request("POST", "/api/notes", project.NEW_RECORD)
    return [
        Case("Flask hello", hello, health),
        Case("GET /health", full, health),
        Case("GET one record", full, Request("GET", f"/api/items/{some_id}")),
        Case("the same, signed in", full, Request("GET", f"/api/items/{some_id}", token=token)),
        Case("GET 50 of 1,000", full, Request("GET", "/api/items?limit=50")),
        Case("POST, sync full", full, create),
        Case("POST, sync normal", normal, create),
        Case("/health, 1,000 idle", full, health, idle=IDLE),
    ]


def _machine(folder: Path) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()}-{platform.machine()}",
        "cores": os.cpu_count(),
        "fsync_ms": round(_fsync_ms(folder), 2),
    }


def _fsync_ms(folder: Path) -> float:
    """Return what the disk takes to keep a page: it decides what `synchronous` full costs."""
    times = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(50):
            file.write(bytes(4_096))
            file.flush()
            began_at = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began_at)
    return 1_000 * statistics.median(times)


def _allow_descriptors(count: int) -> None:
    """Raise the limit of open files; the servers inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _say(text: str) -> None:
    print(f"… {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
