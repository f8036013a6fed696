"""The file under other names and in other places."""

from __future__ import annotations

import os

from verify.catalog import quick
from verify.hosts.host import Host
from verify.hosts.server import make_project, started
from verify.lab import Lab
from verify.outcome import expect


@quick
def version(lab: Lab) -> str:
    """`bak version` prints the version, `--verbose` what is inside."""
    with lab.here() as host:
        short = host.must(host.inside(host.bak), "version").strip()
        verbose = host.must(host.inside(host.bak), "version", "--verbose")
    told = dict(line.split(maxsplit=1) for line in verbose.splitlines())
    lacking = {"version", "commit", "target", "python", "sqlite", "openssl", "glibc"} - {
        name for name, value in told.items() if value != "-"
    }
    expect(told.get("version") == short, f"version says {short}, --verbose {told.get('version')}")
    lacking -= {"glibc"} if "darwin" in told.get("target", "") else set()
    expect(not lacking, f"--verbose does not tell {', '.join(sorted(lacking))}")
    return f"{short}, {told['target']}, Python {told['python']}, glibc {told.get('glibc')}"


@quick
def renamed(lab: Lab) -> str:
    """A path with a space and an umlaut is as good as any."""
    with lab.here() as host:
        place = host.at("/a folder/bäk end")
        place.parent.mkdir()
        host.at(host.bak).rename(place)
        return _serves(host, str(place))


@quick
def symlinked(lab: Lab) -> str:
    """It runs through a symbolic link."""
    with lab.here() as host:
        link = host.at("/opt/linked")
        link.symlink_to(host.at(host.bak))
        return _serves(host, str(link))


@quick
def on_path(lab: Lab) -> str:
    """It is found through PATH."""
    with lab.here() as host:
        folder = host.at(host.bak).parent
        paths = os.pathsep.join((str(folder), os.defpath))
        environ = {**host.environ, "PATH": paths}
        # env(1) looks through PATH; a Popen of ours would look through our own.
        said = host.must("/usr/bin/env", "bak", "version", environ=environ)
        inside = host.must(
            "/usr/bin/env", "bak", "-I", "-c", "import sys; print(sys.executable)", environ=environ
        )
    expect(inside.strip() == str(folder / "bak"), f"sys.executable is {inside.strip()}")
    return f"version {said.strip()}"


@quick
def foreign_environment(lab: Lab) -> str:
    """No PYTHON* variable changes what runs."""
    with lab.here() as host:
        trap = host.at("/trap")
        trap.mkdir()
        for module in ("sitecustomize.py", "json.py", "click.py", "flask.py", "bakend.py"):
            (trap / module).write_text("raise SystemExit('the trap was imported')\n")
        environ = {
            **host.environ,
            "PYTHONPATH": str(trap),
            "PYTHONHOME": str(trap),
            "PYTHONSTARTUP": str(trap / "json.py"),
            "PYTHONINSPECT": "1",
            "PYTHONUTF8": "0",
            "PYTHONOPTIMIZE": "2",
        }
        said = host.must(host.inside(host.bak), "version", environ=environ)
    return f"version {said.strip()}"


def _serves(host: Host, bak: str) -> str:
    """Start the file at another place, once."""
    config = make_project(host, "/srv/app", bak=bak)
    with started(host, config, bak=bak) as server:
        server.wait_well()
        server.stop()
    return "serves"
