"""Older systems: what the low floor is for."""

from __future__ import annotations

from verify.catalog import full
from verify.checks.bare import whole_life
from verify.lab import Lab
from verify.outcome import Failed


@full
def bullseye(lab: Lab) -> str:
    """On a Debian 11 without Python (glibc 2.31): init, start, records, SIGTERM."""
    with lab.bare("bullseye") as host:
        libc = host.must("/usr/bin/ldd", "--version").splitlines()[0].rsplit(maxsplit=1)[-1]
        done = host.run(host.inside(host.bak), "version")
        if "GLIBC_" in done.stderr:
            floor = lab.about["glibc"]
            raise Failed(
                f"it needs glibc {floor}, this has {libc}; releases need no more than 2.28"
            )
        return f"glibc {libc}; {whole_life(host)}"
