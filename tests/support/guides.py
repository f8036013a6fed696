"""The guides, as a reader follows them: their commands, one after the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from processes import environment

GUIDES: Final = Path(__file__).parents[2] / "docs" / "guide"
_SHELL: Final = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands(guide: str) -> list[str]:
    """Return the lines of all shell blocks of a guide, without comments."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    lines = [line for block in _SHELL.findall(text) for line in block.splitlines()]
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


def follow(line: str, project: Path, tools: Path) -> subprocess.CompletedProcess[str]:
    """Run one line in a project; `bak` is the one that is tested.

    Args:
        line: As it stands in the guide; `/tmp` is a folder of the test's own.
        project: Where the reader is.
        tools: A folder for `bak`, and for what the guide has in `/tmp`.
    """
    (tools / "bin").mkdir(exist_ok=True)
    bak = tools / "bin" / "bak"
    bak.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bakend "$@"\n')
    bak.chmod(0o755)
    variables = environment()
    return subprocess.run(
        ["sh", "-c", line.replace("/tmp/", f"{tools}/")],
        cwd=project,
        env={**variables, "PATH": f"{bak.parent}{os.pathsep}{variables['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
