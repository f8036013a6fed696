"""`bak upgrade` under systemd, to versions that work and to versions that do not."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from verify.catalog import full
from verify.checks.install import empty_host, install, published
from verify.hosts.database import count_notes
from verify.hosts.host import Host
from verify.hosts.http import want
from verify.hosts.load import Load, load
from verify.hosts.releases import Releases
from verify.hosts.server import NOTES, define
from verify.hosts.service import PROJECT, Service
from verify.hosts.variants import variant
from verify.lab import Lab
from verify.outcome import expect

NEXT: Final = "9.9.9"
LONG_S: Final = 25
BACK_MOST_S: Final = 60.0

# The next version: one step of the schema more. What else it does, a file says.
MIGRATION: Final = f"""
def _fault():
    from pathlib import Path
    file = Path("{PROJECT}/fault")
    return file.read_text().strip() if file.exists() else ""

def _version_next(tx, report):
    import time
    tx.execute("CREATE TABLE _next (id INTEGER)")
    if _fault() == "migration":
        raise RuntimeError("a fault of the test")
    if _fault() == "long":
        time.sleep({LONG_S})

STEPS = {{**STEPS, NEWEST + 1: _version_next}}
NEWEST = max(STEPS)
"""
SERVICE: Final = """
import time as _time
from bakend.database.migrations import _fault
_init, _listen = Service.__init__, Service.listen

def _faulty_init(self, *words):
    if _fault() == "exit":
        raise SystemExit(1)
    if _fault() == "hang":
        _time.sleep(10_000)
    _init(self, *words)

def _faulty_listen(self, *words, **more):
    if _fault() == "migrated":
        raise SystemExit(1)
    if _fault() == "migrated, hang":
        _time.sleep(10_000)
    return _listen(self, *words, **more)

Service.__init__, Service.listen = _faulty_init, _faulty_listen
"""


@dataclass(frozen=True)
class Upgraded:
    """A host with the file as a service, and a next version on a web server."""

    host: Host
    service: Service
    releases: Releases
    old: str

    def upgrade(self, *words: str, fault: str = "") -> tuple[int, str, Any, float]:
        """Run `bak upgrade`; return exit code, what it said, its result and the seconds it took."""
        file = self.host.at(f"{PROJECT}/fault")
        file.write_text(fault)
        began = time.monotonic()
        done = self.host.run(
            *(self.host.bak, "upgrade", "--json", *self.releases.words, *words),
            environ={**self.host.environ, "BAKEND_INSTALL_URL": self.releases.url},
            timeout_s=300,
        )
        took_s = time.monotonic() - began
        result = json.loads(done.stdout) if done.returncode == 0 and done.stdout else None
        return done.returncode, done.stderr, result, took_s

    @property
    def serving(self) -> str:
        """The version that answers."""
        return str(want(self.service.port, "GET", "/health", 200).json["version"])

    def files(self) -> str:
        """The versions of the executable and of the one kept beside it."""
        return self.service.shell(
            "bak version; /usr/local/bin/bak.prev version 2>/dev/null || true"
        )


@contextmanager
def _service(lab: Lab, *, socket: bool) -> Iterator[Upgraded]:
    with published(lab) as found, empty_host(lab) as host, tempfile.TemporaryDirectory() as folder:
        service = Service(host)
        variables = {}
        if socket:
            variables = {
                "BAKEND_INSTALL_SOCKET": "1",
                "BAKEND_INSTALL_LISTEN": f"127.0.0.1:{service.port}",
            }
        install(host, found, service, **variables)
        define(host.at(PROJECT), NOTES)
        service.shell(f"chown -R bakend:bakend {PROJECT}/collections")
        service.systemctl("restart", "bakend.service")
        service.wait_well()
        new = Path(folder, "bak")
        lines = {"bakend/database/migrations.py": MIGRATION, "bakend/cli/service.py": SERVICE}
        schema = lab.about["schemaVersion"] + 1
        variant(lab.bak, new, NEXT, lines, schema=schema)
        found.publish(new, NEXT)
        yield Upgraded(host, service, found, lab.about["version"])


def _expect_nothing_lost(upgraded: Upgraded, clients: Load) -> int:
    # The socket first, if there is one: it would start the service again.
    upgraded.service.shell("systemctl stop bakend.socket 2>/dev/null || true")
    upgraded.service.systemctl("stop", "bakend.service")
    stored = count_notes(upgraded.host, PROJECT)
    expect(stored == clients.created, f"{clients.created} acknowledged, {stored} stored")
    owners = set(upgraded.service.shell(f"find {PROJECT} ! -name fault -printf '%u\\n'").split())
    expect(owners == {"bakend"}, f"files in the project belong to {owners}")
    return stored


@full
def with_the_socket(lab: Lab) -> str:
    """With the socket unit: the new version serves, data is kept, no request is refused or lost."""
    with _service(lab, socket=True) as upgraded:
        checked = upgraded.upgrade("--check")
        expect(checked[0] == 10, f"--check: exit code {checked[0]}: {checked[1]}")
        with load(upgraded.service.port) as clients:
            clients.wait_for(100)
            code, said, result, took_s = upgraded.upgrade()
            clients.wait_for(100)
        expect(code == 0, f"exit code {code}: {said}")
        expect(upgraded.serving == NEXT, f"version {upgraded.serving} serves")
        expect(upgraded.files().split() == [NEXT, upgraded.old], f"files: {upgraded.files()}")
        expect(not clients.bad, f"{len(clients.bad)} requests failed: {clients.bad[:2]}")
        again = upgraded.upgrade("--check")[0]
        expect(again == 0, f"--check after it: exit code {again}")
        back, told, *_ = upgraded.upgrade("--rollback")
        expect(back == 65, f"--rollback to an older schema: exit code {back}: {told}")
        expect(upgraded.serving == NEXT, "the refused rollback changed something")
        stored = _expect_nothing_lost(upgraded, clients)
    return (
        f"{took_s:.1f} s in all, served {result['servedAfter']:.2f} s after the restart;"
        f" {len(clients.tries)} requests, none failed, {stored} records"
    )


@full
def without_the_socket(lab: Lab) -> str:
    """Without it data is kept, too; for how long clients are refused is told. And back again."""
    with _service(lab, socket=False) as upgraded:
        # The same schema: a version that can be rolled back to.
        with tempfile.TemporaryDirectory() as folder:
            variant(lab.bak, Path(folder, "bak"), NEXT, {}, schema=lab.about["schemaVersion"])
            upgraded.releases.publish(Path(folder, "bak"), NEXT)
        with load(upgraded.service.port) as clients:
            clients.wait_for(100)
            code, said, *_ = upgraded.upgrade()
            clients.wait_for(100)
        expect(code == 0 and upgraded.serving == NEXT, f"exit code {code}: {said}")
        refused = [one.began for one in clients.bad if one.problem == "ConnectionRefusedError"]
        wrong = [one for one in clients.bad if one.status is not None]
        expect(not wrong, f"wrong answers: {wrong[:2]}")
        gap_s = max(refused) - min(refused) if refused else 0.0
        back, told, *_ = upgraded.upgrade("--rollback")
        expect(back == 0 and upgraded.serving == upgraded.old, f"--rollback: {back}: {told}")
        expect(upgraded.files().split() == [upgraded.old, NEXT], f"files: {upgraded.files()}")
        _expect_nothing_lost(upgraded, clients)
    return f"refused for {gap_s:.2f} s; rolled back to {upgraded.old}"


@full
def versions_that_do_not_work(lab: Lab) -> str:
    """One that exits, hangs, fails in its migration, or after it: the old one is back, data intact."""
    seen = []
    faults = ("exit", "hang", "migration", "migrated", "migrated, hang")
    with _service(lab, socket=True) as upgraded:
        with load(upgraded.service.port) as clients:
            for fault in faults:
                clients.wait_for(50)
                code, said, _, took_s = upgraded.upgrade(fault=fault)
                expect(code == 7, f"{fault}: exit code {code}: {said}")
                expect(upgraded.serving == upgraded.old, f"{fault}: {upgraded.serving} serves")
                files = upgraded.files().split()
                expect(files[0] == upgraded.old, f"{fault}: the new file is there")
                expect(took_s < BACK_MOST_S, f"{fault}: it took {took_s:.0f} s")
                found = re.search(r"serves again, ([\d.]+) s", said)
                expect(found, f"{fault}: it says no time: {said}")
                seen.append(f"{fault} {found[1] if found else '?'} s")
                clients.wait_for(50)
        expect(not clients.bad, f"{len(clients.bad)} requests failed: {clients.bad[:2]}")
        stored = _expect_nothing_lost(upgraded, clients)
    return f"{', '.join(seen)}; {len(clients.tries)} requests, none failed, {stored} records"


@full
def a_long_migration(lab: Lab) -> str:
    """A migration that takes longer than the patience with a version is waited for."""
    with _service(lab, socket=True) as upgraded:
        code, said, result, _ = upgraded.upgrade(fault="long")
        expect(code == 0, f"exit code {code}: {said}")
        expect(upgraded.serving == NEXT, f"{upgraded.serving} serves")
        expect(result["servedAfter"] > LONG_S, f"served after {result['servedAfter']:.1f} s")
    return (
        f"served {result['servedAfter']:.1f} s after the restart, {LONG_S} s of it in its migration"
    )
