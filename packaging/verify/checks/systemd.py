"""A service of systemd, on a host that systemd has booted and that has no Python."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from verify.catalog import full, quick
from verify.checks.bare import use
from verify.hosts.database import count_notes
from verify.hosts.debian import tool
from verify.hosts.guides import shell_blocks
from verify.hosts.http import ask, want
from verify.hosts.load import load
from verify.hosts.server import NOTES, define, wait_until
from verify.hosts.service import (
    PROJECT,
    UNITS,
    Service,
    environment_without_pager,
    exposure,
    guide,
)
from verify.lab import Lab
from verify.outcome import Failed, expect

EXPOSED_MOST: Final = 1.5
STOP_MOST_S: Final = 60.0
"""TimeoutStopSec= of the unit."""

RESTARTS: Final = 3
WATCHDOG: Final = "WatchdogSec=4\nTimeoutAbortSec=4\nRestartSec=100ms"


@quick
def unit_is_hardened(lab: Lab) -> str:
    """The unit that it prints is exposed by no more than 1.5, as systemd-analyze counts."""
    analyze = tool("systemd-analyze", "systemd")
    with lab.here() as host, tempfile.TemporaryDirectory() as folder:
        unit = Path(folder, "bakend.service")
        unit.write_text(host.must(host.inside(host.bak), "systemd", "print-unit"))
        done = subprocess.run(
            [analyze, "security", "--offline=true", str(unit)],
            capture_output=True,
            text=True,
            check=False,
            env=environment_without_pager(),
        )
    found = exposure(done.stdout + done.stderr)
    expect(found <= EXPOSED_MOST, f"exposure {found}")
    return f"exposure {found}"


@contextlib.contextmanager
def _installed(lab: Lab) -> Iterator[Service]:
    """Yield a service that was installed as the guide says, and serves."""
    with lab.booted() as host:
        service = Service(host)
        service.install()
        service.wait_well()
        yield service


@full
def by_the_guide(lab: Lab) -> str:
    """The guide's commands on a bare server: active, /health and /_/ answer, records, as user bakend."""
    with lab.booted() as host:
        version = host.must(host.bak, "version").strip()
        service = Service(host)
        took_s = service.install()
        # READY=1 is true: no waiting here.
        answer = ask(service.port, "GET", "/health")
        expect(answer.status == 200, f"/health: {answer.status} when it was said to be ready")
        want(service.port, "GET", "/_/", 200)
        use(service.port, version)
        expect(service.show("StatusText") == f"Serving on port {service.port}", "no status")
        user = service.shell(f"stat -c %U /proc/{service.pid}")
        expect(user.strip() == "bakend", f"it runs as {user}")
        scripts = (*guide("## Day to day"), *guide("## Changing the unit"))
        for script in (*scripts, *shell_blocks("security.md")):
            service.shell(script)
        service.wait_well()
        expect(service.show("WatchdogUSec") == "5min", "the drop-in of the guide changed nothing")
        owners = set(service.shell(f"find {PROJECT} -printf '%u\\n'").split())
        expect(owners == {"bakend"}, f"files in the project belong to {owners}")
        found = exposure(host.must("/usr/bin/systemd-analyze", "security", "--no-pager", "bakend"))
        expect(found <= EXPOSED_MOST, f"exposure {found}")
    return f"active after {took_s:.2f} s, exposure {found}; every command of the guide"


@full
def older(lab: Lab) -> str:
    """On a Debian 11, whose systemd is 247, the same unit: it serves, hardened, with its credential."""
    with lab.booted("bullseye") as host:
        version = host.must("/usr/bin/systemctl", "--version").split()[1]
        service = Service(host)
        service.install()
        service.wait_well()
        environ = service.shell(f"tr '\\0' '\\n' < /proc/{service.pid}/environ")
        expect("CREDENTIALS_DIRECTORY=" in environ, "it was given no credential")
        ignored = service.shell(
            "journalctl --no-pager | grep -c 'bakend.service:.*Unknown' || true"
        )
        expect(ignored.strip() == "0", f"{ignored.strip()} lines of the unit are unknown")
    return f"systemd {version}"


@full
def an_empty_folder(lab: Lab) -> str:
    """With nothing in /opt/bakend it makes the project, closed to others, and uses its credential."""
    with lab.booted() as host:
        service = Service(host)
        service.install(project=False)
        modes = service.shell(f"stat -c '%a %U %n' {PROJECT}/bakend.json {PROJECT}/bakend.db")
        for line in modes.splitlines():
            expect(line.startswith("600 bakend "), f"modes: {line}")
        environ = service.shell(f"tr '\\0' '\\n' < /proc/{service.pid}/environ")
        expect("CREDENTIALS_DIRECTORY=" in environ, "it was given no credential")
    return "made, mode 600"


@full
def restart_under_load(lab: Lab) -> str:
    """With the socket unit, restarts under load refuse no connection and lose no request."""
    with lab.booted() as host:
        service = Service(host)
        service.install()
        (script,) = guide("## Restarts that refuse nobody")
        service.shell(script.replace("8080", f"127.0.0.1:{service.port}"))
        service.wait_well()
        with load(service.port) as clients:
            took = []
            for _ in range(RESTARTS):
                clients.wait_for(100)
                before, began = service.pid, time.monotonic()
                service.systemctl("restart", "bakend.service")
                took.append(time.monotonic() - began)
                expect(service.pid != before, "it was not restarted")
            clients.wait_for(100)
        expect(not clients.bad, f"{len(clients.bad)} requests failed: {clients.bad[:2]}")
        service.systemctl("stop", "bakend.socket", "bakend.service")
        stored = count_notes(host, PROJECT)
        expect(stored == clients.created, f"{clients.created} acknowledged, {stored} stored")
    return (
        f"{len(clients.tries)} requests over {RESTARTS} restarts, none failed, {stored} records;"
        f" a restart took {max(took):.2f} s at most"
    )


@full
def restart_without_the_socket(lab: Lab) -> str:
    """Without it a restart loses no request that had begun; for how long it refuses is told."""
    with _installed(lab) as service, load(service.port) as clients:
        clients.wait_for(100)
        service.systemctl("restart", "bakend")
        clients.wait_for(100)
    refused = [one.began for one in clients.bad if one.problem == "ConnectionRefusedError"]
    lost = [one for one in clients.bad if one.began not in refused]
    # A connection that was made just before the port closed is reset, not lost: nothing was read of it.
    expect(all(one.status is None for one in lost), f"wrong answers: {lost[:2]}")
    gap_s = max(refused) - min(refused) if refused else 0.0
    return (
        f"{len(refused)} of {len(clients.tries)} tries refused, over {gap_s:.2f} s; {len(lost)} cut"
    )


@full
def watchdog(lab: Lab) -> str:
    """A server that hangs (SIGSTOP) is ended by the watchdog and started again; one that works is not."""
    with _installed(lab) as service:
        service.drop_in(WATCHDOG)
        service.systemctl("restart", "bakend")
        service.wait_well()
        before = service.pid
        with load(service.port) as clients:
            began = time.monotonic()
            wait_until(lambda: time.monotonic() - began > 9, 60, "time for two watchdogs")
        expect(service.pid == before, "it was restarted although it answers")
        expect(not clients.bad, f"{len(clients.bad)} requests failed: {clients.bad[:2]}")
        service.shell(f"kill -STOP {before}")
        stopped = time.monotonic()
        wait_until(lambda: service.show("NRestarts") == "1", 60, "a restart")
        service.wait_well()
        took_s = time.monotonic() - stopped
        expect(service.pid != before, "it is the same process")
        threads = service.shell("journalctl --unit=bakend --no-pager | grep -c 'Thread 0x'")
    return (
        f"answers {took_s:.1f} s after it was stopped, with a watchdog of 4 s;"
        f" {threads.strip()} threads told"
    )


@full
def what_only_a_person_can_mend(lab: Lab) -> str:
    """Wrong settings (78) and a folder it may not write (73) end it once; a kill starts it again."""
    with _installed(lab) as service:
        service.drop_in("RestartSec=100ms")
        service.shell(f"kill -KILL {service.pid}")
        wait_until(lambda: service.show("NRestarts") == "1", 30, "a restart after a kill")
        service.wait_well()
        service.settle({"port": "http"})
        seen = [_end_of_a_start(service, "78")]
        service.settle({"port": service.port, "storage": "/var/lib/elsewhere"})
        seen.append(_end_of_a_start(service, "73"))
    return f"exit codes {', '.join(seen)}: failed, not started again"


def _end_of_a_start(service: Service, code: str) -> str:
    done = service.host.run("/usr/bin/systemctl", "restart", "bakend")
    expect(done.returncode != 0, "systemctl says that it was started")
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began > 2, 30, "time for many restarts")
    state = service.show("ActiveState"), service.show("ExecMainStatus"), service.show("NRestarts")
    expect(state == ("failed", code, "0"), f"{state}: {service.journal()}")
    return code


@full
def stop(lab: Lab) -> str:
    """`systemctl stop` under load ends it within its time, cleanly, and the database is whole."""
    with _installed(lab) as service:
        with load(service.port) as clients:
            clients.wait_for(100)
            began = time.monotonic()
            service.systemctl("stop", "bakend")
            took_s = time.monotonic() - began
        result, code = service.show("Result"), service.show("ExecMainStatus")
        expect((result, code) == ("success", "0"), f"{result}, exit code {code}")
        expect(took_s < STOP_MOST_S, f"it took {took_s:.1f} s")
        stored = count_notes(service.host, PROJECT)
        expect(stored == clients.created, f"{clients.created} acknowledged, {stored} stored")
    return f"after {took_s:.2f} s, {stored} records"


@full
def restore_by_http(lab: Lab) -> str:
    """A restore that an administrator asks for is no end to systemd: same process, old records, no kill."""
    admin = {"email": "ada@example.com", "password": "correct horse battery"}
    with _installed(lab) as service:
        (script,) = guide("## Restarts that refuse nobody")
        service.drop_in(
            f"{WATCHDOG}\nEnvironment=BAKEND_ADMIN_EMAIL={admin['email']}\n"
            f'Environment="BAKEND_ADMIN_PASSWORD={admin["password"]}"'
        )
        service.shell(script.replace("8080", f"127.0.0.1:{service.port}"))
        service.systemctl("restart", "bakend")
        service.wait_well()
        before = service.pid
        want(service.port, "POST", "/api/notes", 201, {"text": "before"})
        token = want(service.port, "POST", "/api/auth/login", 200, admin).json["token"]
        headers = {"Authorization": f"Bearer {token}"}

        def backups() -> Any:
            return ask(service.port, "GET", "/api/admin/backups", headers=headers).json

        name = ask(service.port, "POST", "/api/admin/backups", headers=headers).json["name"]
        wait_until(lambda: backups()["running"] is None, 60, "the backup")
        for number in range(RESTARTS):
            want(service.port, "POST", "/api/notes", 201, {"text": f"after {number}"})
            path = f"/api/admin/backups/{name}/restore"
            answer = ask(service.port, "POST", path, headers=headers)
            expect(answer.status == 202, f"{answer.status}: {answer.body[:200]!r}")
            # The session is in the backup; who asks meanwhile waits in the queue of the socket.
            wait_until(lambda: backups()["restore"] is not None, 60, "the server is back")
            outcome = backups()["restore"]
            expect(outcome["ok"], f"{outcome}")
            notes = want(service.port, "GET", "/api/notes", 200).json["items"]
            expect([each["text"] for each in notes] == ["before"], f"{notes}")
        began = time.monotonic()
        wait_until(lambda: time.monotonic() - began > 9, 60, "time for two watchdogs")
        seen = service.pid, service.show("NRestarts"), service.show("ActiveState")
        expect(seen == (before, "0", "active"), f"{seen}: {service.journal()}")
        expect(service.show("StatusText").startswith("Serving on"), service.show("StatusText"))
        service.systemctl("stop", "bakend.socket", "bakend.service")
        expect(service.show("Result") == "success", service.show("Result"))
    return f"{RESTARTS} restores in process {before}, with a watchdog of 4 s"


@full
def a_project_in_a_home(lab: Lab) -> str:
    """A unit for a project below /home sees that project, and nothing else there."""
    with lab.booted() as host:
        service = Service(host)
        service.shell(guide("## Install")[0])
        folder = "/home/anna/shop"
        service.shell(f"install -d -o bakend -g bakend {folder} && echo secret > /home/anna/diary")
        place = host.at(folder)
        (place / "bakend.json").write_text(f'{{"port": {service.port}, "host": "127.0.0.1"}}')
        define(place, NOTES)
        unit = host.must(host.bak, "systemd", "print-unit", "--config", f"{folder}/bakend.json")
        host.at(f"{UNITS}/bakend.service").write_text(unit)
        service.systemctl("daemon-reload")
        service.systemctl("start", "bakend")
        service.wait_well()
        want(service.port, "POST", "/api/notes", 201, {"text": "at home"})
        seen = os.listdir(f"/proc/{_outer(service)}/root/home/anna")  # noqa: PTH208  one name
    expect(seen == ["shop"], f"it sees {seen} in /home/anna")
    return "it sees its folder alone"


def _outer(service: Service) -> int:
    """Return the process that serves as this machine numbers it."""
    wanted = str(service.pid)
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            lines = status.read_text().splitlines()
            numbers = next(line for line in lines if line.startswith("NSpid:")).split()[1:]
            if len(numbers) > 1 and numbers[-1] == wanted and "bak" in lines[0]:
                return int(numbers[0])
    raise Failed("the process is not there")
