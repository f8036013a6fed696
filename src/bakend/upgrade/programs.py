"""The door to other programs: systemctl, the new executable, and ourselves as another user."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from typing import Final

from bakend.structs import Struct

COMMAND_S: Final = 120.0
"""Nothing that we run takes longer, but a copy of the database, which says so."""

SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Answer(Struct):
    """What a program came to."""

    code: int
    """Its exit code; 126 where it could not be started, 124 where it took too long."""
    output: str
    error: str
    """The last line of its complaints."""


class Owner(Struct):
    """Whom a program is run as."""

    user: int
    group: int


class Programs:
    """Runs them, with an environment of their own. Thread: one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Take the environment, of which little is passed on."""
        passed = ("HOME", "TMPDIR", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR")
        self._environ = {name: environ[name] for name in passed if name in environ}
        self._environ |= {"PATH": environ.get("PATH") or SYSTEM_PATH, "LC_ALL": "C.UTF-8"}

    def run(
        self,
        words: Sequence[str],
        *,
        owner: Owner | None = None,
        timeout_s: float | None = COMMAND_S,
    ) -> Answer:
        """Run a program to its end.

        Args:
            words: The program and its arguments.
            owner: Whom it is run as, if we are root; else as whom we are.
            timeout_s: None for as long as it takes.
        """
        is_other = owner is not None and os.geteuid() == 0 and owner.user != 0
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                env=self._environ,
                cwd="/",
                check=False,
                timeout=timeout_s,
                user=owner.user if owner and is_other else None,
                group=owner.group if owner and is_other else None,
                extra_groups=[] if is_other else None,
                # What has a terminal may be hung up; what was begun is ended all the same.
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            return Answer(124, "", f"it took longer than {timeout_s:g} s")
        except OSError as error:
            return Answer(126, "", error.strerror or str(error))
        lines = done.stderr.strip().splitlines()
        return Answer(done.returncode, done.stdout, lines[-1] if lines else "")
