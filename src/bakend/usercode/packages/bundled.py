"""What Bakend itself brings: packages that stand before the user's on the path."""

from __future__ import annotations

import importlib.metadata
import re

from bakend.version import VERSION

from .requirements import normal_name


def bundled_versions() -> dict[str, str]:
    """Return Bakend and everything that it depends on, by name, with the version that runs.

    These always win on the path, so nothing may be installed that needs another version of them.
    """
    found = {"bakend": VERSION}
    left = ["bakend"]
    while left:
        for name in _needed(left.pop()):
            if name not in found:
                try:
                    found[name] = importlib.metadata.version(name)
                except importlib.metadata.PackageNotFoundError:
                    continue  # for another platform, or for another Python
                left.append(name)
    return found


def _needed(name: str) -> list[str]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []  # run from a folder that nobody has installed
    return [
        normal_name(match[0])
        for line in lines
        if "extra ==" not in line and (match := re.match(r"[A-Za-z0-9._-]+", line))
    ]
