"""The folder of packages that zipapp and executable are made from: exactly what the lock says, and Bakend.

Every package must work as pure Python, since the executable imports from a zip: wheels for any platform
are taken first, and what only binary wheels have (MarkupSafe's) is taken without its binary modules.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from interpreter.progress import BuildError

# The platform whose wheels are taken when there is none for any; the same for every target, so that
# all of them carry the same packages. Its binary modules are dropped.
PLATFORMS: Final = (
    "--platform=manylinux_2_28_x86_64",
    "--platform=manylinux_2_17_x86_64",
    "--platform=manylinux2014_x86_64",
)

WHEELS_ONLY: Final = (
    "--no-deps",
    "--only-binary=:all:",
    "--implementation=cp",
    "--python-version=3.13",
)

# They tell how and where a package was installed here.
INSTALLER_NOTES: Final = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")

# What a wheel of ours is made from.
SOURCES: Final = ("src", "dashboard_build", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")


def make_stage(root: Path, folder: Path, work: Path, about: Mapping[str, Any]) -> None:
    """Fill a folder with Bakend and everything it needs.

    Args:
        root: The clone.
        folder: Made here; what `sys.path` gets.
        work: For what is needed on the way.
        about: What `bak version --verbose` tells of the build.
    """
    lock = (root / "requirements" / "runtime.txt").read_text()
    wheels = [*download(lock, work / "wheels"), make_wheel(root, work)]
    pip(
        ["install", "--no-index", "--no-compile", "--target", folder],
        [*WHEELS_ONLY, *PLATFORMS, *wheels],
    )
    for useless in (*folder.rglob("*.so"), *folder.glob("bin"), *folder.rglob("__pycache__")):
        shutil.rmtree(useless) if useless.is_dir() else useless.unlink()
    for metadata in folder.glob("*.dist-info"):
        for name in INSTALLER_NOTES:
            (metadata / name).unlink(missing_ok=True)
    (folder / "bakend" / "build.json").write_text(
        json.dumps(about, indent=1, sort_keys=True) + "\n"
    )


def requirements(lock: str) -> Iterator[str]:
    """Yield each requirement of a lock file, with its hashes."""
    for block in re.split(r"^(?=[a-z])", lock, flags=re.MULTILINE):
        if "==" in block.partition("\n")[0]:
            yield block


def download(lock: str, folder: Path) -> list[Path]:
    """Get the wheels of a lock, checked against its hashes, pure ones where there are any.

    Raises:
        BuildError: One has no wheel; sources are not built, since that runs code of others.
    """
    fetch(lock, folder, PLATFORMS)
    for wheel in sorted(folder.glob("*.whl")):
        if wheel.stem.endswith("-any"):
            continue
        name = normalized(wheel.name.partition("-")[0])
        (requirement,) = (
            each for each in requirements(lock) if normalized(each.partition("==")[0]) == name
        )
        try:
            fetch(requirement, folder, ["--platform=any"])
        except BuildError:
            continue  # it has none for any platform
        wheel.unlink()
    return sorted(folder.glob("*.whl"))


def fetch(lock: str, folder: Path, platforms: Sequence[str]) -> None:
    """Download wheels for some platforms."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "lock.txt"
    file.write_text(lock)
    wanted: list[str | Path] = ["download", "--require-hashes", "--dest", folder, "-r", file]
    try:
        pip(wanted, [*WHEELS_ONLY, *platforms])
    finally:
        file.unlink()


def normalized(name: str) -> str:
    """Return a name as wheels and locks both can be compared by."""
    return re.sub(r"[-_.]+", "-", name).lower()


def make_wheel(root: Path, work: Path) -> Path:
    """Make Bakend's wheel from a copy: setuptools leaves things behind, and takes in what it finds."""
    copy = work / "source"
    copy.mkdir()
    for name in SOURCES:
        source = root / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")
            shutil.copytree(source, copy / name, ignore=ignored)
        elif source.exists():
            shutil.copy(source, copy)
    pip(["wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", work / "wheel"], [copy])
    (wheel,) = (work / "wheel").glob("*.whl")
    return wheel


def pip(command: Sequence[str | Path], arguments: Sequence[str | Path]) -> None:
    """Run this environment's pip; silent unless it fails."""
    run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"],
        command,
        arguments,
    )


def run(*words: Sequence[str | Path], env: Mapping[str, str] | None = None) -> str:
    """Run a command and return what it printed; when it fails, show all that it said.

    Raises:
        BuildError: It failed.
    """
    command = [str(word) for part in words for word in part]
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        shown = " ".join(command[:6])
        raise BuildError(f"{done.stdout}{done.stderr}\n{shown} … failed (see above)")
    return done.stdout
