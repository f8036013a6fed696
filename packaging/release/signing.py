"""Signs SHA256SUMS, and says whether what is published could be: `SHA256SUMS.sig`, raw Ed25519.

    python3 packaging/release/signing.py sign FOLDER    with the key of BAKEND_SIGNING_KEY_FILE
    python3 packaging/release/signing.py check          fails while the key in the sources is the test key

Without BAKEND_SIGNING_KEY_FILE the test key signs, if the sources trust that; else nothing is signed.
Needs the program openssl, 3.0 or newer. The key file is what `openssl genpkey -algorithm ed25519` makes.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TEST_KEY_FILE: Final = Path(__file__).resolve().parent / "test-key.pem"
KEYS: Final = ROOT / "src" / "bakend" / "upgrade" / "keys.py"
INSTALLER: Final = ROOT / "scripts" / "install.sh"
VARIABLE: Final = "BAKEND_SIGNING_KEY_FILE"


class SigningError(Exception):
    """Raised when nothing can be signed, or nothing may be published; its text is for a person."""


def sign(folder: Path, environ: Mapping[str, str]) -> Path | None:
    """Sign SHA256SUMS of a folder; return the signature's file, None where there is no key to use.

    A signature of an earlier SHA256SUMS goes away.

    Raises:
        SigningError: The key is not the one that the sources trust, or openssl cannot sign.
    """
    signature = folder / "SHA256SUMS.sig"
    signature.unlink(missing_ok=True)
    trusted, test = trusted_keys()
    chosen = environ.get(VARIABLE)
    if not chosen and trusted != test:
        return None
    key = Path(chosen) if chosen else TEST_KEY_FILE
    if (public := public_key(key)) != trusted:
        raise SigningError(
            f"{key} is not the key that the sources trust: its public half is {public}, theirs is"
            f" {trusted}; scripts/release-key makes them trust another"
        )
    sums = folder / "SHA256SUMS"
    openssl("pkeyutl", "-sign", "-inkey", key, "-rawin", "-in", sums, "-out", signature)
    return signature


def public_key(key: Path) -> str:
    """Return the public half of a key in a file, base64, 32 bytes.

    Raises:
        SigningError: It is no Ed25519 key.
    """
    form = openssl("pkey", "-in", key, "-pubout", "-outform", "DER")
    if len(form) != 44 or form[:12].hex() != "302a300506032b6570032100":
        raise SigningError(f"{key} is no Ed25519 key")
    return base64.b64encode(form[12:]).decode()


def trusted_keys() -> tuple[str, str]:
    """Return the release key and the test key of the sources.

    Raises:
        SigningError: install.sh has others than the executable.
    """
    inside, installer = KEYS.read_text(), INSTALLER.read_text()
    found = []
    for name in ("release_key", "test_key"):
        in_python = re.search(rf'^{name.upper()}: Final = "(.+)"$', inside, re.MULTILINE)
        in_shell = re.search(rf"^{name}='(.+)'$", installer, re.MULTILINE)
        if in_python is None or in_shell is None or in_python[1] != in_shell[1]:
            raise SigningError(f"{KEYS} and {INSTALLER} do not have the same {name}")
        found.append(in_python[1])
    return found[0], found[1]


def check() -> None:
    """Return if releases may be published.

    Raises:
        SigningError: Anybody could sign them.
    """
    trusted, test = trusted_keys()
    if trusted == test:
        raise SigningError(
            "The sources trust the test key, with which anybody can sign: nothing is published."
            " RELEASING.md says how the real key comes in"
        )


def openssl(*words: str | Path) -> bytes:
    """Run openssl and return what it printed."""
    try:
        done = subprocess.run(
            ["openssl", *words],  # noqa: S607 - whichever the PATH has
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise SigningError("The program openssl is missing: it signs the release") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise SigningError(
            f"openssl {words[0]} failed: {said[-1] if said else 'it does not say why'}"
        )
    return done.stdout


def main(arguments: list[str]) -> int:
    """Do what was asked for, and tell what went wrong in a sentence."""
    try:
        match arguments:
            case ["check"]:
                check()
            case ["sign", folder]:
                if (signature := sign(Path(folder), os.environ)) is not None:
                    sys.stdout.write(f"{signature.name}\n")
                else:
                    sys.stdout.write(f"not signed: {VARIABLE} names no key\n")
            case _:
                sys.stderr.write("usage: signing.py check | sign FOLDER\n")
                return 2
    except SigningError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
