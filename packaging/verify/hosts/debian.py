"""Packages of the machine that runs the checks, installed where that is possible."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from interpreter import toolchains
from interpreter.progress import BuildError
from verify.outcome import NotRun

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def tool(name: str, package: str) -> str:
    """Return the path of a program, installed now if we may.

    Raises:
        NotRun: It is missing and cannot be installed.
    """
    return tools({name: package})[name]


def tools(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the paths of programs, by name; their packages are installed if we may."""
    missing = {name: package for name, package in wanted.items() if _find(name) is None}
    if missing:
        try:
            toolchains.install(tuple(dict.fromkeys(missing.values())))
        except BuildError as error:
            raise NotRun(str(error).strip().splitlines()[-1]) from error
    found = {name: _find(name) for name in wanted}
    for name, path in found.items():
        if path is None:
            raise NotRun(f"{name} is missing, although {wanted[name]} is installed")
    return {name: str(path) for name, path in found.items()}


def require_root(what: str) -> None:
    """Return if we are root on Linux.

    Raises:
        NotRun: We are not.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise NotRun(f"{what} needs root")
    if not os.path.isdir("/proc/self/ns"):  # noqa: PTH112 - one question, no path is kept
        raise NotRun(f"{what} needs namespaces of Linux")


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}")
