"""The network of this machine, for a host: names, certificates, and packages of Debian."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from verify.hosts.host import Host
from verify.outcome import NotRun

INSTALL_S: Final = 600.0
CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"

# How this machine reaches the network is not the file's business: the same ways lead there from the host.
PASSED_ON: Final = ("PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


def connected(host: Host) -> dict[str, str]:
    """Let a host use the network as this machine does; return its environment."""
    shutil.copyfile("/etc/resolv.conf", host.at("/etc/resolv.conf"))
    place = host.at(CERTIFICATES)
    place.parent.mkdir(parents=True, exist_ok=True)
    if Path(CERTIFICATES).exists():
        shutil.copyfile(CERTIFICATES, place)
    return {**host.environ, **passed_on()}


def passed_on() -> dict[str, str]:
    """Return the variables by which this machine reaches the package index."""
    passed = {
        name: value for name, value in os.environ.items() if name.upper().startswith(PASSED_ON)
    }
    # A folder of wheels of this machine is not there.
    passed.pop("PIP_FIND_LINKS", None)
    return passed


def install(host: Host, *packages: str) -> None:
    """Install packages of Debian; none of the services in them is started.

    Raises:
        NotRun: They cannot be had.
    """
    connected(host)
    policy = host.at("/usr/sbin/policy-rc.d")
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    for words in (("update",), ("install", "-y", "--no-install-recommends", *packages)):
        done = host.run("/usr/bin/apt-get", "-qq", *words, timeout_s=INSTALL_S)
        if done.returncode != 0:
            raise NotRun(f"{' '.join(packages)} cannot be installed: {done.stderr[-200:]}")
