"""Load: 16 connections kept alive, each sending its next request when it has its answer.

By `wrk` where it is installed, else by a generator of our own, which takes more of the machine and
so makes every server look a little slower, the baseline too.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from bench import generator
from bench.servers import HOST, BenchError, Server

CONNECTIONS: Final = 16
LUA: Final = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked, again and again."""

    method: str
    path: str
    content: Mapping[str, Any] | None = None
    token: str = ""
    """Access token of who asks; empty for nobody."""

    @property
    def body(self) -> str | None:
        """The JSON text that is sent."""
        return None if self.content is None else json.dumps(self.content)


@dataclass(frozen=True, slots=True)
class Result:
    """How fast a server answered."""

    count: int
    """Answers in all."""
    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: float = 0.0
    """Processor time of the server for one answer; 0 where the system does not tell.

    Other work on the machine moves it least of all these figures."""


def tool() -> str:
    """Name the load generator."""
    return "wrk" if shutil.which("wrk") else "own generator"


def measure(server: Server, request: Request, *, seconds: int) -> Result:
    """Load a server for some time.

    Raises:
        BenchError: An answer was an error, or none came: such a figure means nothing.
    """
    wrk = shutil.which("wrk")
    before_s = server.cpu_s()
    if wrk is None:
        result = _by_generator(server, request, seconds)
    else:
        result = _by_wrk(wrk, server, request, seconds)
    after_s = server.cpu_s()
    if before_s is None or after_s is None:
        return result
    return replace(result, cpu_us=1e6 * (after_s - before_s) / result.count)


def _by_wrk(wrk: str, server: Server, request: Request, seconds: int) -> Result:
    size = ["--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s"]
    url = f"http://{HOST}:{server.port}{request.path}"
    said = [request.method, request.token, *([] if request.body is None else [request.body])]
    done = subprocess.run(
        [wrk, *size, "--script", str(LUA), url, "--", *said],
        capture_output=True,
        text=True,
        timeout=seconds + 30,
        check=False,
    )
    found = [line[8:] for line in done.stdout.splitlines() if line.startswith("summary ")]
    if not found:
        raise BenchError(f"wrk failed: {done.stdout}{done.stderr}")
    summary = json.loads(found[0])
    if summary["errors"] or not summary["requests"]:
        raise BenchError(f"{server.name}: {request.method} {request.path}: {summary}")
    per_s = summary["requests"] / summary["duration_s"]
    return Result(summary["requests"], per_s, summary["p50_ms"], summary["p99_ms"])


def _by_generator(server: Server, request: Request, seconds: int) -> Result:
    body = request.body or ""
    typed = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    signed = f"Authorization: Bearer {request.token}\r\n" if request.token else ""
    host = f"Host: {HOST}:{server.port}\r\n"
    head = f"{request.method} {request.path} HTTP/1.1\r\n{host}{signed}{typed}\r\n"
    loads = generator.run(
        (HOST, server.port), f"{head}{body}".encode(), connections=CONNECTIONS, seconds=seconds
    )
    times = sorted(time_s for load in loads for time_s in load.times_s)
    if any(load.errors for load in loads) or not times:
        raise BenchError(f"{server.name}: {request.method} {request.path}: errors in the answers")
    per_s = sum(len(load.times_s) / load.duration_s for load in loads)
    p50_ms, p99_ms = (1_000 * times[len(times) * part // 100] for part in (50, 99))
    return Result(len(times), per_s, p50_ms, p99_ms)
