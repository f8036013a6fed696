"""The build for arm64, on another processor that acts as one."""

from __future__ import annotations

import platform
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from verify.catalog import full
from verify.checks.bare import use
from verify.hosts import roots
from verify.hosts.debian import tool
from verify.hosts.host import Host, here
from verify.hosts.server import NOTES, define, started
from verify.lab import Lab
from verify.outcome import NotRun

MACHINE: Final = "aarch64"


@full
def under_qemu(lab: Lab) -> str:
    """`bak start` for arm64 answers under qemu, with Debian's libc."""
    if platform.machine() == MACHINE:
        raise NotRun("this machine is an arm64: all other checks run that build itself")
    with _host(lab) as host:
        qemu = tool("qemu-aarch64-static", "qemu-user-static")
        libc = roots.foreign("bookworm", "arm64", lab.cache)
        emulated = (qemu, "-L", str(libc))
        bak = host.inside(host.bak)
        version = host.must(*emulated, bak, "version").strip()
        target = host.must(*emulated, bak, "version", "--verbose")
        host.must(*emulated, bak, "init", host.inside("/srv/app"))
        define(host.at("/srv/app"), NOTES)
        config = host.inside("/srv/app/bakend.json")
        with started(host, config, words=emulated) as server:
            server.wait_well()
            use(server.port, version)
            server.stop()
    return f"version {version}; {' '.join(target.split())}"


@contextmanager
def _host(lab: Lab) -> Iterator[Host]:
    """Yield this machine with the file for arm64: the one given, or that in the tarball beside it."""
    with here() as host:
        if lab.machine == MACHINE:
            host.install(lab.bak)
        else:
            host.install(_unpacked(lab, host.at("/unpacked")))
        yield host


def _unpacked(lab: Lab, place: Path) -> Path:
    found = sorted(lab.dist.glob("bakend-v*-linux-arm64.tar.gz"))
    if not found:
        raise NotRun(f"{lab.dist} has no tarball for linux-arm64")
    with tarfile.open(found[-1]) as archive:
        inside = archive.extractfile("bak")
        assert inside is not None
        with place.open("wb") as out:
            shutil.copyfileobj(inside, out)
    return place
