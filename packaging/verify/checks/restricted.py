"""Hosts that allow little: what hardened services and containers get."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from verify.catalog import quick
from verify.checks.bare import use
from verify.hosts.host import Host
from verify.hosts.server import NOTES, Server, define, make_project, started
from verify.lab import Lab
from verify.outcome import Failed, expect

NOBODY: Final = 12345
"""A user id that no passwd has."""

# The file and the libraries of C come from mounts of their own; nothing else may execute, or be written.
READ_ONLY: Final = """
mount --bind opt/bin opt/bin
mount --bind usr/lib usr/lib
mount -t tmpfs -o mode=755,noexec,nosuid,nodev project srv
mount -o remount,bind,ro opt/bin
mount -o remount,bind,ro usr/lib
mount -o remount,noexec dev
mount -o remount,bind,ro,noexec,nosuid "$0"
"""


@quick
def read_only_noexec(lab: Lab) -> str:
    """A read-only root, noexec everywhere but for the file and libc, one writable project: it serves."""
    with lab.bare() as host:
        version = host.must(host.inside(host.bak), "version").strip()
        host.mount(READ_ONLY)
        _require_read_only(host)
        config = make_project(host, "/srv/app")
        with started(host, config) as server:
            server.wait_well()
            use(server.port, version)
            server.stop()
    return "serves"


def _require_read_only(host: Host) -> None:
    """Prove that the host is what we say it is."""
    for place in ("/", "/tmp", "/root", "/opt/bin", "/var/tmp"):  # noqa: S108 - those of the host
        try:
            (host.at(place) / "written").write_text("")
        except OSError:
            continue
        raise Failed(f"the host is not read-only: {place} can be written")
    for program in ("/bin/true", "/usr/bin/env"):
        code = host.run(program).returncode
        expect(code == 126, f"the host is not noexec: {program} ended with {code}")


@quick
def empty_environment(lab: Lab) -> str:
    """With no variable at all, HOME and PATH included, it serves."""
    with lab.bare() as host:
        version = host.must(host.inside(host.bak), "version", environ={}).strip()
        config = make_project(host, "/srv/app")
        with started(host, config, environ={}) as server:
            server.wait_well()
            environ = Path(f"/proc/{server.server_pid}/environ").read_bytes()
            expect(not environ, f"the environment is not empty: {environ[:80]!r}")
            use(server.port, version)
            server.stop()
    return "serves"


@quick
def unknown_user(lab: Lab) -> str:
    """As user 12345, whom passwd does not know, without HOME, it makes a project and serves it."""
    with lab.bare() as host:
        home = host.at("/srv/home")
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        passwd = host.at("/etc/passwd").read_text()
        expect(f":{NOBODY}:" not in passwd, "the user is known")
        entering = (f"--userspec={NOBODY}:{NOBODY}", "--groups=")
        folder = "/srv/home/app"
        bak = host.inside(host.bak)
        version = host.must(bak, "version", environ={}, chroot=entering).strip()
        host.must(bak, "init", folder, environ={}, chroot=entering)
        define(host.at(folder), NOTES)
        with started(host, f"{folder}/bakend.json", environ={}, chroot=entering) as server:
            server.wait_well()
            _expect_status(server, "Uid", "\t".join([str(NOBODY)] * 4))
            use(server.port, version)
            server.stop()
    return "serves"


@quick
def no_capabilities(lab: Lab) -> str:
    """As root without any capability, and without a way to get one, it serves."""
    with lab.bare() as host:
        version = host.must(host.inside(host.bak), "version").strip()
        config = make_project(host, "/srv/app")
        dropped = (
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--ambient-caps=-all",
            "--no-new-privs",
        )
        with started(host, config, words=("/usr/bin/setpriv", *dropped)) as server:
            server.wait_well()
            for kind in ("CapEff", "CapPrm", "CapBnd"):
                _expect_status(server, kind, "0" * 16)
            use(server.port, version)
            server.stop()
    return "serves"


@quick
def without_proc(lab: Lab) -> str:
    """Where /proc is not mounted, it serves."""
    with lab.bare(has_proc=False) as host:
        expect(not any(host.at("/proc").iterdir()), "/proc is not empty")
        version = host.must(host.inside(host.bak), "version").strip()
        config = make_project(host, "/srv/app")
        with started(host, config) as server:
            server.wait_well()
            use(server.port, version)
            server.stop()
    return "serves"


def _expect_status(server: Server, name: str, wanted: str) -> None:
    """Prove what the kernel says of the process that serves."""
    for line in Path(f"/proc/{server.server_pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key == name:
            expect(value.strip() == wanted, f"the host is not as we say: {name} is {value.strip()}")
            return
    raise Failed(f"the kernel tells no {name}")
