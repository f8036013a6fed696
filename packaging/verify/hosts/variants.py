"""Other versions of a built file, made of itself: one that migrates, and ones that do not work.

The interpreter stays; modules of Bakend get lines of their own at the end, are compiled by the file
itself, and the whole is fused anew. So a test needs no second build.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fuse import archive, elf
from fuse.fuse import MAGIC, SECTION, SLOT, fuse, write_executable
from verify.outcome import expect

COMPILE: Final = """
import importlib._bootstrap_external as external, sys
source = sys.stdin.buffer.read()
code = compile(source, sys.argv[1], 'exec', dont_inherit=True)
hashed = external._imp.source_hash(external._RAW_MAGIC_NUMBER, source)
sys.stdout.buffer.write(external._code_to_hash_pyc(code, hashed, False))
"""


def variant(bak: Path, to: Path, version: str, lines: Mapping[str, str], *, schema: int) -> None:
    """Write another version of a file.

    Args:
        bak: The built file.
        to: Where the other one goes.
        version: What it says that it is.
        lines: By module, such as `bakend/cli/serve.py`, what is added to its end.
        schema: What its manifest says of the schema that it knows.
    """
    content = bak.read_bytes()
    zipped = elf.section(content, SECTION)
    expect(zipped is not None, f"{bak} was not fused")
    assert zipped is not None
    entries, stored = {}, set()
    with zipfile.ZipFile(io.BytesIO(zipped)) as file:
        for info in file.infolist():
            if not info.is_dir():
                entries[info.filename] = file.read(info)
                if info.compress_type == zipfile.ZIP_STORED:
                    stored.add(info.filename)
    changed = {**lines, "bakend/version.py": f"VERSION = {version!r}\n"}
    for module, added in changed.items():
        source = f"site-packages/{module}"
        entries[source] += b"\n" + added.encode()
        compiled = compiled_name(source, entries)
        entries[compiled] = subprocess.run(
            [bak, "-I", "-c", COMPILE, f"/proc/self/exe/{source}"],
            input=entries[source],
            capture_output=True,
            check=True,
        ).stdout
    about = json.loads(entries["bak.json"])
    about["version"], about["schemaVersion"] = version, schema
    about["files"] = {name: hashlib.sha256(entries[name]).hexdigest() for name in about["files"]}
    entries["bak.json"] = json.dumps(about).encode()
    write_executable(to, fuse(head_of(content), archive.build(entries, stored)))


def compiled_name(source: str, entries: Mapping[str, bytes]) -> str:
    """Return where the compiled form of a module lies."""
    folder, _, name = source.rpartition("/")
    stem = name.removesuffix(".py")
    for found in (f"{folder}/{stem}.pyc", f"{folder}/__pycache__/{stem}.cpython-313.pyc"):
        if found in entries:
            return found
    raise LookupError(source)


def head_of(content: bytes) -> bytes:
    """Return a fused file as it was before: without the section, and with an empty slot."""
    sections = elf.Sections.read(content)
    number = sections.find(content, SECTION)
    assert number == len(sections.rows) - 1, "it is the last one"
    body = bytearray(content[: sections.rows[number][4]])
    names = sections.content(content, sections.names_at)[: sections.rows[number][0]]
    names_at = len(body)
    body += names
    rows = list(sections.rows[:number])
    row = list(rows[sections.names_at])
    row[4:6] = [names_at, len(names)]
    rows[sections.names_at] = tuple(row)
    body += b"\0" * (-len(body) % 8)
    header = list(elf.HEADER.unpack_from(body))
    header[6], header[12] = len(body), len(rows)
    elf.HEADER.pack_into(body, 0, *header)
    body += b"".join(elf.SECTION.pack(*each) for each in rows)
    at = body.find(MAGIC)
    SLOT.pack_into(body, at, MAGIC, 0, bytes(32))
    return bytes(body)
