"""Where commands of a build run: a folder, clean variables, and compilers that do not tell where it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from interpreter.progress import BuildError
from interpreter.toolchains import SYSTEM_PATH, Toolchain


def workshops(toolchain: Toolchain, cache: Path) -> Path:
    """Return where the workshops of a toolchain are, below its root if it has one.

    The name is a word that no source holds: products are searched for it.
    """
    return (toolchain.root or cache) / "bakend-workshops"


class Workshop:
    """A folder in which a toolchain works, and the one way to run a command there.

    Its compilers are wrappers in front of the real ones: they take the folder out of everything that
    is compiled. As a plain flag it would itself be recorded, by OpenSSL and by sysconfig.
    """

    def __init__(self, toolchain: Toolchain, folder: Path, epoch: int) -> None:
        self.toolchain = toolchain
        self.folder = folder
        self.epoch = epoch
        self.log = folder / "build.log"
        self.bin = folder / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        self.write_wrappers()

    def inside(self, path: Path) -> str:
        """Return the name a path has for the commands."""
        root = self.toolchain.root
        return str(path if root is None else Path("/") / path.relative_to(root))

    def write_wrappers(self) -> None:
        """Put the compilers into `bin`."""
        self.bin.mkdir(exist_ok=True)
        chain = self.toolchain
        # cc is for tools that run during the build; in a cross build they are not for the target.
        names = ["clang", "cc"] if chain.kind == "xcode" else ["gcc", "cc", chain.compiler]
        for name in names:
            real = "gcc" if (name == "cc" and chain.kind != "xcode") else name
            wrapper = self.bin / name
            wrapper.write_text(
                f'#!/bin/sh\nexec /usr/bin/{real} "$@" -ffile-prefix-map={self.inside(self.folder)}=.\n'
            )
            wrapper.chmod(0o755)

    def environment(self, more: Mapping[str, str]) -> dict[str, str]:
        """Return all that commands see: nothing of the person who builds."""
        return {
            "PATH": f"{self.inside(self.bin)}:{SYSTEM_PATH}",
            "HOME": "/nonexistent",
            "TMPDIR": self.inside(self.folder),
            "LC_ALL": "C",
            "TZ": "UTC",
            "SOURCE_DATE_EPOCH": str(self.epoch),
            "ZERO_AR_DATE": "1",
            **more,
        }

    def run(
        self, command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str] | None = None
    ) -> str:
        """Run a command, and return what it printed.

        Raises:
            BuildError: It failed; shows the end of what it said.
        """
        words = [self.inside(word) if isinstance(word, Path) else word for word in command]
        environ = [f"{name}={value}" for name, value in self.environment(env or {}).items()]
        root = self.toolchain.root
        enter = [] if root is None else ["chroot", str(root)]
        # `cd` in a shell, because macOS has no `env -C`.
        shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', self.inside(cwd), *words]
        process = subprocess.Popen(
            [*enter, "/usr/bin/env", "-i", *environ, *shell],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate()
        except BaseException:
            # make and its compilers, not only the first process
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(words)}\n{output}\n")
        if process.returncode != 0:
            tail = "\n".join(output.splitlines()[-25:])
            raise BuildError(f"{tail}\n\n{words[0]} failed with exit {process.returncode} in {cwd}")
        return output


def processors() -> str:
    """Return how many jobs make runs at once."""
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    return str(count or 1)
