"""Targets, compilers and the place a build runs in: this machine, or a bullseye tree made for it.

The bullseye tree is what keeps releases usable on older systems: an executable asks for the glibc it
was linked against. It also keeps this machine's headers and libraries out, which configure scripts
would otherwise find and use.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interpreter import sources, store
from interpreter.progress import BuildError, say, step

SUITE: Final = "bullseye"
# What floor.c lowers an executable linked against bullseye's glibc 2.31 to.
BULLSEYE_FLOOR: Final = "2.28"
TREE_PACKAGES: Final = ("gcc", "libc6-dev", "make", "perl", "xz-utils", "bzip2")
HOST_PACKAGES: Final = ("gcc", "libc6-dev", "make", "perl", "binutils")
# libffi's tarball in Debian has no configure; bullseye's autoconf is too old to make one.
BOOTSTRAP_PACKAGES: Final = ("autoconf", "automake", "libtool", "libltdl-dev")
SYSTEM_PATH: Final = "/usr/bin:/bin:/usr/sbin:/sbin"


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of machine the interpreter runs on."""

    name: str
    system: str
    machine: str
    """As `uname -m` says there."""
    triplet: str
    """As GNU tools and Debian call it."""
    openssl: str
    """As OpenSSL's Configure calls it."""


TARGETS: Final[Mapping[str, Target]] = {
    target.name: target
    for target in (
        Target("linux-x64", "Linux", "x86_64", "x86_64-linux-gnu", "linux-x86_64"),
        Target("linux-arm64", "Linux", "aarch64", "aarch64-linux-gnu", "linux-aarch64"),
        Target("darwin-arm64", "Darwin", "arm64", "arm64-apple-darwin", "darwin64-arm64-cc"),
        Target("darwin-x64", "Darwin", "x86_64", "x86_64-apple-darwin", "darwin64-x86_64-cc"),
    )
}


def this_machine() -> Target:
    """Return the target this machine is."""
    for target in TARGETS.values():
        if (target.system, target.machine) == (platform.system(), platform.machine()):
            return target
    raise BuildError(f"No interpreter can be built on {platform.system()} {platform.machine()}")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A compiler for a target, and where it stands."""

    kind: str
    """`bullseye`, `host` or `xcode`."""
    target: Target
    build: Target
    """What the machine that builds is."""
    root: Path | None
    """The tree commands run in; None is this machine."""

    @property
    def is_cross(self) -> bool:
        """Whether what it makes cannot run where it is made."""
        return self.target != self.build

    @property
    def prefix(self) -> str:
        """What the names of the target's own tools begin with."""
        return f"{self.target.triplet}-" if self.is_cross else ""

    @property
    def compiler(self) -> str:
        """The name of the C compiler."""
        return "clang" if self.kind == "xcode" else f"{self.prefix}gcc"

    def tool(self, name: str) -> str:
        """Return the name of one of the target's binutils, such as `strip`."""
        return f"{self.prefix}{name}"

    def packages(self) -> tuple[str, ...]:
        """Return what Debian calls the parts of this toolchain."""
        cross = {
            "linux-arm64": ("gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"),
            "linux-x64": ("gcc-x86-64-linux-gnu", "libc6-dev-amd64-cross"),
        }
        native = TREE_PACKAGES if self.kind == "bullseye" else HOST_PACKAGES
        return native + (cross[self.target.name] if self.is_cross else ())

    def identity(self) -> dict[str, object]:
        """Return what two toolchains that make the same bytes have in common."""
        if self.kind == "bullseye":
            return {"kind": SUITE, "packages": self.packages(), "build": self.build.name}
        version = run_quietly([f"/usr/bin/{self.compiler}", "--version"]).splitlines()[0]
        libc = (
            os.confstr("CS_GNU_LIBC_VERSION")
            if self.build.system == "Linux"
            else platform.mac_ver()[0]
        )
        return {"kind": self.kind, "compiler": version, "libc": libc, "build": self.build.name}

    def floor(self) -> str | None:
        """Return the highest glibc version a product may ask for; None on a Mac."""
        if self.kind == "xcode":
            return None
        if self.kind == "bullseye":
            return BULLSEYE_FLOOR
        # A cross compiler brings its own glibc, of the same Debian as ours.
        return (os.confstr("CS_GNU_LIBC_VERSION") or "glibc 0").split()[-1]


def choose(target_name: str | None, cache: Path, *, host_toolchain: bool) -> Toolchain:
    """Return the toolchain for a target, without making it ready.

    Raises:
        BuildError: This machine cannot build for that target.
    """
    build = this_machine()
    target = TARGETS[target_name] if target_name else build
    if build.system != target.system:
        raise BuildError(f"{target.name} is built on {target.system}; this is {build.system}")
    if build.system == "Darwin":
        if target != build:
            raise BuildError(f"{target.name} is built on such a Mac; this one is {build.name}")
        return Toolchain("xcode", target, build, None)
    if host_toolchain:
        return Toolchain("host", target, build, None)
    chosen = Toolchain(SUITE, target, build, None)
    name = f"{SUITE}-{target.name}-{store.key_of(chosen.identity())}"
    return Toolchain(SUITE, target, build, cache / "roots" / name)


def make_ready(toolchain: Toolchain) -> None:
    """Install what is missing of a toolchain, or make its tree.

    Raises:
        BuildError: That needs root, and we are not; names the command to run.
    """
    if toolchain.kind == "xcode":
        if shutil.which("clang") is None:
            raise BuildError("clang is missing; install it with: xcode-select --install")
        return
    if toolchain.root is None:
        needed = {"gcc": "gcc", "make": "make", "perl": "perl", "readelf": "binutils"}
        if any(
            shutil.which(tool, path=SYSTEM_PATH) is None for tool in (*needed, toolchain.compiler)
        ):
            install(toolchain.packages())
        return
    if os.geteuid() != 0:
        raise BuildError(
            f"A {SUITE} tree is made and entered as root: start again as root,"
            " or use --host-toolchain (the result then needs a glibc as new as this machine's)"
        )
    if store.is_made(toolchain.root):
        return
    if shutil.which("debootstrap") is None:
        install(("debootstrap",))
    store.make_once(toolchain.root, f"the {SUITE} tree", lambda root: make_tree(root, toolchain))


def make_tree(root: Path, toolchain: Toolchain) -> None:
    """Fill a folder with a small Debian and the compiler."""
    with step(f"{SUITE} tree for {toolchain.target.name}"):
        failures = []
        for archive in sources.archives():
            command = ["/usr/sbin/debootstrap", "--variant=minbase"]
            command += [f"--include={','.join(toolchain.packages())}", SUITE, str(root), archive]
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", check=False
            )
            if done.returncode == 0:
                return
            failures.append(f"{archive}:\n{(done.stdout + done.stderr)[-2000:]}")
    raise BuildError(f"debootstrap could not make the {SUITE} tree\n" + "\n".join(failures))


def install(packages: Sequence[str]) -> None:
    """Install Debian packages on this machine.

    Raises:
        BuildError: It is no Debian, we are not root, or apt-get fails.
    """
    command = ["apt-get", "install", "-y", "--no-install-recommends", *packages]
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise BuildError(
            f"Missing here: {' '.join(packages)}. Run this once: sudo {' '.join(command)}"
        )
    say(f"Installing the system's packages {' '.join(packages)}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for attempt in (command, ["apt-get", "update"], command):
        done = subprocess.run(attempt, env=environ, capture_output=True, text=True, check=False)
        if done.returncode == 0 and attempt is command:
            return
    raise BuildError(
        f"{done.stdout}{done.stderr}\n{' '.join(packages)} could not be installed (see above)"
    )


def run_quietly(command: Sequence[str]) -> str:
    """Return what a command prints; its failure is a failure of the build."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{' '.join(command)} failed:\n{done.stderr}")
    return done.stdout
