"""The network, for hosts that fetch packages."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from verify.hosts.host import Host

# How this machine reaches the network is not the file's business: the same ways lead there from the host.
PASSED_ON: Final = ("PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


def connected(host: Host) -> dict[str, str]:
    """Let a host use the network as this machine does; return its environment."""
    shutil.copyfile("/etc/resolv.conf", host.at("/etc/resolv.conf"))
    certificates = host.at("/etc/ssl/certs")
    certificates.mkdir(parents=True, exist_ok=True)
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        shutil.copyfile(bundle, certificates / bundle.name)
    passed = {
        name: value for name, value in os.environ.items() if name.upper().startswith(PASSED_ON)
    }
    # A folder of wheels of this machine is not there.
    passed.pop("PIP_FIND_LINKS", None)
    return {**host.environ, **passed}
