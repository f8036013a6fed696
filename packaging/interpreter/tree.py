"""The finished interpreter: what is kept, what is cleaned, and the tarball, the same bytes each time."""

from __future__ import annotations

import gzip
import io
import json
import pprint
import re
import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from interpreter import cpython, libraries, linking
from interpreter.cpython import SERIES
from interpreter.toolchains import Target
from interpreter.workshop import Workshop

# What cannot work in one file: tests, what needs a terminal library or Tk, what makes environments of
# links to the executable. Leaving out more saves next to nothing: all of it is 4 MB deflated.
DROPPED: Final = frozenset(
    """
    test idlelib tkinter turtle.py turtledemo ensurepip venv _pyrepl pydoc_data lib2to3
    site-packages __pycache__ lib-dynload
    """.split()  # noqa: SIM905 - easier to read and to change than quoted words
)
OTHER_SYSTEMS: Final = frozenset(
    """
    _aix_support.py _android_support.py _ios_support.py nturl2path.py
    asyncio/windows_events.py asyncio/windows_utils.py multiprocessing/popen_spawn_win32.py
    encodings/mbcs.py encodings/oem.py
    """.split()  # noqa: SIM905 - easier to read and to change than quoted words
)
ONLY_ON_MAC: Final = frozenset(("_osx_support.py", "_apple_support.py", "ctypes/macholib"))


def assemble(
    shop: Workshop,
    tree: Path,
    *,
    libraries_stage: Path,
    python_stage: Path,
    build_python_stage: Path,
    flags: Sequence[str],
) -> None:
    """Put the tree of the tarball together, all but its two descriptions.

    Args:
        build_python_stage: The finished CPython of the machine that builds.
        flags: What was given to compilers and is no business of those who use this Python.
    """
    chain = shop.toolchain
    lib = tree / "lib"
    lib.mkdir(parents=True)
    for archive in libraries.ARCHIVES:
        shutil.copy(libraries_stage / "lib" / archive, lib)
    for archive in linking.PYTHON_ARCHIVES:
        shutil.copy(python_stage / "lib" / archive, lib)
    mac = chain.kind == "xcode"
    (lib / "exports.list").write_text(linking.MAC_EXPORTS if mac else linking.EXPORTS)
    if chain.kind == "bullseye":
        compile_floor(shop, lib / "floor.o")

    copy_stdlib(
        python_stage / "installed" / "lib" / f"python{SERIES}",
        lib / f"python{SERIES}",
        chain.target,
    )
    for file in (lib / f"python{SERIES}").glob("_sysconfigdata_*.py"):
        file.write_text(
            clean_sysconfig(file.read_text(), str(shop.inside(shop.folder.parent)), flags)
        )
    # An empty folder, without which this Python would complain at each start.
    (lib / f"python{SERIES}" / "lib-dynload").mkdir()

    shutil.copytree(python_stage / "installed" / "include", tree / "include")
    shutil.copytree(libraries_stage / "include" / "openssl", tree / "include" / "openssl")
    (tree / "licences").mkdir()
    for stage in (libraries_stage, python_stage):
        for text in (stage / "licences").iterdir():
            shutil.copy(text, tree / "licences")
    (tree / "bin").mkdir()
    program = tree / "bin" / f"python{SERIES}"
    shutil.copy(build_python_stage / "bin" / program.name, program)
    # For the machine that builds, so without the target's prefix.
    shop.run(["strip", program], cwd=tree)


def compile_floor(shop: Workshop, out: Path) -> None:
    """Compile the object that lowers the floor."""
    shutil.copy(Path(__file__).with_name("floor.c"), shop.folder)
    shop.run(
        [
            shop.toolchain.compiler,
            "-O2",
            "-g0",
            "-fPIC",
            "-Wall",
            "-fno-builtin",
            "-c",
            "floor.c",
            "-o",
            "floor.o",
        ],
        cwd=shop.folder,
    )
    shutil.copy(shop.folder / "floor.o", out)


def is_dropped(name: str, target: Target) -> bool:
    """Tell whether something of the standard library stays out, by its path in it."""
    if name in DROPPED or name in OTHER_SYSTEMS or name.startswith("config-"):
        return True
    if name.endswith("/__pycache__"):
        return True
    return name in ONLY_ON_MAC and target.system != "Darwin"


def copy_stdlib(source: Path, out: Path, target: Target) -> None:
    """Copy what is kept of the standard library."""

    def ignored(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(source)
        return {name for name in names if is_dropped((inside / name).as_posix(), target)}

    shutil.copytree(source, out, ignore=ignored)


def clean_sysconfig(text: str, folder: str, flags: Sequence[str]) -> str:
    """Return a _sysconfigdata module that names neither the build folder nor our flags.

    pip and wheels read it on the host, where only the names of platform and ABI mean anything.
    """
    found: dict[str, Any] = {}
    exec(compile(text, "_sysconfigdata", "exec"), found)  # noqa: S102 - the build has just made it
    unwanted = {*flags, *cpython.FLAGS.split()}
    cleaned = {
        name: clean_value(value, folder, unwanted) if isinstance(value, str) else value
        for name, value in found["build_time_vars"].items()
    }
    body = pprint.pformat(dict(sorted(cleaned.items())), width=100)
    return f"# system configuration, without what belongs to the build\nbuild_time_vars = {body}\n"


def clean_value(value: str, folder: str, unwanted: set[str]) -> str:
    """Return one value without the words that name the build folder or are flags of ours."""
    if folder not in value and not unwanted.intersection(re.split(r"[\s'=]+", value)):
        return value
    # CONFIG_ARGS is quoted: each argument is one word here, blanks and all.
    words = re.findall(r"'[^']*'|\S+", value)
    kept = [
        word
        for word in words
        if folder not in word and not any(part in unwanted for part in re.split(r"[\s'=]+", word))
    ]
    return " ".join(kept)


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a description people may read, too."""
    file.write_text(json.dumps(content, indent=2) + "\n")


def pack(tree: Path, out: Path, epoch: int) -> None:
    """Make the tarball of a folder: sorted, one owner, one time, modes of two kinds."""
    with (
        out.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted((tree, *tree.rglob("*")), key=lambda path: path.relative_to(tree).parts):
            member = tarfile.TarInfo((Path(tree.name) / path.relative_to(tree)).as_posix())
            member.mtime = epoch
            if path.is_dir():
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
                continue
            content = path.read_bytes()
            member.size = len(content)
            member.mode = 0o755 if path.parent == tree / "bin" else 0o644
            archive.addfile(member, io.BytesIO(content))
