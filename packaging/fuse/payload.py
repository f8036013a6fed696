"""What lies in the zip, and under which name."""

from __future__ import annotations

import hashlib
import importlib.machinery
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fuse import licences
from fuse.bytecode import compiled
from fuse.problems import FuseError

PACKAGES: Final = "site-packages/"
MANIFEST: Final = "bak.json"

# An executable has no place for them: binary modules, sources in C, hints for type checkers, tests,
# and two forms of websockets that nothing here can use: its former self, and that for trio.
USELESS: Final = re.compile(
    r"\.(so|c|h|pyx|pxd|pyi|pyc|exe)$|/py\.typed$|/tests/|/websockets/(legacy|trio)/"
)

# Nor is anything of other packages but what is compiled, and data; each 1,000 entries cost every process
# 2.7 ms.
UNREAD: Final = re.compile(r"\.(py|rst|md|js)$|/(LICENSE|COPYING)[^/]*$|/bom\.cdx\.json$")

# Of the metadata only what `importlib.metadata` is asked for; the texts of licences lie elsewhere.
METADATA_KEPT: Final = ("METADATA", "entry_points.txt")


OWN: Final = "bakend"
"""The package whose sources are there, for tracebacks; those of all others would be 1 MB."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the fuse step is given."""

    interpreter: Path
    """The tree of the interpreter."""
    zipapp: Path
    """What shiv made."""
    pip: Path
    """The wheel of pip."""
    startup: Path
    """The folder of our start-up modules."""
    about: Mapping[str, Any]
    """The version, commit, build time and schema version of what is built."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Everything in the zip."""

    entries: Mapping[str, bytes]
    components: tuple[licences.Component, ...]
    about: Mapping[str, Any]


def collect(parts: Parts) -> Payload:
    """Put everything together, all but the manifest included in its own sums."""
    link = json.loads((parts.interpreter / "link.json").read_text())
    built = json.loads((parts.interpreter / "build.json").read_text())
    series = ".".join(link["python"].split(".")[:2])
    about = {
        **parts.about,
        "target": link["target"],
        "python": link["python"],
        "glibc": link["floor"],
    }

    zipapp = read_zip(parts.zipapp)
    pip = {f"{PACKAGES}{name}": content for name, content in read_zip(parts.pip).items()}
    components = (
        *licences.of_interpreter(parts.interpreter / "licences", built),
        *(part for part in licences.of_packages(zipapp) if part.name != "bakend"),
        *licences.of_packages(pip),
        *licences.of_pip(pip),
    )

    entries = {
        **standard_library(parts.interpreter / "lib" / f"python{series}", f"lib/python{series}/"),
        **packages({**zipapp, **startup_modules(parts.startup, zipapp, pip), **pip}),
        **{name: zipapp[name] for name in zipapp if not name.startswith(PACKAGES)},
        f"{PACKAGES}bakend/build.json": dumped(about),
        "licences/index.json": dumped([part.row() for part in components]),
        licences.SUMMARY: licences.summary(components).encode(),
    }
    entries["environment.json"] = own_environment(entries)
    about = {**about, "components": [part.row() for part in components]}
    sums = {name: hashlib.sha256(entries[name]).hexdigest() for name in sorted(entries)}
    return Payload(
        {**entries, MANIFEST: dumped({"format": 1, **about, "files": sums})}, components, about
    )


def standard_library(folder: Path, prefix: str) -> dict[str, bytes]:
    """Return the compiled modules of the standard library; nothing else of it is ever read."""
    found = {}
    for file in sorted(folder.rglob("*.py")):
        name = prefix + file.relative_to(folder).as_posix()
        found[f"{name}c"] = compiled(file.read_bytes(), name)
    if not found:
        raise FuseError(f"{folder} holds no standard library")
    return found


def packages(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what is imported or read of packages: each source compiled, and kept if it is ours."""
    found = {}
    for name, content in files.items():
        if not name.startswith(PACKAGES) or USELESS.search(name):
            continue
        folder = name.split("/")[1]
        if folder.endswith(".dist-info") and name.split("/", 2)[2] not in METADATA_KEPT:
            continue
        if folder == OWN or not UNREAD.search(name):
            found[name] = content
        if name.endswith(".py"):
            found[f"{name}c"] = compiled(content, name)
    return found


def startup_modules(folder: Path, *packages_of: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return our own modules, with the index that one of them looks into."""
    index = {}
    for files in packages_of:
        for name in files:
            if found := re.fullmatch(rf"{PACKAGES}(([^/]+)-[^/-]+\.dist-info)/METADATA", name):
                index[licences.normalized(found[2])] = found[1]
    rows = "".join(f'    "{name}": "{index[name]}",\n' for name in sorted(index))
    source = f'"""Package to the folder of its metadata."""\n\nDISTRIBUTIONS = {{\n{rows}}}\n'
    return {
        **{f"{PACKAGES}{file.name}": file.read_bytes() for file in sorted(folder.glob("*.py"))},
        f"{PACKAGES}_bak_index.py": source.encode(),
    }


def own_environment(entries: Mapping[str, bytes]) -> bytes:
    """Return shiv's description with a name of its own for what it may extract.

    `python3.13 bak` extracts the packages to a cache, where those of another build must not be found.
    """
    environment = json.loads(entries["environment.json"])
    total = hashlib.sha256()
    for name in sorted(entries):
        if name != "environment.json":
            total.update(f"{name}\0{hashlib.sha256(entries[name]).hexdigest()}\n".encode())
    return dumped({**environment, "build_id": total.hexdigest()})


def stored(
    modules: Iterable[str], entries: Mapping[str, bytes], roots: Mapping[str, str]
) -> set[str]:
    """Return the entries that a start reads, which are not compressed.

    Args:
        modules: Name and file of each imported module, separated by a space.
        entries: What is in the zip.
        roots: Folder on disk to its place in the zip.
    """
    found = {name for name in entries if re.fullmatch(rf"{PACKAGES}_bak_(start|import)\.pyc", name)}
    for line in modules:
        _, _, origin = line.partition(" ")
        if not origin.endswith(tuple(importlib.machinery.SOURCE_SUFFIXES)):
            continue  # built in, frozen, or a folder
        for folder, prefix in roots.items():
            if origin.startswith(folder):
                found.add(f"{prefix}{origin[len(folder) :]}c")
    missing = found - set(entries)
    if missing:
        raise FuseError(f"a start imports what is not in the zip: {', '.join(sorted(missing))}")
    return found


def read_zip(file: Path) -> dict[str, bytes]:
    """Return what a zip holds, by name."""
    with zipfile.ZipFile(file) as opened:
        return {name: opened.read(name) for name in opened.namelist() if not name.endswith("/")}


def dumped(value: object) -> bytes:
    """Return JSON that is the same for the same value."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
