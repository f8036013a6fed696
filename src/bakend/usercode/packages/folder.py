"""`.bakend/site-packages`: what is installed, whether it fits, and its place on the path.

    .bakend/site-packages        a link to the folder that is in use
    .bakend/packages/XXXXXXXX/   one installation, with a stamp of what it is
    .bakend/packages/lock        held by whoever changes any of this

A link is replaced in one step, so a folder is in use whole or not at all. The one before it stays
until the next change, because a running server may still import from it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.machinery
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from bakend.errors import BakendError
from bakend.structs import Struct

from . import LOCK_FILE

LINK: Final = Path(".bakend", "site-packages")
STAMP: Final = "bakend-packages.json"

_NEW: Final = ".new-link"


class Stamp(Struct):
    """What an installation was made for, and from what."""

    abi: str
    """`cpython-313`: which Python's compiled modules it holds."""
    target: str
    """`x86_64-linux-gnu`: for which system they were compiled."""
    lock: str
    """The sha256 of `packages.lock`."""
    packages: dict[str, str]
    """Name to version."""


def this_platform() -> tuple[str, str]:
    """Return the ABI and the target of the Python that runs us.

    The suffix of a compiled module names both as the interpreter itself knows them, with the kind
    of C library, which no other source does without reading files.
    """
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]  # .cpython-313-x86_64-linux-gnu.so
    parts = suffix.split(".")[1].split("-", 2)
    target = parts[2] if len(parts) == 3 else _platform()
    machine = os.uname().machine
    return "-".join(parts[:2]), target if machine in target else f"{machine}-{target}"


def _platform() -> str:
    import sysconfig  # for interpreters that say less, which the executable's is not

    return sysconfig.get_platform()


def fingerprint(lock_text: str) -> str:
    """Return what a stamp says about the lock that it was installed from."""
    return hashlib.sha256(lock_text.encode()).hexdigest()


class PackageFolder:
    """The installed packages of one project.

    Thread: each method on any; `alone` keeps other processes out.
    """

    def __init__(self, project: Path) -> None:
        self._link = project / LINK
        self._rooms = project / ".bakend" / "packages"
        self._lock_file = project / LOCK_FILE
        self._entry: str | None = None

    def put_on_path(self) -> None:
        """Let the packages be imported, after everything of ours.

        The folder itself goes on the path and not the link: a process keeps what it began with.
        """
        if self._entry is None and self._link.is_dir():
            self._entry = str(self._link.resolve())
            sys.path.append(self._entry)

    def take_off_path(self) -> None:
        """Undo `put_on_path`; what was imported stays imported."""
        if self._entry in sys.path:
            sys.path.remove(self._entry)
        self._entry = None

    def problem(self) -> str | None:
        """Say in a sentence why what is installed is not what the lock says; None if it is."""
        try:
            text = self._lock_file.read_text(encoding="utf-8")
            from . import lock  # most projects have no packages

            wanted = lock.read(text)
        except FileNotFoundError:
            return None
        except (BakendError, OSError, ValueError) as error:
            return f"{LOCK_FILE} cannot be read ({error}): run `bak sync`"
        stamp = self.stamp()
        abi, target = this_platform()
        if stamp is None or not self._link.is_dir():
            found, missing = "are not installed on this machine", list(wanted.values())
        elif (stamp.abi, stamp.target) != (abi, target):
            found = (
                f"were installed for {stamp.abi} on {stamp.target}, and this is {abi} on {target}"
            )
            missing = list(wanted.values())
        elif stamp.lock != fingerprint(text):
            found = f"stand in {LOCK_FILE} and are not what is installed"
            missing = [
                pin for pin in wanted.values() if stamp.packages.get(pin.name) != pin.version
            ]
        else:
            return None
        names = ", ".join(str(pin) for pin in sorted(missing))
        if not names:
            if stamp is None and not wanted:
                return None
            return f"{LOCK_FILE} has changed since the packages were installed: run `bak sync`"
        return f"Packages {found}: {names}; run `bak sync`"

    def stamp(self) -> Stamp | None:
        """Return what is installed; None when nothing is, or nothing that we made."""
        try:
            content = json.loads((self._link / STAMP).read_text(encoding="utf-8"))
            return Stamp(**content)
        except (OSError, ValueError, TypeError):
            return None

    @contextlib.contextmanager
    def alone(self, wait: Callable[[], None]) -> Iterator[None]:
        """Keep other processes from changing the packages; the system frees this if we die.

        Args:
            wait: Called once when another process is at it.
        """
        self._rooms.parent.mkdir(mode=0o700, exist_ok=True)  # the project's secret is there as well
        self._rooms.mkdir(exist_ok=True)
        with (self._rooms / "lock").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                wait()
                fcntl.flock(held, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """Return a new folder to install into; what is left of it at the end of the block goes.

        Only while `alone`: what a process that was killed has left goes as well.
        """
        for each in self._rooms.glob("work-*"):
            shutil.rmtree(each, ignore_errors=True)
        made = Path(tempfile.mkdtemp(prefix="work-", dir=self._rooms))
        try:
            yield made
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def use(self, installed: Path, stamp: Stamp) -> None:
        """Put a finished folder in the place of the one in use, in one step.

        Args:
            installed: On the same disk; it is moved.
            stamp: What it is.
        """
        (installed / STAMP).write_text(
            json.dumps(stamp.as_dict(), indent=2) + "\n", encoding="utf-8"
        )
        before = self._link.resolve().name if self._link.is_symlink() else None
        place = Path(tempfile.mkdtemp(dir=self._rooms, prefix=f"{stamp.lock[:8]}-"))
        installed.replace(place)  # over an empty folder
        place.chmod(0o755)
        if self._link.is_dir() and not self._link.is_symlink():
            # Somebody has made it by hand; theirs stays beside ours, out of use.
            self._link.replace(self._link.with_name("site-packages.before"))
        new = self._rooms / _NEW
        new.unlink(missing_ok=True)
        new.symlink_to(Path("packages", place.name))
        new.replace(self._link)
        for each in self._rooms.iterdir():
            is_ours = each.is_dir() and not each.name.startswith("work-")
            if is_ours and each.name not in (before, place.name):
                shutil.rmtree(each, ignore_errors=True)
