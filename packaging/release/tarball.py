"""A tarball that is the same bytes for the same files."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Member:
    """One file in it."""

    name: str
    content: bytes
    is_program: bool = False


def tarball(members: Iterable[Member], made_at: str) -> bytes:
    """Return a compressed tarball.

    Args:
        members: In the order they get.
        made_at: The time that all of them carry, ISO 8601.
    """
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for member in members:
            info = tarfile.TarInfo(member.name)
            info.size = len(member.content)
            info.mode = 0o755 if member.is_program else 0o644
            info.mtime = int(datetime.fromisoformat(made_at).timestamp())
            info.uname = info.gname = "root"
            archive.addfile(info, io.BytesIO(member.content))
    return gzip.compress(plain.getvalue(), 9, mtime=0)
