"""The end of a server: every request that has begun is answered, whatever the process is."""

from __future__ import annotations

import os
import signal
import time

from verify.catalog import quick
from verify.hosts.database import count_notes
from verify.hosts.http import want
from verify.hosts.load import load
from verify.hosts.server import STOP_S, make_project, started
from verify.lab import Lab
from verify.outcome import Failed, expect

PROJECT = "/srv/app"


@quick
def under_load(lab: Lab) -> str:
    """SIGTERM under load loses no request that had begun, and no record that was acknowledged."""
    with lab.here() as host:
        config = make_project(host, PROJECT)
        with started(host, config) as server:
            server.wait_well()
            with load(server.port) as clients:
                clients.wait_for(200)
                told = time.monotonic()
                server.stop()
                took = time.monotonic() - told
        early = [one for one in clients.bad if one.began < told]
        expect(not early, f"{len(early)} requests lost, the first: {early[:1]}")
        # A client may have come too late; an answer that is wrong is another thing.
        wrong = [one for one in clients.bad if one.status not in (None, 503)]
        expect(not wrong, f"wrong answers: {wrong[:3]}")
        stored = count_notes(host, PROJECT)
        expect(stored == clients.created, f"{clients.created} acknowledged, {stored} stored")
        return f"{len(clients.tries)} requests, {stored} records, ended after {took * 1000:.0f} ms"


@quick
def abort(lab: Lab) -> str:
    """SIGABRT, as of a watchdog, ends it at once, after it has said once where each thread was."""
    with lab.here() as host:
        config = make_project(host, PROJECT)
        with started(host, config) as server:
            server.wait_well()
            os.kill(server.process.pid, signal.SIGABRT)
            code = server.process.wait(STOP_S)
            log = server.log
    expect(code == -signal.SIGABRT, f"exit code {code}")
    times = log.count("Fatal Python error: Aborted")
    expect(times == 1, f"it says {times} times where its threads were")
    threads = log.count("most recent call first")
    expect("in _turn" in log and threads > 8, f"{threads} threads, and not what the loop did")
    return f"{threads} threads told"


@quick
def as_process_1(lab: Lab) -> str:
    """As process 1 of a pid namespace, which has no default for signals, it ends on SIGTERM."""
    with lab.bare() as host:
        config = make_project(host, PROJECT)
        alone = ("/usr/bin/unshare", "--pid", "--fork", "--mount-proc=/proc")
        with started(host, config, words=alone) as server:
            server.wait_well()
            pid = server.server_pid
            namespaced = _namespaced_pid(pid)
            expect(namespaced == "1", f"the host is not as we say: it is process {namespaced}")
            want(server.port, "POST", "/api/notes", 201, {"text": "by process 1"})
            server.stop(pid)
        expect(count_notes(host, PROJECT) == 1, "the record is not there")
    return "exit code 0"


def _namespaced_pid(pid: int) -> str:
    with open(f"/proc/{pid}/status") as lines:  # noqa: PTH123 - one line of the kernel
        for line in lines:
            if line.startswith("NSpid:"):
                return line.split()[-1]
    raise Failed("the kernel tells no NSpid")
