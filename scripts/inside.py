"""Runs the tests inside the one file: `scripts/test --python dist/bak` starts it, by that file.

The test tools go to a folder of their own, by the pip in the file. What Bakend itself needs is left out,
so that the tests meet the packages in the file, and not a copy of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
TOOLS: Final = ROOT / ".venv-inside"
NOTE: Final = TOOLS / "made-from"


def blocks(name: str) -> dict[str, str]:
    """Return each requirement of a lock file, by the name of its package."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    found = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)
    return {block.partition("==")[0]: block for block in found if "==" in block}


def install(lock: str) -> None:
    """Install the test tools for this Python, unless they are there."""
    made_from = hashlib.sha256(f"{sys.version}\n{lock}".encode()).hexdigest()
    if NOTE.exists() and NOTE.read_text() == made_from:
        return
    print(f"Installing the test tools in {TOOLS.name}", flush=True)
    shutil.rmtree(TOOLS, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "lock.txt"
        file.write_text(lock)
        command = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "install",
        ]
        command += [
            "--quiet",
            "--root-user-action=ignore",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--require-hashes",
        ]
        subprocess.run([*command, "--target", str(TOOLS), "-r", str(file)], check=True)
    NOTE.write_text(made_from)


def main(arguments: list[str]) -> None:
    """Become pytest."""
    ours = blocks("runtime")
    install("".join(block for name, block in blocks("dev").items() if name not in ours))
    environ = {**os.environ, "PYTHONPATH": str(TOOLS)}
    # Without src: Bakend comes from the file.
    command = [sys.executable, "-m", "pytest", "-o", "pythonpath=tests/support", *arguments]
    os.chdir(ROOT)
    os.execve(sys.executable, command, environ)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
