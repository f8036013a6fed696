"""The service of systemd that runs from an executable: found by its process, restarted, looked at."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from bakend.errors import UpgradeError
from bakend.structs import Struct
from bakend.upgrade.programs import Owner, Programs

BOOTED: Final = Path("/run/systemd/system")
_UNIT: Final = re.compile(r"(?:^|/)([\w.@:\\-]+\.service)$")
_SHOWN: Final = (
    *("ActiveState", "SubState", "MainPID", "InvocationID", "StatusText", "ExecMainStatus", "Type"),
)


class Server(Struct):
    """A process that serves, and its unit."""

    unit: str
    pid: int
    owner: Owner
    words: tuple[str, ...]
    """Its command line."""
    environ: Mapping[str, str]
    folder: Path
    """The one that it was started in."""


class Sight(Struct):
    """What systemd says of a unit at one moment."""

    state: str
    sub: str
    invocation: str
    """Another one for each start."""
    pid: int
    """Of the process that serves; 0 for none."""
    status: str
    """What it says that it does."""
    code: int
    """The exit code of the last process, or the number of the signal that ended it."""
    tells: bool
    """Whether it says itself when it serves: Type=notify."""

    @property
    def sign(self) -> tuple[str, str, str, int, str]:
        """What changes as long as there is life in a start."""
        return self.state, self.sub, self.invocation, self.pid, self.status


class Systemd:
    """The service manager of this host. Thread: one."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    def servers(self, executable: Path) -> list[Server]:
        """Return the services whose main process runs from a file, each once."""
        if not BOOTED.is_dir():
            return []
        wanted = executable.stat()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                file = (entry / "exe").stat()
                if (file.st_dev, file.st_ino) != (wanted.st_dev, wanted.st_ino):
                    continue
                unit = _unit_of((entry / "cgroup").read_text())
                if unit is None or self.look(unit).pid != int(entry.name):
                    continue  # a helper of a server, or a command of somebody
                found[unit] = _server(unit, entry)
            except OSError:  # it has ended, or is not ours to look at
                continue
        return [found[unit] for unit in sorted(found)]

    def look(self, unit: str) -> Sight:
        """Return how a unit is."""
        words = ["systemctl", "show", *(f"--property={name}" for name in _SHOWN), unit]
        answer = self._programs.run(words)
        values = dict(line.partition("=")[::2] for line in answer.output.splitlines())
        return Sight(
            state=values.get("ActiveState", ""),
            sub=values.get("SubState", ""),
            invocation=values.get("InvocationID", ""),
            pid=int(values.get("MainPID") or 0),
            status=values.get("StatusText", ""),
            code=int(values.get("ExecMainStatus") or 0),
            tells=values.get("Type", "").startswith("notify"),
        )

    def restart(self, unit: str) -> None:
        """Ask for a restart, and do not wait for it.

        Raises:
            UpgradeError: systemd refuses.
        """
        self._must("restart", "--no-block", unit)

    def stop_at_once(self, unit: str) -> None:
        """End everything that a unit runs, without giving it time, and start nothing anew."""
        self._must("stop", "--no-block", unit)
        # Nothing to kill is no failure.
        self._programs.run(["systemctl", "kill", "--signal=SIGKILL", unit])

    def forget_failures(self, unit: str) -> None:
        """Let a unit be started again, however often it has failed; the socket that starts it, too."""
        socket = f"{unit.removesuffix('.service')}.socket"
        self._programs.run(["systemctl", "reset-failed", unit, socket])
        if self.look(socket).state == "failed":
            self._programs.run(["systemctl", "start", "--no-block", socket])

    def last_words(self, unit: str) -> str:
        """Return the end of its log, in a line."""
        words = [
            "journalctl",
            "--quiet",
            "--no-pager",
            "--output=cat",
            "--lines=3",
            f"--unit={unit}",
        ]
        said = self._programs.run(words).output.strip().splitlines()
        return " / ".join(line.strip() for line in said)[-600:]

    def _must(self, *words: str) -> None:
        answer = self._programs.run(["systemctl", *words])
        if answer.code != 0:
            raise UpgradeError(f"systemctl {' '.join(words)}: {answer.error}")


def _unit_of(cgroups: str) -> str | None:
    """Return the service that a process belongs to; Source: cgroups(7), /proc/PID/cgroup."""
    for line in cgroups.splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" or controllers == "name=systemd":
            found = _UNIT.search(path)
            if found is not None:
                return found[1]
    return None


def _server(unit: str, entry: Path) -> Server:
    status = entry.stat()
    variables = [
        os.fsdecode(each).partition("=") for each in (entry / "environ").read_bytes().split(b"\0")
    ]
    return Server(
        unit=unit,
        pid=int(entry.name),
        owner=Owner(status.st_uid, status.st_gid),
        words=tuple(
            os.fsdecode(word) for word in (entry / "cmdline").read_bytes().split(b"\0")[:-1]
        ),
        environ={name: value for name, found, value in variables if found},
        folder=(entry / "cwd").readlink(),
    )
