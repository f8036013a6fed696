"""Makes everything that is published, from this clone: `scripts/build` runs it in its environment.

packages -> zipapp -> interpreter (or its cache) -> head -> executable -> tarballs, checksums, bill.
The same commit gives the same bytes, in any folder, with or without the cache (but for --pgo).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from application.stage import download, make_stage, requirements, run
from interpreter.progress import BuildError, say, step
from release import signing

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent

# Nothing of whoever builds reaches what is built: neither names nor the order of sets.
CLEAN: Final = {"LC_ALL": "C.UTF-8", "PATH": os.defpath, "PYTHONHASHSEED": "0"}

BAK_BUDGET: Final = 30_000_000
TARBALL_BUDGET: Final = 16_500_000


@dataclass(frozen=True, slots=True)
class Commit:
    """What is built."""

    name: str
    """With `-dirty` when files differ from it; `unknown` where there is no repository."""
    at: datetime


def commit_of(root: Path) -> Commit:
    """Ask git; without a repository, SOURCE_DATE_EPOCH says the time."""
    git = ["git", "-C", str(root)]
    try:
        name = run([*git, "rev-parse", "HEAD"]).strip()
        seconds = run([*git, "show", "--no-patch", "--format=%ct", "HEAD"]).strip()
        changed = run([*git, "status", "--porcelain"])
    except (BuildError, OSError):
        return Commit("unknown", instant(os.environ.get("SOURCE_DATE_EPOCH", "315532800")))
    return Commit(f"{name}-dirty" if changed else name, instant(seconds))


def instant(seconds: str) -> datetime:
    """Return the moment that so many seconds after 1970 make."""
    return datetime.fromtimestamp(int(seconds), UTC)


def describe(root: Path, commit: Commit) -> dict[str, Any]:
    """Return what every product says of itself."""
    program = (
        "import json; from bakend.version import VERSION;"
        " from bakend.database.migrations import STEPS; print(json.dumps([VERSION, max(STEPS)]))"
    )
    asked = run([sys.executable, "-c", program], env={**CLEAN, "PYTHONPATH": str(root / "src")})
    version, schema = json.loads(asked)
    return {
        "version": version,
        "commit": commit.name,
        "builtAt": commit.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "schemaVersion": schema,
    }


def make_zipapp(stage: Path, output: Path, about: dict[str, Any], commit: Commit) -> None:
    """Have shiv make the zipapp that runs with any Python from 3.11 on."""
    # The zipapp keeps the modes of files, and shiv's own have those that .venv was made with.
    bootstrap = run([sys.executable, "-c", "import shiv.bootstrap as b; print(b.__path__[0])"])
    for file in Path(bootstrap.strip()).glob("*.py"):
        file.chmod(0o644)
    epoch = str(int(commit.at.timestamp()))
    environ = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "TZ": "UTC"}
    words: list[str | Path] = ["--reproducible", "--compressed"]
    words += ["--site-packages", stage, "--output-file", output]
    words += ["--entry-point", "bakend.__main__:main", "--python", "/usr/bin/env python3"]
    run([sys.executable, "-m", "shiv"], words, env=environ)
    answered = run(
        [sys.executable, output, "version"], env={**CLEAN, "SHIV_ROOT": str(stage.parent)}
    )
    if answered.strip() != about["version"]:
        raise BuildError(f"{output} said {answered.strip()} instead of its version")


def make_interpreter(asked: argparse.Namespace, cache: Path | None) -> Path:
    """Return the tree of the interpreter; its own script shows its progress."""
    command = [str(HERE / "interpreter" / "build"), "--json", *interpreter_options(asked, cache)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise BuildError("The interpreter could not be built (see above)")
    return Path(json.loads(done.stdout)["tree"])


def interpreter_options(asked: argparse.Namespace, cache: Path | None) -> list[str]:
    """Return our options as the interpreter's script takes them."""
    return [
        *(["--target", asked.target] if asked.target else []),
        *(["--host-toolchain"] if asked.host_toolchain else []),
        *(["--pgo"] if asked.pgo else []),
        *(["--lto"] if asked.lto else []),
        *(["--cache", str(cache)] if cache else []),
    ]


def link_head(tree: Path, head: Path, cache: Path | None) -> None:
    """Compile main.c and link it with all of Python."""
    command: list[str | Path] = [HERE / "interpreter" / "link", "--tree", tree, "--output", head]
    run(command, ["--cache", str(cache)] if cache else [], [HERE / "head" / "main.c"])


def run_inside(tree: Path, module: str, *arguments: str | Path) -> str:
    """Run one of our modules on the Python that is packed: its compiler and zlib are the pinned ones."""
    python = next((tree / "bin").glob("python3.*"))
    environ = {**CLEAN, "PYTHONPATH": str(HERE)}
    return run([python, "-s", "-S", "-P", "-B", "-m", module], arguments, env=environ)


def require_importable(bak: Path, stage: Path) -> None:
    """Import every package from the finished file: one with a binary module only would fail."""
    names = sorted(
        {
            entry.stem
            for entry in stage.iterdir()
            if entry.suffix == ".py" or (entry / "__init__.py").exists()
        }
    )
    run([bak, "-I", "-c", f"import {', '.join([*names, 'pip'])}"], env=CLEAN)


def sign(output: Path) -> None:
    """Sign what is published, as far as there is a key; one that was given has to do."""
    try:
        if signing.sign(output, os.environ) is None:
            say(f"  not signed: {signing.VARIABLE} names no key")
    except signing.SigningError as error:
        if os.environ.get(signing.VARIABLE):
            raise BuildError(str(error)) from error
        say(f"  not signed: {error}")


def build(asked: argparse.Namespace, work: Path) -> None:
    """Do everything that was asked for."""
    output: Path = asked.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    cache = work / "cache" if asked.no_cache else asked.cache
    commit = commit_of(ROOT)
    about = describe(ROOT, commit)
    version = about["version"]
    say(f"Bakend {version}, commit {commit.name}, to {output}")

    stage, zipapp = work / "packages", output / f"bakend-v{version}.pyz"
    with step("packages, as locked"):
        make_stage(ROOT, stage, work, {**about, "target": "any", "glibc": None})
        lock = (ROOT / "requirements" / "packaging.txt").read_text()
        (pip,) = (each for each in requirements(lock) if each.startswith("pip=="))
        (pip_wheel,) = download(pip, work / "pip")
    with step(zipapp.name):
        make_zipapp(stage, zipapp, about, commit)
    if asked.zipapp_only:
        return

    tree = asked.interpreter or make_interpreter(asked, cache)
    head, bak = work / "head", output / "bak"
    with step("head"):
        link_head(tree, head, cache)
    with step("bak"):
        description = work / "fuse.json"
        description.write_text(
            json.dumps(
                {
                    "head": str(head),
                    "interpreter": str(tree),
                    "zipapp": str(zipapp),
                    "packages": str(stage),
                    "pip": str(pip_wheel),
                    "startup": str(HERE / "startup"),
                    "output": str(bak),
                    "about": about,
                }
            )
        )
        costs = run_inside(tree, "fuse.fuse", description)
    target = json.loads((tree / "link.json").read_text())["target"]
    if runs_here(bak):
        with step("every package imports from it"):
            require_importable(bak, stage)
    else:
        say(f"  bak is for {target} and was not run here")
    with step("tarballs, checksums, bill of materials"):
        example = ROOT / "packaging" / "release" / "bakend.json.example"
        run_inside(tree, "release.release", bak, zipapp, ROOT / "LICENSE", example, output)
    sign(output)
    say(costs.rstrip())
    packed = output / f"bakend-v{version}-{target}.tar.gz"
    for file, budget in ((bak, BAK_BUDGET), (packed, TARBALL_BUDGET)):
        size = file.stat().st_size
        say(f"  {file.name:<40} {size:>13,}" + (f"  over {budget:,}!" if size > budget else ""))


def runs_here(bak: Path) -> bool:
    """Tell whether this machine can run the file: it may be for another processor."""
    try:
        return subprocess.run([bak, "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/build", description="Make bak, the zipapp, tarballs, checksums and the bill."
    )
    add = parser.add_argument
    add("--target", metavar="TARGET", help="linux-x64, linux-arm64; default: this machine")
    add("--host-toolchain", action="store_true", help="this machine's compiler: quicker to set up,"
        " and bak needs a glibc as new as this machine's")  # fmt: skip
    add(
        "--pgo",
        action="store_true",
        help="train the interpreter: 2 to 20 %% faster, 3 minutes more",
    )
    add(
        "--lto",
        action="store_true",
        help="optimise when linking: 5 to 10 %% faster, 3 minutes more",
    )
    add("--output", type=Path, default=ROOT / "dist", metavar="DIR", help="default: dist")
    add("--cache", type=Path, metavar="DIR", help="where finished interpreters are kept")
    add("--no-cache", action="store_true", help="make the interpreter anew")
    add("--interpreter", type=Path, metavar="DIR", help="a finished interpreter, unpacked")
    add("--zipapp-only", action="store_true", help="stop after the zipapp, which takes no compiler")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Build, and tell what went wrong in a sentence."""
    asked = parse(arguments)
    os.umask(0o022)
    try:
        with tempfile.TemporaryDirectory(prefix="bakend-build-") as work:
            build(asked, Path(work))
    except BuildError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
