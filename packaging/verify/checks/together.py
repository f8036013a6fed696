"""Several servers on one project, started in the same moment."""

from __future__ import annotations

import contextlib
from typing import Final

from verify.catalog import quick
from verify.hosts.database import count_notes
from verify.hosts.host import Host
from verify.hosts.http import want
from verify.hosts.server import NOTES, Server, define, make_project, started
from verify.lab import Lab
from verify.outcome import expect

SERVERS: Final = 8
PROJECT: Final = "/srv/app"


@quick
def eight_starts(lab: Lab) -> str:
    """Eight `bak start` at once make one database of a fresh project, and all of them serve it."""
    with lab.here() as host:
        make_project(host, PROJECT)
        return _all_serve(host)


@quick
def eight_starts_in_empty_folder(lab: Lab) -> str:
    """Eight `bak start` at once in an empty folder make one project of it, and all of them serve it."""
    with lab.here() as host:
        host.at(PROJECT).mkdir()
        return _all_serve(host)


def _all_serve(host: Host) -> str:
    is_fresh = not (host.at(PROJECT) / "bakend.json").exists()
    config = host.inside(f"{PROJECT}/bakend.json")
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(started(host, config)) for _ in range(SERVERS)]
        for server in servers:
            server.wait_well()
        if is_fresh:  # the collection comes when the project is there
            define(host.at(PROJECT), NOTES)
            host.must(host.inside(host.bak), "migrate", "apply", "--config", config)
        _see_each_other(servers)
        for server in servers:
            server.stop()
    stored = count_notes(host, PROJECT)
    expect(stored == SERVERS, f"{SERVERS} records created, {stored} stored")
    return f"{_one_secret(host)}; {stored} records, database whole"


def _see_each_other(servers: list[Server]) -> None:
    """What one creates, all others list."""
    for server in servers:
        want(server.port, "POST", "/api/notes", 201, {"text": f"by port {server.port}"})
    for server in servers:
        listed = want(server.port, "GET", "/api/notes?count=true", 200).json["total"]
        expect(listed == len(servers), f"port {server.port} lists {listed} of {len(servers)}")


def _one_secret(host: Host) -> str:
    """Prove that there is one secret, for its owner alone, and nothing half-made beside it."""
    secret = host.at(PROJECT) / ".bakend" / "jwt_secret"
    expect(secret.is_file(), "no secret was made")
    expect(len(secret.read_text().strip()) >= 32, "the secret is too short")
    mode = secret.stat().st_mode & 0o777
    expect(mode == 0o600, f"the secret has the mode {mode:o}")
    others = [path.name for path in secret.parent.glob("*jwt_secret*") if path != secret]
    expect(not others, f"left beside the secret: {others}")
    return "one secret"
