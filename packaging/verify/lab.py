"""What a check is given: the file to prove, and the hosts to prove it on."""

from __future__ import annotations

import json
import platform
import struct
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from verify.hosts import roots
from verify.hosts.booted import booted
from verify.hosts.containers import Containers, containers
from verify.hosts.host import Host, here, in_tree
from verify.outcome import NotRun

# e_machine of the ELF header, as `uname -m` calls it.
ELF_MACHINES: Final = {62: "x86_64", 183: "aarch64"}


@dataclass(frozen=True)
class Lab:
    """One run of the checks."""

    bak: Path
    """The file to prove."""
    cache: Path
    """Where Debian trees are kept."""

    keeping: ExitStack = field(default_factory=ExitStack)
    """What several checks use; its owner closes it at the end of the run."""

    @cached_property
    def engine(self) -> Containers:
        """What runs containers, with the image of the file; built when it is first asked for."""
        self.require_native()
        return self.keeping.enter_context(containers(self.bak, self.cache))

    @property
    def dist(self) -> Path:
        """The folder of what is published beside the file."""
        return self.bak.parent

    @contextmanager
    def here(self) -> Iterator[Host]:
        """Yield this machine, with the file in a folder that is removed afterwards."""
        self.require_native()
        with here() as host:
            host.install(self.bak)
            yield host

    @contextmanager
    def bare(self, suite: str = "bookworm", *, has_proc: bool = True) -> Iterator[Host]:
        """Yield a Debian without Python, thrown away afterwards, with the file in it."""
        self.require_native()
        tree = roots.debian(suite, self.cache)
        with in_tree(tree, f"bare {suite}", has_proc=has_proc) as host:
            host.install(self.bak)
            yield host

    @contextmanager
    def booted(self, suite: str = "bookworm") -> Iterator[Host]:
        """Yield a Debian without Python that systemd has booted, thrown away afterwards."""
        self.require_native()
        with booted(roots.bootable(suite, self.cache), f"booted {suite}") as host:
            host.install(self.bak)
            yield host

    @cached_property
    def about(self) -> Any:
        """What the file says of itself: `bak.json`."""
        with zipfile.ZipFile(self.bak) as file:
            return json.loads(file.read("bak.json"))

    def require_native(self) -> None:
        """Return if this machine's processor runs the file."""
        if self.machine not in (None, platform.machine()):
            raise NotRun(f"the file is for {self.machine}; this machine is {platform.machine()}")

    @cached_property
    def machine(self) -> str | None:
        """The processor that the file is for; None where its form does not tell."""
        with self.bak.open("rb") as file:
            start = file.read(20)
        if not start.startswith(b"\x7fELF") or len(start) < 20:
            return None
        return ELF_MACHINES.get(struct.unpack_from("<H", start, 18)[0], "another processor")
