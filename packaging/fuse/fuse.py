"""Joins head and payload to one executable.

    python3.13 -s -S -P -B -m fuse.fuse DESCRIPTION      with this folder's parent on PYTHONPATH

Runs on the Python that the executable will carry, so that its compiler and its zlib are the pinned ones,
and needs nothing but the standard library. DESCRIPTION is a JSON file:

    {"head": …, "interpreter": …, "zipapp": …, "packages": …, "pip": …, "startup": …, "output": …,
     "about": {"version": …, "commit": …, "builtAt": …, "schemaVersion": …}}

All but the last are paths; `packages` is the folder that the zipapp was made from.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from fuse import archive, elf
from fuse.payload import Parts, collect, stored
from fuse.problems import FuseError

SECTION: Final = ".bakend"
MAGIC: Final = b"BAK-PAYLOAD-1\n\x01\x00"
SLOT: Final = struct.Struct("<16sQ32s")
"""As `struct slot` in main.c: magic, length, sha256."""


def fuse(head: bytes, zipped: bytes) -> bytes:
    """Return the executable.

    Raises:
        FuseError: The head was not linked from our main.c, or is an executable already.
    """
    at = head.find(MAGIC)
    if at < 0 or head.find(MAGIC, at + 1) >= 0:
        raise FuseError("the head has no slot for the payload, or several")
    if any(head[at + len(MAGIC) : at + SLOT.size]):
        raise FuseError("the head has a payload already")
    patched = bytearray(head)
    SLOT.pack_into(patched, at, MAGIC, len(zipped), hashlib.sha256(zipped).digest())
    return elf.add_section(bytes(patched), SECTION, zipped)


def modules_of_a_start(packages: Path) -> list[str]:
    """Return what is imported until the first answer; see start_modules.py."""
    script = Path(__file__).with_name("start_modules.py")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "modules"
        done = subprocess.run(
            [sys.executable, "-X", "utf8", "-I", "-S", "-B", script, packages, result],
            env={"PATH": os.defpath},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not result.exists():
            raise FuseError(f"{done.stdout}\nBakend did not start from {packages} (see above)")
        return result.read_text().splitlines()


def write_executable(path: Path, content: bytes) -> None:
    """Put a program in place in one step, also while the old one runs."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.write_bytes(content)
    unfinished.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    unfinished.replace(path)


def cost_table(head: int, zipped: bytes, total: int) -> str:
    """Return what each part costs, largest first."""
    sums: dict[str, tuple[int, int]] = {}
    with zipfile.ZipFile(io.BytesIO(zipped)) as file:
        for entry in file.infolist():
            part = part_of(entry.filename)
            count, size = sums.get(part, (0, 0))
            sums[part] = (count + 1, size + entry.compress_size)
    directory = len(zipped) - sum(size for _, size in sums.values())
    rows = [("interpreter and libraries", 0, head)]
    rows += [(part, count, size) for part, (count, size) in sums.items()]
    rows.append(("names and places of the entries", 0, directory))
    rows.sort(key=lambda row: -row[2])
    rows.append(("all", sum(count for _, count, _ in rows), total))
    return "\n".join(f"  {name:<34} {count or '':>6} {size:>12,}" for name, count, size in rows)


def part_of(name: str) -> str:
    """Return the part that an entry is counted for."""
    parts = name.split("/")
    if parts[0] == "lib":
        return "standard library"
    if parts[0] == "site-packages" and len(parts) > 2:
        name = parts[1].removesuffix(".dist-info").rpartition("-")[0] or parts[1]
        return "dashboard" if parts[1:3] == ["bakend", "dashboard"] else name.lower()
    return {"licences": "licences", "bak.json": "manifest"}.get(parts[0], "start-up and shiv")


def run(description: Mapping[str, Any]) -> str:
    """Write the executable, and return what each part of it costs."""
    interpreter = Path(description["interpreter"])
    payload = collect(
        Parts(
            interpreter=interpreter,
            zipapp=Path(description["zipapp"]),
            pip=Path(description["pip"]),
            startup=Path(description["startup"]),
            about=description["about"],
        )
    )
    packages = Path(description["packages"])
    library = Path(os.__file__).parent  # that of the tree: its Python runs this
    roots = {f"{library}/": f"lib/{library.name}/", f"{packages}/": "site-packages/"}
    hot = stored(modules_of_a_start(packages), payload.entries, roots)
    zipped = archive.build(payload.entries, hot)
    head = Path(description["head"]).read_bytes()
    whole = fuse(head, zipped)
    write_executable(Path(description["output"]), whole)
    return cost_table(len(head), zipped, len(whole))


def main() -> int:
    """Do it, and print the table."""
    try:
        sys.stdout.write(run(json.loads(Path(sys.argv[1]).read_text())))
    except (FuseError, SyntaxError) as error:
        sys.stderr.write(f"fuse: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
