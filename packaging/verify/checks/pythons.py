"""With a Python of the host: the zipapp, and the file itself as one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from verify.catalog import full
from verify.hosts.server import make_project, started
from verify.lab import Lab
from verify.outcome import NotRun, expect

OLDEST: Final = "3.11"


@full
def zipapp(lab: Lab) -> str:
    """The zipapp serves with the oldest Python that we promise."""
    python = _python(OLDEST)
    file = lab.dist / f"bakend-v{lab.about['version']}.pyz"
    if not file.exists():
        raise NotRun(f"{lab.dist} has no {file.name}")
    return _serves(lab, python, file)


@full
def file_as_zipapp(lab: Lab) -> str:
    """`python3.13 bak` serves as a zipapp does."""
    return _serves(lab, _python(".".join(lab.about["python"].split(".")[:2])), lab.bak)


def _serves(lab: Lab, python: str, file: Path) -> str:
    lab.require_native()
    with lab.here() as host:
        copy = host.at(f"/opt/{file.name}")
        shutil.copyfile(file, copy)
        said = host.must(python, str(copy), "version").strip()
        expect(said == lab.about["version"], f"it says {said}")
        config = make_project(host, "/srv/app")
        with started(host, config, words=(python,), bak=str(copy)) as server:
            server.wait_well()
            server.stop()
    return f"{python} {file.name}: {said}, serves"


def _python(series: str) -> str:
    """Return a Python of this machine, by its own word."""
    name = f"python{series}"
    candidates = [shutil.which(name), f"/usr/bin/{name}", f"/usr/local/bin/{name}"]
    # pyenv has no command for a version that nobody chose.
    candidates += map(
        str, sorted(Path("~/.pyenv/versions").expanduser().glob(f"{series}.*/bin/{name}"))
    )
    program = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
    for candidate in candidates:
        if candidate is None or not Path(candidate).exists():
            continue
        done = subprocess.run(
            [candidate, "-c", program], capture_output=True, text=True, check=False
        )
        if found := re.fullmatch(rf"{re.escape(series)} (/\S+)\n", done.stdout):
            return found[1]
    raise NotRun(f"this machine has no {name}")
