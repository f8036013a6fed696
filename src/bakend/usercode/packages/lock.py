"""`packages.lock`: the version of each package, and the hashes of all wheels of that version.

It is a requirements file that pip can read. It holds the wheels of every platform: which of them is
installed is decided on each machine, and that it is one of them is what the hashes say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from bakend.errors import SettingsError
from bakend.structs import Struct

from . import LOCK_FILE
from .requirements import normal_name

HEAD: Final = (
    "# Written by `bak add` and `bak remove`; `bak sync` installs it. Not to be changed by hand.\n"
)

_PIN: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.+!_-]+)", re.ASCII)
_HASH: Final = re.compile(r"--hash=(sha(?:256|384|512):[0-9a-f]{64,128})", re.ASCII)


class Pin(Struct):
    """One package in exactly one version."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """As `sha256:…`, one for each wheel, sorted."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def __lt__(self, other: Pin) -> bool:
        return (self.name, self.version) < (other.name, other.version)


def write(pins: Iterable[Pin]) -> str:
    """Return the text of a lock."""
    blocks = [
        " \\\n    ".join(
            [f"{pin.name}=={pin.version}", *(f"--hash={each}" for each in sorted(pin.hashes))]
        )
        for pin in sorted(pins)
    ]
    return HEAD + "".join(f"{block}\n" for block in blocks)


def read(text: str) -> dict[str, Pin]:
    """Return what a lock holds, by name.

    Raises:
        SettingsError: It is not one that `write` wrote.
    """
    pins: dict[str, Pin] = {}
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        pin = _PIN.fullmatch(words[0])
        hashes = [_HASH.fullmatch(word) for word in words[1:]]
        if pin is None or not hashes or None in hashes:
            raise SettingsError(
                [f'{LOCK_FILE} is damaged: "{line.strip()[:80]}" is not a version with its hashes'],
                hint=f"get {LOCK_FILE} back from git, or remove it and run `bak add` with what is in "
                "packages.txt",
            )
        name = normal_name(pin[1])
        pins[name] = Pin(name, pin[2], tuple(sorted(each[1] for each in hashes if each)))
    return pins
