"""Where the file is run: this machine, or a Debian tree in a mount namespace of its own.

A tree is seen through an overlay in memory, so that nothing of a run stays: the namespace belongs to
one process that waits for the end of its input, and when it is gone, so is all that was mounted and
written. What runs inside has the same process ids, and the same loopback, as outside.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

from verify.hosts.debian import SYSTEM_PATH, require_root, tool
from verify.outcome import Failed, NotRun

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
COMMAND_S: Final = 120.0
"""A command of bak takes a second; the rest is for a machine that does other things."""

# What every program may expect of /dev. In /dev/shm nothing is to be left, either.
MOUNT: Final = """
set -eu
tree=$1 scratch=$2 has_proc=$3
mount --make-rprivate /
mount -t tmpfs -o mode=755 bakend-verify "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay \
    -o "lowerdir=$tree,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
cd "$scratch/root"
mount -t tmpfs -o mode=755 dev dev
mkdir -m 1777 dev/shm
for device in null zero full random urandom; do
    : > "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
[ "$has_proc" = no ] || mount -t proc proc proc
cd /
echo ready
exec cat
"""


@dataclass(frozen=True, slots=True)
class Host:
    """A place where the file is run.

    Paths inside begin with a slash: `/srv` is a folder for projects, `/opt/bin/bak` the file.
    """

    label: str
    root: Path
    """Its `/`, as seen from here."""
    enter: tuple[str, ...]
    """What stands before a command to run it there; ends in a chroot, or is empty."""
    holder: int | None
    """The process that the namespace belongs to."""
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    bak: str = "/opt/bin/bak"

    def at(self, inside: str) -> Path:
        """Return a path inside as it is seen from here."""
        return self.root / inside.lstrip("/")

    def inside(self, inside: str) -> str:
        """Return a path inside as programs in there see it."""
        return inside if self.holder else str(self.at(inside))

    def install(self, bak: Path) -> None:
        """Put a copy of the file to its place."""
        place = self.at(self.bak)
        place.parent.mkdir(parents=True, exist_ok=True)
        self.at("/srv").mkdir(exist_ok=True)
        shutil.copyfile(bak, place)
        place.chmod(0o755)

    def start(
        self,
        *words: str,
        output: IO[bytes] | int,
        errors: IO[bytes] | int = subprocess.STDOUT,
        feed: int = subprocess.DEVNULL,
        environ: Mapping[str, str] | None = None,
        chroot: Sequence[str] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a program inside; `stop_all` ends it if nobody else does.

        Args:
            words: The program, as seen inside, and its arguments.
            environ: All of its environment; without it, what a login has.
            chroot: Options of chroot(8), for a tree.
        """
        process = subprocess.Popen(
            [*self.enter[:-1], *chroot, *self.enter[-1:], *words],
            env=self.environ if environ is None else dict(environ),
            cwd=None if self.holder else self.root,
            stdin=feed,
            stdout=output,
            stderr=errors,
        )
        self.processes.append(process)
        return process

    def run(
        self,
        *words: str,
        environ: Mapping[str, str] | None = None,
        chroot: Sequence[str] = (),
        timeout_s: float = COMMAND_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside to its end."""
        process = self.start(
            *words,
            output=subprocess.PIPE,
            errors=subprocess.PIPE,
            environ=environ,
            chroot=chroot,
        )
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failed(f"{shown(words)} did not end within {timeout_s:g} s") from None
        texts = [text.decode(errors="replace") for text in (out, err)]
        return subprocess.CompletedProcess(words, process.returncode, *texts)

    def must(
        self,
        *words: str,
        environ: Mapping[str, str] | None = None,
        chroot: Sequence[str] = (),
        timeout_s: float = COMMAND_S,
    ) -> str:
        """Run a program inside and return what it printed; the check fails if the program does."""
        done = self.run(*words, environ=environ, chroot=chroot, timeout_s=timeout_s)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines()[-4:]
            raise Failed(f"{shown(words)}: exit code {done.returncode}: {' / '.join(said)}")
        return done.stdout

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a login: none of whoever runs the checks."""
        return {"PATH": SYSTEM_PATH, "HOME": self.inside("/root"), "LC_ALL": "C.UTF-8"}

    def mount(self, script: str, *arguments: str) -> None:
        """Change what is mounted, by a shell script that runs outside, in the root as its folder.

        Raises:
            NotRun: The machine does not allow it.
        """
        enter = self.enter[: self.enter.index("--") + 1]
        words = ["/bin/sh", "-euc", f'cd "$0"\n{script}', self.enter[-1], *arguments]
        done = subprocess.run([*enter, *words], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotRun(f"cannot mount: {done.stderr.strip()}")

    def stop_all(self) -> None:
        """End what still runs, by its process id."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


@contextlib.contextmanager
def here() -> Iterator[Host]:
    """Yield this machine: a folder of its own stands for `/`."""
    with tempfile.TemporaryDirectory(prefix="bakend-verify-") as folder:
        host = Host("this machine", Path(folder).resolve(), (), None)
        host.at("/root").mkdir()
        try:
            yield host
        finally:
            host.stop_all()


@contextlib.contextmanager
def in_tree(tree: Path, label: str, *, has_proc: bool = True) -> Iterator[Host]:
    """Yield a tree as a host; the tree itself stays as it is.

    Raises:
        NotRun: This machine does not allow namespaces or mounts.
    """
    require_root("a host of its own")
    unshare = tool("unshare", "util-linux")
    with tempfile.TemporaryDirectory(prefix="bakend-verify-") as scratch:
        holder = subprocess.Popen(
            [
                *(unshare, "--mount", "--propagation", "private", "sh", "-c", MOUNT),
                *("bakend-verify", str(tree), scratch, "yes" if has_proc else "no"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            said = holder.stdout.readline().decode()
            if said != "ready\n":
                raise NotRun(f"cannot mount a tree of its own: {said.strip()}")
            yield from _entered(label, holder.pid, Path(scratch, "root"))
        finally:
            holder.stdin.close()
            holder.wait()
            holder.stdout.close()


def _entered(label: str, holder: int, root: Path) -> Iterator[Host]:
    # By their paths: what runs inside may have no PATH.
    nsenter, chroot = tool("nsenter", "util-linux"), tool("chroot", "coreutils")
    enter = (nsenter, "--mount", f"--target={holder}", "--", chroot, str(root))
    outside = Path(f"/proc/{holder}/root", *root.parts[1:])
    host = Host(label, outside, enter, holder)
    try:
        yield host
    finally:
        host.stop_all()


def shown(words: Sequence[str]) -> str:
    """Return a command as a message names it."""
    first = os.path.basename(words[0])  # noqa: PTH119 - a name in a text, no path
    text = " ".join((first, *words[1:]))
    return text if len(text) <= 90 else f"{text[:90]}…"
