"""`bak add` and `bak sync` with binary wheels, on hosts without Python; needs the network."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from verify.catalog import full
from verify.hosts.host import Host
from verify.hosts.server import make_project
from verify.lab import Lab
from verify.outcome import NotRun, expect

PROJECT: Final = "/srv/app"
LIBRARIES: Final = ("libstdc++6", "libgcc-s1", "zlib1g")
"""What wheels for manylinux may take from the host."""

INSTALL_S: Final = 600.0
IMPORT: Final = (
    "import PIL.Image, numpy;"
    " image = PIL.Image.fromarray(numpy.zeros((4, 4, 3), dtype='uint8'));"
    " image.save('/tmp/zeros.png');"
    " print(PIL.__version__, numpy.__version__, numpy.arange(6).sum())"
)

# How this machine reaches the network is not the file's business: the same ways lead there from the host.
PASSED_ON: Final = ("PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")


@full
def pillow_and_numpy(lab: Lab) -> str:
    """`bak add pillow numpy` and an import of both; then `bak sync` on a second host by the lock alone."""
    with lab.bare() as first:
        lacking = _libraries(first)
        environ = _connected(first)
        make_project(first, PROJECT)
        added = _bak(first, environ, "add", "pillow", "numpy")
        seen = _imported(first, environ)
        asked = first.at(PROJECT)
        with lab.bare() as second:
            _libraries(second)
            environ = _connected(second)
            make_project(second, PROJECT)
            for name in ("packages.txt", "packages.lock"):
                shutil.copy(asked / name, second.at(PROJECT))
            _bak(second, environ, "sync")
            again = _imported(second, environ)
    expect(seen == again, f"first host: {seen}; second: {again}")
    return f"{' '.join(added.split())}; {seen}; installed for it: {', '.join(lacking) or 'nothing'}"


def _libraries(host: Host) -> list[str]:
    """Install what wheels need of a host; return what it did not have."""
    known = host.run("/usr/bin/dpkg-query", "--show", "--showformat=${Package}\n", *LIBRARIES)
    lacking = [name for name in LIBRARIES if name not in known.stdout.split()]
    if lacking:
        _connected(host)
        for words in (("update",), ("install", "-y", "--no-install-recommends", *lacking)):
            done = host.run("/usr/bin/apt-get", "-qq", *words, timeout_s=INSTALL_S)
            if done.returncode != 0:
                raise NotRun(f"{' '.join(lacking)} cannot be installed: {done.stderr[-200:]}")
    return lacking


def _connected(host: Host) -> dict[str, str]:
    """Let a host use the network as this machine does; return its environment."""
    shutil.copyfile("/etc/resolv.conf", host.at("/etc/resolv.conf"))
    certificates = host.at("/etc/ssl/certs")
    certificates.mkdir(parents=True, exist_ok=True)
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        shutil.copyfile(bundle, certificates / bundle.name)
    return {**host.environ, **passed_on()}


def passed_on() -> dict[str, str]:
    """Return the variables by which this machine reaches the package index."""
    passed = {
        name: value for name, value in os.environ.items() if name.upper().startswith(PASSED_ON)
    }
    # A folder of wheels of this machine is not there.
    passed.pop("PIP_FIND_LINKS", None)
    return passed


def _bak(host: Host, environ: dict[str, str], *words: str) -> str:
    config = host.inside(f"{PROJECT}/bakend.json")
    command = (host.inside(host.bak), *words, "--config", config)
    return host.must(*command, environ=environ, timeout_s=INSTALL_S)


def _imported(host: Host, environ: dict[str, str]) -> str:
    """Import both in `bak -c`, called in the project."""
    there = ("/usr/bin/env", f"--chdir={host.inside(PROJECT)}")
    return host.must(*there, host.inside(host.bak), "-c", IMPORT, environ=environ).strip()
