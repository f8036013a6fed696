"""Puts hello.py behind the interpreter of an executable, packed as the executable itself is.

    bak make.py PACKAGING EXECUTABLE HEAD OUTPUT

Runs on the Python of the executable, so that the bytecode fits. HEAD is the executable without its payload.
"""

from __future__ import annotations

import importlib
import json
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

# Of the packages that come with the executable, what Flask and Waitress need.
NEEDED = (
    "blinker",
    "click",
    "flask",
    "itsdangerous",
    "jinja2",
    "markupsafe",
    "waitress",
    "werkzeug",
)
STARTUP = ("_bak_start", "_bak_import", "_bak_distributions", "_bak_index")

# Runs hello until its first answer, then tells which files of the executable were imported.
RECORD = """
import json, os, signal, sys, threading, urllib.request
sys.path.insert(0, sys.argv[1])
def ask():
    for _ in range(2000):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[3]}/health").read()
            break
        except OSError:
            threading.Event().wait(0.01)
    os.kill(os.getpid(), signal.SIGTERM)
import hello
threading.Thread(target=ask, daemon=True).start()
try:
    hello.main()
except SystemExit:
    pass
print(json.dumps([m.__spec__.origin for m in sys.modules.values() if getattr(m, "__spec__", None)]))
"""


def main() -> int:
    """Make it."""
    packaging, executable, head, output = map(Path, sys.argv[1:])
    sys.path.insert(0, str(packaging))
    parts = ("archive", "bytecode", "fuse")
    archive, bytecode, fuse = (importlib.import_module(f"fuse.{part}") for part in parts)

    entries = wanted(executable)
    for name, source in own_package().items():
        entries[name] = source
        entries[f"{name}c"] = bytecode.compiled(source, name)
    zipped = archive.build(entries, stored(entries))
    fuse.write_executable(output, fuse.fuse(emptied(head.read_bytes(), fuse), zipped))
    return 0


def wanted(executable: Path) -> dict[str, bytes]:
    """Return the standard library and the packages that are needed, as they are packed."""
    with zipfile.ZipFile(executable) as file:
        return {
            name: file.read(name)
            for name in file.namelist()
            if not name.endswith("/") and is_needed(name)
        }


def is_needed(name: str) -> bool:
    """Tell whether an entry belongs into the second file."""
    if name.startswith("lib/"):
        return True
    if not name.startswith("site-packages/"):
        return False
    package = name.split("/")[1]
    return package.startswith((*NEEDED, *STARTUP))


def own_package() -> dict[str, bytes]:
    """Return the module that the head starts, under the name it has there."""
    source = Path(__file__).with_name("hello.py").read_bytes()
    folder = "site-packages/bakend/"
    return {f"{folder}__init__.py": b"", f"{folder}__main__.py": source}


def stored(entries: dict[str, bytes]) -> set[str]:
    """Return what a start reads, which is not compressed: as the fuse step finds it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-I", "-B", "-c", RECORD, folder, "--port", port]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    origins = json.loads(done.stdout.splitlines()[-1])
    found = {f"{origin.removeprefix(f'{sys.prefix}/')}" for origin in origins if origin}
    names = {name if name.endswith(".pyc") else f"{name}c" for name in found}
    ours = {"site-packages/bakend/__init__.pyc", "site-packages/bakend/__main__.pyc"}
    return {*(names & set(entries)), *ours}


def emptied(head: bytes, fuse: Any) -> bytes:
    """Return the head as the linker left it, its slot for the payload empty."""
    at = head.find(fuse.MAGIC)
    rest = fuse.SLOT.size - len(fuse.MAGIC)
    emptied_head = bytearray(head)
    emptied_head[at + len(fuse.MAGIC) : at + fuse.SLOT.size] = bytes(rest)
    return bytes(emptied_head)


if __name__ == "__main__":
    sys.exit(main())
