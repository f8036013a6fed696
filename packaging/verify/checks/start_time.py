"""How long a start takes, against the least that Flask and Waitress take on the same interpreter."""

from __future__ import annotations

import http.client
import os
import signal
import statistics
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verify.catalog import full, quick
from verify.hosts.debian import tool
from verify.hosts.host import Host
from verify.hosts.http import ask
from verify.hosts.server import Server, make_project, started
from verify.lab import Lab
from verify.outcome import Failed, NotRun, expect

BOUND: Final = 1.3
PACKAGING: Final = Path(__file__).resolve().parents[2]
HELLO: Final = PACKAGING / "verify" / "hello"


@quick
def reported(lab: Lab) -> str:
    """Start to first answer, and memory after it, in few rounds: told, not judged."""
    ratio, seen = _measure(lab, rounds=5)
    return f"{ratio:.2f} × a bare Flask and Waitress ({seen})"


@full
def bounded(lab: Lab) -> str:
    """Start to first answer takes at most 1.3 times as long as a bare Flask and Waitress."""
    ratio, seen = _measure(lab, rounds=25)
    expect(ratio <= BOUND, f"{ratio:.2f} × a bare Flask and Waitress, more than {BOUND} ({seen})")
    return f"{ratio:.2f} × a bare Flask and Waitress ({seen})"


@dataclass(frozen=True, slots=True)
class Start:
    """One start, up to the first answer."""

    seconds: float
    cpu_s: float
    """Of all threads and both modes; what other processes take from us does not show in it."""
    memory_mb: float


def _measure(lab: Lab, rounds: int) -> tuple[float, str]:
    """Start both in turns; return the ratio of the medians, and the figures."""
    if not Path("/proc/self/stat").exists():
        raise NotRun("what a start takes is read from /proc")
    with lab.here() as host:
        config = make_project(host, "/srv/app")
        files = {"bak": host.inside(host.bak), "bare": _make_hello(lab, host)}
        starts: dict[str, list[Start]] = {name: [] for name in files}
        for number in range(rounds + 1):
            for name, file in files.items():
                start = _start(host, config, file)
                if number:  # the first round reads from disk, and makes the database
                    starts[name].append(start)
    medians = {name: _median(found) for name, found in starts.items()}
    figures = [
        f"{name} {found.seconds * 1000:.0f} ms, {found.cpu_s * 1000:.0f} ms of CPU,"
        f" {found.memory_mb:.1f} MB"
        for name, found in medians.items()
    ]
    ratio = medians["bak"].seconds / medians["bare"].seconds
    of_cpu = medians["bak"].cpu_s / medians["bare"].cpu_s
    return ratio, f"{of_cpu:.2f} × its CPU time; medians of {rounds}: {'; '.join(figures)}"


def _start(host: Host, config: str, file: str) -> Start:
    begin = time.perf_counter()
    with started(host, config, bak=file) as server:
        took = _first_answer(server) - begin
        start = Start(took, _cpu_s(server.process.pid), _memory_mb(server.process.pid))
        os.kill(server.process.pid, signal.SIGTERM)
        server.process.wait()
    return start


def _median(starts: list[Start]) -> Start:
    return Start(
        statistics.median(start.seconds for start in starts),
        statistics.median(start.cpu_s for start in starts),
        statistics.median(start.memory_mb for start in starts),
    )


def _first_answer(server: Server) -> float:
    pause, until = threading.Event(), time.perf_counter() + 60
    while time.perf_counter() < until:
        expect(server.process.poll() is None, f"it ended: {server.tail}")
        try:
            if ask(server.port, "GET", "/health").status == 200:
                return time.perf_counter()
        except (OSError, http.client.HTTPException):
            pause.wait(0.002)  # as little as a start of 200 ms can bear
    raise Failed(f"no answer within 60 s: {server.tail}")


def _cpu_s(pid: int) -> float:
    # Behind the name in brackets: user and system time are fields 14 and 15 of the line.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise Failed("the kernel tells no VmRSS")


def _make_hello(lab: Lab, host: Host) -> str:
    """Put another application behind the same interpreter; return where it is."""
    if lab.machine is None:
        raise NotRun("the second file is made from an ELF file; this is none")
    objcopy = tool("objcopy", "binutils")
    head, hello = host.at("/opt/head"), host.at("/opt/hello")
    host.must(objcopy, "--remove-section=.bakend", str(lab.bak), str(head))
    pieces = (str(HELLO / "make.py"), str(PACKAGING), str(lab.bak), str(head), str(hello))
    host.must(host.inside(host.bak), "-B", *pieces)
    return str(hello)
