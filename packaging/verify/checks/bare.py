"""A server that has no Python: the whole life of a project, and what it leaves behind."""

from __future__ import annotations

from verify.catalog import quick
from verify.hosts import roots
from verify.hosts.host import Host
from verify.hosts.http import want
from verify.hosts.server import make_project, started
from verify.hosts.snapshot import differences, snapshot
from verify.lab import Lab
from verify.outcome import expect

PROJECT = "/srv/app"


@quick
def bookworm(lab: Lab) -> str:
    """On a Debian 12 without Python: init, start, records over HTTP, SIGTERM; nothing left outside."""
    with lab.bare() as host:
        return whole_life(host)


def whole_life(host: Host) -> str:
    """Prove everything that a first user does, and that only the project's folder was written."""
    found = list(roots.pythons(host.root))
    expect(not found, f"this host is not bare: {found[:3]}")
    before = snapshot(host, but=PROJECT)

    bak = host.inside(host.bak)
    version = host.must(bak, "version").strip()
    expect("python" in host.must(bak, "version", "--verbose"), "--verbose tells no Python")
    config = make_project(host, PROJECT)
    with started(host, config) as server:
        server.wait_well()
        use(server.port, version)
        server.stop()

    # The folder that the project came into was changed by it.
    ours = {f"{PROJECT.rpartition('/')[0]} changed"}
    written = [
        line for line in differences(before, snapshot(host, but=PROJECT)) if line not in ours
    ]
    expect(not written, f"outside the project: {'; '.join(written[:8])}")
    return f"version {version}; {len(before):,} paths outside as before"


def use(port: int, version: str) -> None:
    """Ask for everything a first user sees."""
    health = want(port, "GET", "/health", 200).json
    expect(health == {"status": "ok", "version": version}, f"/health says {health}")
    page = want(port, "GET", "/_/", 200)
    expect(page.type == "text/html; charset=utf-8", f"/_/ has the type {page.type}")
    expect(b"<html" in page.body, f"/_/ is no page: {page.body[:80]!r}")

    note = {"text": "Grüße", "color": "#ff8f00"}
    record = want(port, "POST", "/api/notes", 201, note).json
    expect(record["text"] == note["text"], f"created {record}")
    want(port, "POST", "/api/notes", 400, {"text": "no color", "color": "red"})
    listed = want(port, "GET", "/api/notes?count=true", 200).json
    expect(listed == {"items": [record], "total": 1}, f"listed {listed}")
    want(port, "DELETE", f"/api/notes/{record['id']}", 204)
    want(port, "GET", f"/api/notes/{record['id']}", 404)
