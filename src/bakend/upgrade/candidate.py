"""The new executable, before it takes any place: unpacked beside the present one, and tried."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Final

from bakend.errors import NotGenuineError, NotWritableError
from bakend.structs import Struct
from bakend.upgrade.download import CHUNK_BYTES
from bakend.upgrade.programs import Programs

MEMBER: Final = "bak"
MEMBER_MAX_BYTES: Final = 300_000_000
MANIFEST: Final = "bak.json"


class Candidate(Struct):
    """A file that could be started."""

    path: Path
    version: str
    schema: int
    """The schema of the database that it makes and knows."""


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(packed: Path, to: Path) -> None:
    """Take `bak` out of a tarball; nothing else of it is unpacked.

    Args:
        packed: The tarball.
        to: A file that is there already, to be filled.

    Raises:
        NotGenuineError: It is no tarball with a `bak` in it.
        NotWritableError: There is no room.
    """
    try:
        with tarfile.open(packed, "r:gz") as archive:
            info = next((each for each in archive if each.name == MEMBER), None)
            source = archive.extractfile(info) if info is not None and info.isreg() else None
            if info is None or source is None or info.size > MEMBER_MAX_BYTES:
                raise NotGenuineError(f"{packed.name} holds no {MEMBER}")
            try:
                with to.open("wb") as file:
                    while chunk := source.read(CHUNK_BYTES):
                        file.write(chunk)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise NotWritableError(f"{to} cannot be written: {error.strerror}") from error
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise NotGenuineError(f"{packed.name} is no release: {error}") from error


def tried(path: Path, programs: Programs) -> Candidate:
    """Start a new file and ask it who it is.

    Raises:
        NotGenuineError: It does not run here, or is damaged.
    """
    answer = programs.run([str(path), "version"])
    if answer.code == 126:
        raise NotWritableError(
            f"{path} cannot be run: its folder may be mounted noexec", hint=answer.error
        )
    if answer.code != 0:
        raise NotGenuineError(
            f"The new version does not run on this host (exit code {answer.code})",
            hint=answer.error or "the container image brings all it needs",
        )
    whole = programs.run([str(path), "verify"])
    if whole.code != 0:
        raise NotGenuineError("The new version says that it is damaged", hint=whole.error)
    try:
        with zipfile.ZipFile(path) as inside:
            about = json.loads(inside.read(MANIFEST))
        schema = int(about["schemaVersion"])
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise NotGenuineError(f"{path.name} says nothing of itself: {error}") from error
    return Candidate(path, answer.output.strip(), schema)
