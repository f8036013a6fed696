"""The door to pip: what to install is found by it, and installed by it, in child processes.

The environment's own pip in a clone; in the single file the one inside, since the file is a Python
interpreter too. Where packages come from is pip's own configuration, and nothing of ours.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import importlib_resources

from bakend.structs import Struct

from .failures import explain, unreachable
from .requirements import normal_name

# A person's settings that choose where or what to install would turn an installation elsewhere.
_OURS: Final = frozenset(
    f"PIP_{name}"
    for name in (
        *("ABI", "IMPLEMENTATION", "PLATFORM", "PYTHON", "PYTHON_VERSION"),
        *("DRY_RUN", "EDITABLE", "NO_BINARY", "NO_DEPS", "ONLY_BINARY", "REQUIREMENT"),
        *("PREFIX", "ROOT", "TARGET", "LOG", "QUIET", "REPORT", "VERBOSE"),
    )
)

_DOWNLOAD: Final = re.compile(r"\s*Downloading (\S+\.whl) (\(.*\))")


class Found(Struct):
    """One package that pip has chosen for this platform."""

    name: str
    version: str
    digest: str
    """Of its wheel for this platform."""


class OnIndex(Struct):
    """What the index has of one package, for all platforms."""

    hashes: frozenset[str]
    """Of all wheels of the version that was asked for."""
    wheels: int
    others: int
    """Source archives, of all versions."""


class Pip:
    """pip, with a folder for what it leaves lying about.

    Thread: any; each call is a process of its own.
    """

    def __init__(self, work: Path, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
        """Prepare.

        Args:
            work: For temporary files; on the disk that packages go to.
            environ: The environment of `bak`.
            say: Told each download.
        """
        self._work = work
        self._wheels = work / "wheels"
        self._say = say
        kept = {name: text for name, text in environ.items() if name not in _OURS}
        self._environ = {
            **kept,
            **_home(environ, work),
            "PIP_USER": "0",
            "PIP_REQUIRE_HASHES": "0",
            "PIP_REQUIRE_VIRTUALENV": "0",
            "PYTHONUTF8": "1",
            "TMPDIR": str(work),
        }

    def fetch(self, wanted: Iterable[str], constraints: Mapping[str, str]) -> list[Found]:
        """Find and download what is needed for some requirements, as wheels for this platform.

        Raises:
            PackageError: There is no such thing.
            UnavailableError: The index does not answer.
        """
        requirements = self._write("wanted.txt", wanted)
        limits = self._write("limits.txt", (f"{name}=={v}" for name, v in constraints.items()))
        shutil.rmtree(self._wheels, ignore_errors=True)
        self._wheels.mkdir()
        self._run(
            *("download", "--dest", str(self._wheels)),
            *("--constraint", str(limits), "--requirement", str(requirements)),
        )
        return [_found(each) for each in sorted(self._wheels.glob("*.whl"))]

    def on_index(self, asked: Mapping[str, str | None]) -> dict[str, OnIndex]:
        """Ask what files there are, by name, for a version or for the package as such.

        Raises:
            UnavailableError: The index does not answer.
        """
        source = importlib_resources.files("bakend.usercode.packages") / "index_worker.py"
        done = subprocess.run(
            [sys.executable, "-P", "-c", source.read_text(encoding="utf-8")],
            input=json.dumps(dict(asked)),
            env=self._environ,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise explain(done.stderr)
        answer = json.loads(done.stdout)
        packages = {
            name: OnIndex(frozenset(each["hashes"]), each["wheels"], each["others"])
            for name, each in answer["packages"].items()
        }
        if answer["unanswered"] and not all(each.wheels for each in packages.values()):
            raise unreachable("\n".join(answer["unanswered"]))
        return packages

    def install(self, lock_text: str, *, fetched: bool) -> Path:
        """Install exactly what a lock says, and return the folder with it.

        Args:
            fetched: Whether `fetch` has brought it; else it comes from the index.

        Raises:
            PackageError: It cannot be had for this platform, or is not what the lock says.
            UnavailableError: The index does not answer.
        """
        target = self._work / "installed"
        target.mkdir()
        if "==" in lock_text:
            source = ("--no-index", "--find-links", str(self._wheels)) if fetched else ()
            self._run(
                *("install", "--no-deps", "--require-hashes", "--target", str(target), *source),
                *("--requirement", str(self._write("locked.txt", [lock_text]))),
            )
        return target

    def _run(self, command: str, *arguments: str) -> None:
        """Run one of pip's commands, and raise what its failure means."""
        # -P: a file of the project called json.py is not the one that pip means.
        words = [sys.executable, "-P", "-m", "pip", command, "--only-binary", ":all:"]
        words += ["--disable-pip-version-check", "--no-input", "--no-color"]
        words += ["--progress-bar", "off", *arguments]
        output: list[str] = []
        with subprocess.Popen(
            words,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as running:
            assert running.stdout is not None
            for line in running.stdout:
                output.append(line)
                download = _DOWNLOAD.match(line)
                if download:
                    self._say(f"  {Path(download[1]).name} {download[2]}")
        if running.returncode != 0:
            raise explain("".join(output))

    def _write(self, name: str, lines: Iterable[str]) -> Path:
        path = self._work / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path


def _home(environ: Mapping[str, str], work: Path) -> dict[str, str]:
    """Return a place for pip's cache where there is no home: without one, pip ends at once."""
    if environ.get("HOME"):
        return {}
    made = {"XDG_CACHE_HOME": environ.get("XDG_CACHE_HOME") or str(work / "cache")}
    try:
        Path.home()  # from the system's list of users
    except RuntimeError:
        made["HOME"] = str(work)
    return made


def _found(wheel: Path) -> Found:
    """Return what a wheel is; its name says it: `NAME-VERSION-….whl`."""
    name, version, *_tags = wheel.name.split("-")
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Found(normal_name(name), version, f"sha256:{digest}")
