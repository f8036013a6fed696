"""How an executable is linked with all of Python: written into link.json, and done from there.

Nothing else in the project knows a linker flag: the probe of the build and the executable that ships
are linked by the same function from the same file.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from interpreter import cpython, gates, libraries
from interpreter.cpython import Options
from interpreter.progress import BuildError
from interpreter.toolchains import Toolchain
from interpreter.workshop import Workshop

FORMAT: Final = 1
# Python's C interface and nothing else: `-rdynamic` would also export OpenSSL, and with
# `--exclude-libs,ALL` not even Python.
EXPORTS: Final = "{ Py*; _Py*; };\n"
MAC_EXPORTS: Final = "_Py*\n__Py*\n"
# The functions floor.c has an older version of.
WRAPPED: Final = ("exp", "exp2", "log", "log2", "pow")
PYTHON_ARCHIVES: Final = tuple(Path(name).name for name in cpython.ARCHIVES)

Link = Mapping[str, Any]
"""What link.json holds."""


def describe(toolchain: Toolchain, options: Options, version: str, compiler: str) -> dict[str, Any]:
    """Return what link.json of a build says, all but what the finished probe shows."""
    mac = toolchain.kind == "xcode"
    return {
        "format": FORMAT,
        "target": toolchain.target.name,
        "python": version,
        "toolchain": {
            "kind": toolchain.kind,
            "compiler": compiler,
            "cc": toolchain.compiler,
            "strip": toolchain.tool("strip"),
            "objcopy": None if mac else toolchain.tool("objcopy"),
        },
        "compile": compile_line(toolchain),
        "link": mac_link_line() if mac else linux_link_line(toolchain, options),
        "floor": toolchain.floor(),
        "needed": sorted(gates.MAC_LIBRARIES if mac else gates.LIBC_FAMILY),
    }


def compile_line(toolchain: Toolchain) -> list[str]:
    """Return the arguments that compile one source, all but `-c SOURCE -o OBJECT`."""
    common = ["-O2", "-g0", "-Wall", "-ffunction-sections", "-fdata-sections"]
    headers = [f"-I{{tree}}/include/python{cpython.SERIES}", "-I{tree}/include"]
    if toolchain.kind == "xcode":
        return [*common, "-mmacosx-version-min=11.0", *headers]
    return [*common, "-fPIE", "-fvisibility=hidden", *headers]


def linux_link_line(toolchain: Toolchain, options: Options) -> list[str]:
    """Return the arguments that link an ELF executable."""
    low = toolchain.kind == "bullseye"
    python, *helpers = PYTHON_ARCHIVES
    lto = ["-O3", "-flto=2", "-fuse-linker-plugin", "-fno-semantic-interposition", "-fwrapv"]
    return [
        "-pie",
        "-o",
        "{output}",
        *(lto * options.lto),
        "{objects}",
        *(["{tree}/lib/floor.o"] * low),
        "-Wl,--whole-archive",
        f"{{tree}}/lib/{python}",
        "-Wl,--no-whole-archive",
        *(f"{{tree}}/lib/{name}" for name in (*helpers, *libraries.ARCHIVES)),
        # -lrt is shm_open, -lutil is openpty, before glibc 2.34.
        *("-lm", "-ldl", "-lpthread", "-lutil", "-lrt"),
        *(f"-Wl,--wrap={name}" for name in WRAPPED * low),
        "-Wl,--dynamic-list={tree}/lib/exports.list",
        "-Wl,--gc-sections",
        "-Wl,-z,relro,-z,now",
        "-Wl,-z,noexecstack",
        "-Wl,--build-id=none",
        "-Wl,-s",
    ]


def mac_link_line() -> list[str]:
    """Return the arguments that link a Mach-O executable; written from the manuals, not tried here."""
    python, *helpers = PYTHON_ARCHIVES
    return [
        "-mmacosx-version-min=11.0",
        "-o",
        "{output}",
        "{objects}",
        "-Wl,-force_load,{tree}/lib/" + python,
        *(f"{{tree}}/lib/{name}" for name in (*helpers, *libraries.ARCHIVES)),
        *("-framework", "CoreFoundation", "-framework", "SystemConfiguration"),
        "-Wl,-exported_symbols_list,{tree}/lib/exports.list",
        "-Wl,-dead_strip",
        "-Wl,-x",
    ]


def read(tree: Path) -> Link:
    """Read link.json of an unpacked interpreter.

    Raises:
        BuildError: The folder is no such tree, or one of another time.
    """
    try:
        link: Link = json.loads((tree / "link.json").read_text())
    except (OSError, ValueError) as error:
        raise BuildError(f"{tree} is not an unpacked interpreter: {error}") from error
    if link.get("format") != FORMAT:
        raise BuildError(
            f"{tree}/link.json has format {link.get('format')}; this program knows {FORMAT}"
        )
    return link


def fill(line: Sequence[str], tree: str, output: str, objects: Sequence[str]) -> list[str]:
    """Return a line of link.json with its places filled."""
    words: list[str] = []
    for word in line:
        if word == "{objects}":
            words += objects
        else:
            words.append(word.replace("{tree}", tree).replace("{output}", output))
    return words


def link_executable(
    shop: Workshop, link: Link, tree: Path, sources: Sequence[Path], *, keep_symbols: bool = False
) -> Path:
    """Compile and link C sources with all of Python.

    Args:
        shop: A workshop of the toolchain the tree was built with.
        tree: The unpacked interpreter, below the workshop's folder if that is in a root of its own.
        sources: C files anywhere; headers beside them are found.

    Returns:
        The executable, in the workshop.
    """
    folder = shop.folder / "link"
    folder.mkdir(exist_ok=True)
    where, compiler = shop.inside(tree), link["toolchain"]["cc"]
    for header in {header for source in sources for header in source.parent.glob("*.h")}:
        shutil.copy(header, folder)
    objects = []
    for source in sources:
        # Compiled under a name that does not depend on where the project is.
        shutil.copy(source, folder)
        name = f"{source.stem}.o"
        flags = fill(link["compile"], where, "", ())
        shop.run([compiler, *flags, "-c", source.name, "-o", name], cwd=folder)
        objects.append(name)
    line = fill(link["link"], where, "head", objects)
    if keep_symbols:
        line = [word for word in line if word not in {"-Wl,-s", "-Wl,-x"}]
    shop.run([compiler, *line], cwd=folder)
    return folder / "head"


def check_executable(
    shop: Workshop, link: Link, head: Path, private: Sequence[str]
) -> dict[str, Any]:
    """Judge a linked executable, and return what was found.

    Args:
        private: Folders of this machine that must not be named in it.

    Raises:
        BuildError: Something is not as it must be.
    """
    if link["toolchain"]["kind"] == "xcode":
        names = [
            line.split()[-1].removeprefix("_")
            for line in ask(shop, ["nm", "-gU"], head).splitlines()
        ]
        loads = [line.split()[0] for line in ask(shop, ["otool", "-L"], head).splitlines()[1:]]
        highest = None
    else:
        readelf = link["toolchain"]["cc"].replace("gcc", "readelf")
        versions = ask(shop, [readelf, "--version-info", "--wide"], head)
        names = gates.exported_symbols(ask(shop, [readelf, "--dyn-syms", "--wide"], head))
        loads = gates.needed_libraries(ask(shop, [readelf, "--dynamic", "--wide"], head))
        gates.require(gates.floor(versions, link["floor"]))
        highest = gates.highest_glibc(versions)
    gates.require(
        gates.needed(loads),
        gates.exports(names),
        gates.no_paths("The executable", head.read_bytes(), private),
    )
    return {
        "glibc": highest,
        "needed": loads,
        "python_symbols": gates.python_symbols(names),
        "bytes": head.stat().st_size,
    }


def ask(shop: Workshop, command: Sequence[str], head: Path) -> str:
    """Return what a tool says about an executable."""
    return shop.run([*command, head], cwd=head.parent)
