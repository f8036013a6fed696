"""`bak add` and `bak sync` with binary wheels, on hosts without Python; needs the network."""

from __future__ import annotations

import shutil
from typing import Final

from verify.catalog import full
from verify.hosts.host import Host
from verify.hosts.network import INSTALL_S, connected, install
from verify.hosts.server import make_project
from verify.lab import Lab
from verify.outcome import expect

PROJECT: Final = "/srv/app"
LIBRARIES: Final = ("libstdc++6", "libgcc-s1", "zlib1g")
"""What wheels for manylinux may take from the host."""

IMPORT: Final = (
    "import PIL.Image, numpy;"
    " image = PIL.Image.fromarray(numpy.zeros((4, 4, 3), dtype='uint8'));"
    " image.save('/tmp/zeros.png');"
    " print(PIL.__version__, numpy.__version__, numpy.arange(6).sum())"
)


@full
def pillow_and_numpy(lab: Lab) -> str:
    """`bak add pillow numpy` and an import of both; then `bak sync` on a second host by the lock alone."""
    with lab.bare() as first:
        lacking = _libraries(first)
        environ = connected(first)
        make_project(first, PROJECT)
        added = _bak(first, environ, "add", "pillow", "numpy")
        seen = _imported(first, environ)
        asked = first.at(PROJECT)
        with lab.bare() as second:
            _libraries(second)
            environ = connected(second)
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
        install(host, *lacking)
    return lacking


def _bak(host: Host, environ: dict[str, str], *words: str) -> str:
    config = host.inside(f"{PROJECT}/bakend.json")
    command = (host.inside(host.bak), *words, "--config", config)
    return host.must(*command, environ=environ, timeout_s=INSTALL_S)


def _imported(host: Host, environ: dict[str, str]) -> str:
    """Import both in `bak -c`, called in the project."""
    there = ("/usr/bin/env", f"--chdir={host.inside(PROJECT)}")
    return host.must(*there, host.inside(host.bak), "-c", IMPORT, environ=environ).strip()
