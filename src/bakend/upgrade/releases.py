"""What is in a release, and which one is newer: from `SHA256SUMS`, which is what was signed."""

from __future__ import annotations

import base64
import platform
import re
from typing import Final

from bakend.errors import NotGenuineError, UnavailableError
from bakend.structs import Struct
from bakend.upgrade import keys
from bakend.upgrade.ed25519 import is_signed

REPOSITORY: Final = "alpbak/bakend"

SUMS: Final = "SHA256SUMS"
SIGNATURE: Final = "SHA256SUMS.sig"
SUMS_MAX_BYTES: Final = 256 * 1024
SIGNATURE_BYTES: Final = 64

_MACHINES: Final = {"x86_64": "linux-x64", "aarch64": "linux-arm64"}
_LINE: Final = re.compile(r"([0-9a-f]{64})  ([\w.+-]+)")
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_DIGITS_MAX: Final = 9


class Asset(Struct):
    """The tarball of one version for this machine."""

    version: str
    name: str
    sha256: str


def target() -> str:
    """Return what this machine is called in the names of releases.

    Raises:
        UnavailableError: There are none for it.
    """
    found = _MACHINES.get(platform.machine())
    if found is None or platform.system() != "Linux":
        raise UnavailableError(
            f"There are no releases for {platform.system()} on {platform.machine()}",
            hint="use the container image, or build it: scripts/build",
        )
    return found


def folder(url: str | None, version: str | None) -> str:
    """Return the address below which the files of a release are.

    Args:
        url: A folder that was named; None for the releases of the repository.
        version: Which; None for the newest.
    """
    if url:
        return url.rstrip("/")
    base = f"https://github.com/{REPOSITORY}/releases"
    return f"{base}/download/v{version}" if version else f"{base}/latest/download"


def require_genuine(sums: bytes, signature: bytes | None, *, may_be_unsigned: bool) -> str:
    """Check the signature; return in a sentence what it proves.

    Args:
        sums: The content of SHA256SUMS.
        signature: None where there is none.
        may_be_unsigned: Whether none is good enough.

    Raises:
        NotGenuineError: It is wrong, or there is none.
    """
    if signature is None:
        if may_be_unsigned:
            return "Only the checksum was checked: the release is not signed"
        raise NotGenuineError(
            f"The release is not signed: it has no {SIGNATURE}",
            hint="if it is your own and you trust where it comes from: --allow-unsigned",
        )
    if not is_signed(base64.b64decode(keys.RELEASE_KEY), sums, signature):
        raise NotGenuineError(
            "The signature of the release is wrong: somebody has changed it, or it is not ours",
            hint="nothing was changed; try again, and tell us if it stays so",
        )
    if keys.IS_TEST:
        return "The signature is that of the test key, which anybody can use: it proves nothing"
    return "The signature is right"


def choose(sums: bytes, version: str | None, machine: str) -> Asset:
    """Return the asset of a version, or the newest that the list tells.

    The newest is the one whose bytes also have the name `latest`.

    Raises:
        UnavailableError: It is not in the list.
    """
    listed = {
        found[2]: found[1]
        for line in sums.decode(errors="replace").splitlines()
        if (found := _LINE.fullmatch(line))
    }
    if version is not None:
        name = f"bakend-v{version}-{machine}.tar.gz"
        if name not in listed:
            raise UnavailableError(f"The release has no {name}", hint=_has(listed))
        return Asset(version, name, listed[name])
    newest = listed.get(f"bakend-latest-{machine}.tar.gz")
    form = re.compile(rf"bakend-v(.+)-{re.escape(machine)}\.tar\.gz")
    for name, sha256 in listed.items():
        if sha256 == newest and (found := form.fullmatch(name)):
            require_version(found[1])
            return Asset(found[1], name, sha256)
    raise UnavailableError(f"The release has no newest file for {machine}", hint=_has(listed))


def _has(listed: dict[str, str]) -> str:
    return f"it has: {', '.join(sorted(listed)) or 'nothing'}"[:400]


def require_version(text: str) -> str:
    """Return a version without its `v`.

    Raises:
        NotGenuineError: It is none.
    """
    plain = text.removeprefix("v")
    if len(plain) > 60 or not _VERSION.fullmatch(plain):
        raise NotGenuineError(f"{text[:60]!r} is no version", hint="write it as 1.2.3")
    return plain


def is_newer(one: str, other: str) -> bool:
    """Tell whether a version comes after another one, as semver.org orders them."""
    return _order(one) > _order(other)


def _order(version: str) -> tuple[tuple[int, ...], int, tuple[tuple[int, int, str], ...]]:
    found = _VERSION.fullmatch(version)
    if found is None:
        return (), 0, ()
    numbers = tuple(int(part[:_DIGITS_MAX]) for part in found.group(1, 2, 3))
    if not found[4]:
        return numbers, 1, ()  # after everything that came before it
    parts = tuple(
        (0, int(part[:_DIGITS_MAX]), "") if part.isdecimal() else (1, 0, part)
        for part in found[4].split(".")
    )
    return numbers, 0, parts
