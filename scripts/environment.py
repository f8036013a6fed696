"""Makes `.venv` ready: `environment.py runtime` to run Bakend, `dev` to test it, `packaging` to build it.

Runs on any Python 3.11 with nothing but the standard library. It is quick and needs no network when
there is nothing to do, two at once wait for each other, and an environment that was left half-made,
moved, or made from other lock files is made anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PYTHON_VERSION: Final = f"{sys.version_info.major}.{sys.version_info.minor}"

# What each kind of environment installs, in order; `build` is what installs the project itself.
LOCKS: Final[Mapping[str, Sequence[str]]] = {
    "runtime": ("build", "runtime"),
    "dev": ("build", "runtime", "dev"),
    "packaging": ("build", "runtime", "packaging"),
}


class SetUpError(Exception):
    """Raised when the environment cannot be made; its text is for the person at the terminal."""


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    print(text, flush=True)


class Environment:
    """The virtual environment of one clone, and the note in it of what was installed.

    The note is taken away before anything changes and written when everything is done, so that an
    environment without one is half-made.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.python = self.folder / "bin" / "python"
        self.note = self.folder / "bakend-set-up.json"

    def lock_file(self, name: str) -> Path:
        """Return the file with the exact versions and hashes of one kind of requirement."""
        return self.root / "requirements" / f"{name}.txt"

    def make_ready(self, kind: str, *, chosen_python: bool) -> None:
        """Do what is missing, and nothing else."""
        installed = self.read_note()
        if not self.is_sound(installed, chosen_python=chosen_python):
            self.make_anew()
            installed = {"root": str(self.root), "python": PYTHON_VERSION}
        wanted = {name: digest(self.lock_file(name)) for name in LOCKS[kind]}
        wanted["project"] = digest(self.root / "setup.cfg", self.root / "pyproject.toml")
        if wanted.items() <= installed.items():
            return

        self.note.unlink(missing_ok=True)
        for name in LOCKS[kind]:
            if installed.get(name) != wanted[name]:
                self.install_requirements(name)
        if installed.get("project") != wanted["project"]:
            self.install_project()
        self.note.write_text(json.dumps({**installed, **wanted}, indent=2) + "\n")

    def read_note(self) -> dict[str, str]:
        """Return what was installed; nothing when the environment is missing or half-made."""
        try:
            return {
                str(key): str(value) for key, value in json.loads(self.note.read_text()).items()
            }
        except (OSError, ValueError, AttributeError):
            return {}

    def is_sound(self, installed: Mapping[str, str], *, chosen_python: bool) -> bool:
        """Tell whether the environment can be kept: same place, working Python, same locks."""
        if installed.get("root") != str(self.root):
            return False
        if chosen_python and installed.get("python") != PYTHON_VERSION:
            return False
        for name in {name for names in LOCKS.values() for name in names}:
            if name in installed and installed[name] != digest(self.lock_file(name)):
                return False
        # Also False when the Python it was made from is gone, or is another version now.
        asked = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            answer = subprocess.run(
                [self.python, "-c", asked], capture_output=True, text=True, check=False
            )
        except OSError:
            return False
        return answer.stdout.strip() == installed.get("python")

    def make_anew(self) -> None:
        """Leave a fresh environment with nothing in it but pip."""
        self.note.unlink(missing_ok=True)
        if self.folder.is_symlink():
            self.folder.unlink()
        elif self.folder.exists():
            say("Removing a virtual environment that does not fit any more")
            shutil.rmtree(self.folder)
        if importlib.util.find_spec("ensurepip") is None:
            install_ensurepip()
        say(f"Making the virtual environment .venv with Python {PYTHON_VERSION}")
        run([sys.executable, "-m", "venv", str(self.folder)], "The virtual environment")

    def install_requirements(self, name: str) -> None:
        """Install exactly what a lock file says, each file checked against its hash."""
        lock = self.lock_file(name)
        say(f"Installing the packages of requirements/{name}.txt")
        self.pip("--require-hashes", "-r", str(lock), what=f"requirements/{name}.txt")

    def install_project(self) -> None:
        """Make `bak` and `import bakend` work from the clone; needs no network."""
        say("Installing Bakend itself, from this folder")
        self.pip(
            "--no-build-isolation", "--no-deps", "--editable", str(self.root), what="Bakend itself"
        )

    def pip(self, *arguments: str, what: str) -> None:
        """Install something; silent unless it fails."""
        command = [str(self.python), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        run([*command, "install", *arguments], what)


def digest(*files: Path) -> str:
    """Return a short fingerprint of what the files hold."""
    total = hashlib.sha256()
    for file in files:
        total.update(file.read_bytes() + b"\0")
    return total.hexdigest()[:32]


def run(command: Sequence[str], what: str) -> None:
    """Run a command in silence; when it fails, show all that it said."""
    # A person's pip settings that send packages elsewhere would miss the environment.
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_REQUIRE_HASHES"}
    }
    done = subprocess.run(
        command,
        env={**kept, "PIP_USER": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise SetUpError(f"{done.stdout.rstrip()}\n\n{what} could not be installed (see above)")


def install_ensurepip() -> None:
    """Get the part of Python that Debian and Ubuntu keep in a package of its own."""
    package = f"python{PYTHON_VERSION}-venv"
    lacking = f"{sys.executable} lacks ensurepip, which makes virtual environments"
    if shutil.which("apt-get") is None:
        raise SetUpError(f"{lacking}\nInstall your system's package for it, and start again")
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    if os.geteuid() != 0:
        command = f"sudo apt-get update && sudo apt-get install -y {package}"
        raise SetUpError(f"{lacking}\nRun this once, and start again: {command}")

    say(f"Installing the system's package {package}, which this Python needs for .venv")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    try:
        run(install, package)
    except SetUpError:
        # A fresh machine has not read its list of packages yet.
        run(["apt-get", "update"], "The system's list of packages")
        run(install, package)


@contextlib.contextmanager
def alone(root: Path) -> Iterator[None]:
    """Wait until no other set-up of this clone runs; the system frees the lock if we die."""
    with (root / ".venv.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Waiting for another set-up of this folder to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """Make the environment of this clone ready for `runtime`, `dev` or `packaging`."""
    (kind,) = arguments
    try:
        with alone(ROOT):
            Environment(ROOT).make_ready(kind, chosen_python=bool(os.environ.get("PYTHON")))
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Set-up needs to write in {ROOT}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
