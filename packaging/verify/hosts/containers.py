"""Containers: by Docker where a daemon answers, else by podman and buildah in a place of their own.

Without a registry the image that the Dockerfile begins with is made here, of a Debian tree, and given
the same name.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from verify.hosts import roots
from verify.hosts.debian import require_root, tool, tools
from verify.hosts.host import shown
from verify.outcome import Failed, NotRun

ROOT: Final = Path(__file__).resolve().parents[3]
BASE: Final = "docker.io/library/debian:bookworm-slim"
IMAGE_VARIABLE: Final = "BAKEND_VERIFY_IMAGE"
"""Names an image to prove in place of one that is built here."""

BUILD_S: Final = 600.0

# crun knows cgroups of version 2 alone; what else is mounted there is not its business.
ALONE: Final = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"'
LIMITS: Final = ("--cgroups=disabled", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")


@dataclass(frozen=True, slots=True)
class Containers:
    """What runs containers here, and the image to prove."""

    name: str
    program: tuple[str, ...]
    """What stands before `run`, `stop` and the like."""
    run_options: tuple[str, ...]
    """What this machine needs behind `run`."""
    image: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)

    def volume(self) -> str:
        """Make an empty volume, and return its name; it goes at the end."""
        name = unused_name()
        self.volumes.append(name)
        self.do("volume", "create", name)
        return name

    def start(self, *words: str, output: int | None = None) -> subprocess.Popen[bytes]:
        """Run a container attached: `options, image, command`."""
        process = subprocess.Popen(
            [*self.program, "run", *self.run_options, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        self.processes.append(process)
        return process

    def run(self, *words: str, timeout_s: float = BUILD_S) -> str:
        """Run a container to its end, and return what it printed; the check fails if it does."""
        return self.do("run", *self.run_options, "--rm", *words, timeout_s=timeout_s)

    def as_docker(self) -> str:
        """Return a function of the shell that stands for `docker`."""
        program, options = shlex.join(self.program), shlex.join(self.run_options)
        return (
            "docker() {\n"
            f'    if [ "$1" = run ]; then shift; set -- run {options} "$@"; fi\n'
            f'    {program} "$@"\n'
            "}"
        )

    def do(self, *words: str, timeout_s: float = BUILD_S) -> str:
        """Run a command of the engine, and return what it printed; the check fails if it does."""
        return must(*self.program, *words, timeout_s=timeout_s)


def unused_name() -> str:
    """Return a name for a container or volume that nobody here has: there may be others of Bakend."""
    return f"bakend-verify-{secrets.token_hex(4)}"


def must(*words: str, timeout_s: float = BUILD_S) -> str:
    """Run a program of this machine and return its output; the check fails if it does."""
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if done.returncode != 0:
        said = " / ".join((done.stdout + done.stderr).strip().splitlines()[-4:])
        raise Failed(f"{shown(words)}: exit code {done.returncode}: {said}")
    return done.stdout


@contextlib.contextmanager
def containers(bak: Path, cache: Path) -> Iterator[Containers]:
    """Yield an engine with the image of a file; images, containers and volumes go at the end.

    Raises:
        NotRun: This machine can run none.
    """
    with tempfile.TemporaryDirectory(prefix="bakend-verify-") as folder:
        place = Path(folder)
        make = _docker if has_docker() else _podman
        with make(bak, cache, place) as engine:
            try:
                yield engine
            finally:
                for process in engine.processes:
                    if process.poll() is None:
                        process.kill()
                    process.wait()
                for volume in engine.volumes:
                    words = [*engine.program, "volume", "rm", "--force", volume]
                    subprocess.run(words, capture_output=True, check=False)


def has_docker() -> bool:
    """Tell whether a daemon of Docker answers."""
    program = shutil.which("docker")
    if program is None:
        return False
    done = subprocess.run([program, "info"], capture_output=True, check=False, timeout=60)
    return done.returncode == 0


@contextlib.contextmanager
def _docker(bak: Path, _cache: Path, place: Path) -> Iterator[Containers]:
    docker = tool("docker", "docker.io")
    given = os.environ.get(IMAGE_VARIABLE)
    image = given or f"bakend-verify-{os.getpid()}"
    if not given:
        must(docker, *_build(image), str(_context(bak, place)))
    try:
        yield Containers("docker", (docker,), (), image)
    finally:
        if not given:
            must(docker, "image", "rm", "--force", image)


@contextlib.contextmanager
def _podman(bak: Path, cache: Path, place: Path) -> Iterator[Containers]:
    require_root("a container")
    if given := os.environ.get(IMAGE_VARIABLE):
        raise NotRun(f"{IMAGE_VARIABLE} names {given}, and no Docker answers here")
    found = tools(
        {"buildah": "buildah", "podman": "podman", "crun": "crun", "unshare": "util-linux"}
    )
    alone = (found["unshare"], "--mount", "sh", "-c", ALONE, "sh")
    stored = (f"--root={place}/storage", f"--runroot={place}/run")
    buildah = (*alone, found["buildah"], *stored)
    podman = (*alone, found["podman"], *stored, f"--runtime={found['crun']}")
    tree = roots.debian("bookworm", cache)
    image = "localhost/bakend-verify"
    try:
        try:
            container = must(*buildah, "from", "scratch").strip()
            must(*buildah, "copy", "--quiet", container, str(tree), "/")
            must(*buildah, "commit", "--quiet", container, BASE)
            must(*podman, "run", *LIMITS, "--rm", "--network=host", BASE, "/bin/true")
        except Failed as failed:
            raise NotRun(f"no container can be run here: {failed}") from None
        options = ("--isolation=chroot", "--pull=never", "--format=docker")
        must(*buildah, *_build(image, options), str(_context(bak, place)))
        yield Containers("podman", podman, LIMITS, image)
    finally:
        for words in (("rm", "--all", "--force", "--time=0"), ("volume", "rm", "--all", "--force")):
            subprocess.run([*podman, *words], capture_output=True, check=False)
        subprocess.run([*buildah, "rm", "--all"], capture_output=True, check=False)
        _unmount(place)


def _build(image: str, options: Sequence[str] = ()) -> tuple[str, ...]:
    return (
        "build",
        *options,
        "--tag",
        image,
        "--build-arg=SOURCE=given",
        "--file",
        f"{ROOT}/docker/Dockerfile",
    )


def _context(bak: Path, place: Path) -> Path:
    """Return a folder with what the Dockerfile copies, the file to prove among it."""
    context = place / "context"
    shutil.copytree(ROOT / "docker", context / "docker")
    (context / "dist").mkdir()
    shutil.copy(bak, context / "dist" / "bak")
    (context / "dist" / "bak").chmod(0o755)
    return context


def _unmount(place: Path) -> None:
    """Let go of what an engine has left mounted, so that its folder can be removed."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounted if each.startswith(str(place))), reverse=True):
        subprocess.run([tool("umount", "mount"), "--lazy", mount], capture_output=True, check=False)
