"""What pip says when it fails, as one of our errors: a sentence, and what to do.

pip's output is for people and has no codes; what is not recognised is shown as it is.
"""

from __future__ import annotations

import re
from typing import Final

from bakend.errors import (
    BakendError,
    InvalidInputError,
    NotWritableError,
    PackageError,
    StorageFullError,
    UnavailableError,
)

_UNMET: Final = re.compile(
    r"Could not find a version that satisfies the requirement (.+?)(?: \(from .*?\))?"
    r" \(from versions: (.*?)\)"
)
_CAUSES: Final = re.compile(r"The conflict is caused by:\n((?:    .+\n?)+)")
_CAUSED_BY: Final = re.compile(r"\[Errno -?\d+\] ([^'\")\n]+)")
_NEWEST_SHOWN: Final = 8


class VersionConflictError(PackageError):
    """Raised when packages need versions of each other, or of ours, that exclude one another."""


class UnmetError(PackageError):
    """Raised when no file of a package will do; the index has to be asked why."""

    def __init__(self, requirement: str, versions: str) -> None:
        shown = versions.split(", ")[-_NEWEST_SHOWN:]
        super().__init__(f'No version fits "{requirement}"; there are {", ".join(shown)}')
        self.requirement = requirement
        self.has_versions = versions not in ("", "none")


def explain(output: str) -> BakendError:
    """Return the error that pip's output means."""
    if "No module named pip" in output:
        return PackageError(
            "This Python has no pip, which installs packages",
            hint="install it with `python3 -m ensurepip`, or your system's package for it",
        )
    if re.search(r"\[Errno (28|122)\]", output):
        return StorageFullError(
            "The disk is full; nothing was changed", hint="make room, and run the command again"
        )
    denied = re.search(r"\[Errno (?:13|30)\] [^:\n]*: '?([^'\n]*)", output)
    if denied:
        return NotWritableError(f"{denied[1]} cannot be written; nothing was changed")
    if "connection broken by" in output or "Could not fetch URL" in output:
        return unreachable(output)
    insecure = re.search(r"The repository located at (\S+) is not a trusted or secure host", output)
    if insecure:
        return UnavailableError(
            f"pip does not ask the index at {insecure[1]}, because that is not https",
            hint="give it an https address, or name the host in PIP_TRUSTED_HOST",
        )
    if "DO NOT MATCH THE HASHES" in output or "none of the hashes" in output.lower():
        name = re.search(r"^\s+([A-Za-z0-9._-]+==\S+)", output, re.MULTILINE)
        return PackageError(
            f"The index has another file for {name[1] if name else 'a package'} than packages.lock"
            " says; nothing was changed",
            hint="if you trust the index, lock it anew: `bak add` with the package's name",
        )
    unmet = _UNMET.search(output)
    if unmet:
        return UnmetError(unmet[1], unmet[2])
    conflict = _CAUSES.search(output)
    if conflict:
        return _conflict(conflict[1])
    invalid = re.search(r"Invalid requirement: (.+)", output)
    if invalid:
        return InvalidInputError(f"pip does not understand the requirement {invalid[1]}")
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return PackageError(
        f"pip failed: {(told or lines or ['it said nothing'])[-1].rstrip('.')}",
        hint="nothing was changed",
    )


def unreachable(output: str) -> UnavailableError:
    """Return the error for an index that did not answer."""
    cause = _CAUSED_BY.findall(output)
    words = "it timed out" if "timed out" in output else "no connection"
    reason = cause[-1].strip() if cause else words
    if not cause and (found := re.search(r"\b[45]\d\d \w+ Error: [^:\n]*", output)):
        reason = found[0].strip()
    if "ssl" in output.lower() and "certificate" in output.lower():
        reason = "its certificate is not trusted"
    return UnavailableError(
        f"The package index does not answer ({reason}); nothing was changed",
        hint="check the network, or name your index in pip's configuration or PIP_INDEX_URL",
    )


def _conflict(causes: str) -> VersionConflictError:
    ours = re.findall(r"The user requested \(constraint\) (\S+?)==(\S+)", causes)
    sides = [
        line.strip().removeprefix("The user requested ")
        for line in causes.splitlines()
        if "(constraint)" not in line
    ]
    sides += [f"{name} {version}, which is fixed" for name, version in ours]
    return VersionConflictError(
        f"These do not go together: {'; '.join(sides)}",
        hint="ask for other versions; what Bakend itself is made of stays as it is",
    )
