"""Bakend as a service of systemd, on a host that is booted."""

from __future__ import annotations

import json
import os
import re
import time
from typing import Final

from verify.hosts.guides import shell_blocks
from verify.hosts.host import Host
from verify.hosts.http import ask, free_port
from verify.hosts.server import NOTES, define, wait_until
from verify.outcome import Failed, expect

PROJECT: Final = "/opt/bakend"
UNITS: Final = "/etc/systemd/system"
SYSTEMCTL: Final = "/usr/bin/systemctl"


class Service:
    """The unit on a host, and the port that it is to serve."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.port = free_port()

    def install(self, *, project: bool = True) -> float:
        """Do what the guide says; return how many seconds it took until it was active.

        Args:
            project: Also put a collection and settings there, before the start.
        """
        prepare, begin = guide("## Install")
        self.shell(prepare)
        if project:
            self.settle({"port": self.port, "host": "127.0.0.1"})
            define(self.host.at(PROJECT), NOTES)
            self.host.must("/usr/bin/chown", "-R", "bakend:bakend", PROJECT)
        began = time.monotonic()
        self.shell(begin)
        took_s = time.monotonic() - began
        expect(self.show("ActiveState") == "active", f"not active: {self.journal()}")
        return took_s

    def settle(self, settings: object) -> None:
        """Write bakend.json."""
        self.host.at(f"{PROJECT}/bakend.json").write_text(json.dumps(settings))

    def drop_in(self, lines: str) -> None:
        """Change the unit as an administrator does."""
        folder = self.host.at(f"{UNITS}/bakend.service.d")
        folder.mkdir(exist_ok=True)
        (folder / "verify.conf").write_text(f"[Service]\n{lines}\n")
        self.systemctl("daemon-reload")

    def shell(self, script: str) -> str:
        """Run a script as root, as a person types it, up to its first failure."""
        return self.host.must("/bin/sh", "-euc", script)

    def systemctl(self, *words: str) -> str:
        """Run systemctl."""
        return self.host.must(SYSTEMCTL, *words)

    def show(self, name: str) -> str:
        """Return a property of the unit."""
        return self.systemctl("show", "--property", name, "--value", "bakend").strip()

    @property
    def pid(self) -> int:
        """The process that serves, as the host numbers it."""
        return int(self.show("MainPID"))

    def journal(self) -> str:
        """Return the last lines of its log."""
        done = self.host.run(
            *("/usr/bin/journalctl", "--unit=bakend", "--no-pager", "--output=cat", "--lines=8")
        )
        return " / ".join(done.stdout.splitlines())

    def is_well(self) -> bool:
        """Tell whether it answers."""
        try:
            return ask(self.port, "GET", "/health", timeout_s=5).status == 200
        except OSError:
            return False

    def wait_well(self, timeout_s: float = 60.0) -> None:
        """Wait for a good answer."""
        try:
            wait_until(self.is_well, timeout_s, "an answer on /health")
        except Failed as failed:
            raise Failed(f"{failed}; {self.journal()}") from None


def guide(heading: str) -> list[str]:
    """Return what the guide tells to type below a heading."""
    return shell_blocks("deploy-systemd.md", below=heading)


def exposure(output: str) -> float:
    """Return the figure at the end of what `systemd-analyze security` printed."""
    found = re.search(r"exposure level for \S+: ([\d.]+)", output)
    if found is None:
        raise Failed(f"systemd-analyze says no exposure: {output[-200:]}")
    return float(found[1])


def environment_without_pager() -> dict[str, str]:
    """Return the environment for programs of systemd on this machine."""
    return {**os.environ, "SYSTEMD_PAGER": "", "LC_ALL": "C.UTF-8"}
