"""Small Debian systems on disk: made once, whole or not at all, and never written to afterwards."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from interpreter import sources, store
from interpreter.progress import BuildError, say
from verify.hosts.debian import require_root, tool
from verify.outcome import Failed, NotRun

# Goes up when a tree is made in another way.
FORM: Final = 1
PYTHON: Final = ("python", "libpython", "pypy")


def debian_tree_name(suite: str, *options: str) -> str:
    """Return the name of a tree in the cache."""
    return "-".join(
        (suite, *(re.sub(r"[^\w.-]", "-", option.strip("-")) for option in options), str(FORM))
    )


def debian(suite: str, cache: Path) -> Path:
    """Return a tree of a Debian without Python.

    Raises:
        NotRun: It cannot be made here.
    """
    root = _tree(suite, cache)
    if found := next(pythons(root), None):
        raise Failed(f"the {suite} tree is not bare: it has {found}; remove {root}")
    return root


def bootable(suite: str, cache: Path) -> Path:
    """Return a tree of a Debian without Python that systemd can boot.

    Raises:
        NotRun: It cannot be made here.
    """
    root = _tree(suite, cache, "--include=systemd,systemd-sysv,dbus,curl,ca-certificates,openssl")
    if found := next(pythons(root), None):
        raise Failed(f"the {suite} tree is not bare: it has {found}; remove {root}")
    return root


def foreign(suite: str, architecture: str, cache: Path) -> Path:
    """Return the unpacked packages of a Debian for another processor: its libraries, nothing set up."""
    return _tree(suite, cache, f"--arch={architecture}", "--foreign")


def pythons(root: Path) -> Iterator[str]:
    """Yield every file of a tree that a Python could be."""
    for folder, folders, files in os.walk(root):
        # /usr/share has texts about Python: completions, documentation; none of it runs.
        if Path(folder) == root / "usr" / "share":
            folders.clear()
        for name in (*folders, *files):
            if name.startswith(PYTHON):
                yield str(Path(folder, name).relative_to(root))


def _tree(suite: str, cache: Path, *options: str) -> Path:
    root = cache / "hosts" / debian_tree_name(suite, *options)
    if store.is_made(root):
        return root
    require_root("a Debian tree")
    program = tool("debootstrap", "debootstrap")
    # What it mounts goes with it, also when it is killed: nobody removes the files of a mounted /proc.
    unshare = tool("unshare", "util-linux")
    alone = (unshare, "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

    def make(folder: Path) -> None:
        say(f"  making a {suite} tree, once …")
        failures = []
        for archive in sources.archives():
            store.remove(folder)  # what another archive left of it
            folder.mkdir()
            command = [*alone, program, "--variant=minbase", *options, suite, str(folder), archive]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return
            failures.append(f"{archive}: {(done.stdout + done.stderr).strip().splitlines()[-1:]}")
        raise NotRun(f"no Debian archive of this machine's apt has {suite}: {'; '.join(failures)}")

    try:
        return store.make_once(root, f"the {suite} tree", make)
    except BuildError as error:
        raise NotRun(str(error)) from error
