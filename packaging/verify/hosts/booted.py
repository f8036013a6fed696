"""A Debian that systemd has booted, in namespaces of its own: systemd-nspawn.

Its tree is seen through an overlay in memory and stays as it is. The network is that of this machine,
so that a port inside is a port here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from verify.hosts.debian import require_root, tool
from verify.hosts.host import Host
from verify.hosts.server import wait_until
from verify.outcome import Failed, NotRun

BOOT_S: Final = 60.0

SANDBOX: Final = tuple(
    f"--property={line}"
    for line in (
        *("ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes"),
        *("PrivateUsers=yes", "PrivateMounts=yes", "ProtectProc=invisible", "ProcSubset=pid"),
    )
)

BOOT: Final = (
    *("--volatile=overlay", "--boot", "--console=pipe", "--machine=bakend-verify"),
    # This machine may not have been booted by systemd itself.
    *("--register=no", "--keep-unit"),
)


# A control group of its own: two hosts in one would end each other's processes.
APART: Final = """
name=$1
shift
while [ "$1" != -- ]; do
    mkdir "$1/$name"
    echo $$ > "$1/$name/cgroup.procs"
    shift
done
shift
exec "$@"
"""


@contextlib.contextmanager
def booted(tree: Path, label: str) -> Iterator[Host]:
    """Yield a tree as a host that runs.

    Raises:
        NotRun: This machine cannot boot it.
    """
    require_root("a host of its own")
    nspawn, nsenter = tool("systemd-nspawn", "systemd-container"), tool("nsenter", "util-linux")
    chroot = tool("chroot", "coreutils")
    group, places = f"bakend-verify-{os.getpid()}", _control_groups()
    with tempfile.TemporaryFile() as console:
        machine = subprocess.Popen(
            [
                "/bin/sh",
                "-euc",
                APART,
                "sh",
                group,
                *places,
                "--",
                nspawn,
                f"--directory={tree}",
                *BOOT,
            ],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
        )
        try:
            leader = _leader(machine, console)
            enter = (nsenter, f"--target={leader}", "--all", "--root", "--wd", "--", chroot, "/")
            host = Host(
                label, Path(f"/proc/{leader}/root"), enter, leader, bak="/usr/local/bin/bak"
            )
            try:
                _wait_booted(host, machine, console)
                yield host
            finally:
                host.stop_all()
        finally:
            # With its process 1 everything inside ends; nspawn then takes away what it has mounted.
            for pid in _children(machine.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            try:
                machine.wait(20)
            except subprocess.TimeoutExpired:
                machine.kill()
                machine.wait()
            for place in places:
                _remove_group(Path(place, group))


def _leader(machine: subprocess.Popen[bytes], console: IO[bytes]) -> int:
    """Return its process 1, as seen from here."""
    found: list[str] = []

    def is_there() -> bool:
        # The first child only makes the second one, and ends.
        found[:] = [pid for pid in _children(machine.pid) if _is_systemd(pid)]
        return bool(found) or machine.poll() is not None

    try:
        wait_until(is_there, BOOT_S, "process 1")
    except Failed as failed:
        raise NotRun(f"systemd-nspawn cannot boot here: {failed}: {_last(console)}") from None
    if not found:
        raise NotRun(f"systemd-nspawn cannot boot here: {_last(console)}")
    return int(found[0])


def _is_systemd(pid: str) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # gone meanwhile
        return False
    inner = next((line.split()[-1] for line in status if line.startswith("NSpid:")), "")
    return status[0] == "Name:\tsystemd" and inner == "1"


def _wait_booted(host: Host, machine: subprocess.Popen[bytes], console: IO[bytes]) -> None:
    def is_up() -> bool:
        if machine.poll() is not None:
            raise NotRun(f"systemd-nspawn cannot boot here: {_last(console)}")
        state = host.run("/usr/bin/systemctl", "is-system-running").stdout.strip()
        return state in ("running", "degraded")

    try:
        wait_until(is_up, BOOT_S, "systemd runs")
    except Failed as failed:
        raise NotRun(f"systemd-nspawn cannot boot here: {failed}: {_last(console)}") from None
    # Inside of a container, say: it boots, and cannot do for a service what every server can.
    done = host.run("/usr/bin/systemd-run", "--quiet", "--wait", *SANDBOX, "/bin/true")
    if done.returncode != 0:
        raise NotRun(f"services cannot be hardened here: {done.stderr.strip()}")


def _control_groups() -> list[str]:
    """Return where systemd may keep its groups: version 2, and its own of version 1."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [
        place
        for _, place, kind, options, *_ in mounts
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(","))
    ]


def _remove_group(group: Path) -> None:
    """Remove a control group with those below it, once all of their processes are gone."""

    def is_gone() -> bool:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
        return not group.exists()

    with contextlib.suppress(Failed):  # what is left there holds nothing
        wait_until(is_gone, 5, "an empty control group")


def _children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []


def _last(console: IO[bytes]) -> str:
    console.seek(0)
    return " / ".join(console.read().decode(errors="replace").strip().splitlines()[-3:])
