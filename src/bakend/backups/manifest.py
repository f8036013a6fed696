"""What an archive says of itself: its first member, `backup.json` (pure).

    {"format": 1, "bakend": "0.1.0", "schema": 6, "createdAt": "2026-11-25T21:00:00.000Z",
     "lastEvent": 42, "damaged": ["fil_…"], "missing": ["fil_…"],
     "members": [{"name": "bakend.db", "size": 4096, "sha256": "…"}, …]}

Whoever reads an archive has to expect anything. So a name is taken only if it is one of those that we
write, and a member only if it is the next one that the manifest names, with its size.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bakend.errors import BackupError
from bakend.structs import Struct

FORMAT: Final = 1
NAME: Final = "backup.json"
DATABASE: Final = "bakend.db"
"""Under this name in every archive, whatever the project calls it."""
CONFIG: Final = "bakend.json"
FILES: Final = "storage/files/"
FOLDERS: Final = ("collections", "functions", "jobs")
PROJECT_FILES: Final = ("packages.txt", "packages.lock")

MANIFEST_MAX_BYTES: Final = 512 * 1024 * 1024
"""More than three million files."""
NAME_MAX: Final = 4_000

_FILE: Final = r"fil_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SHA256: Final = r"[0-9a-f]{64}"


class Member(Struct):
    """One file in an archive."""

    name: str
    size_bytes: int
    sha256: str


class Manifest(Struct, kw_only=True):
    """What is in an archive."""

    bakend: str
    """Version of the Bakend that made it."""
    schema: int
    created_at: str
    """When the database was copied."""
    last_event: int
    """Number of the last event in it."""
    damaged: Sequence[str] = ()
    """Ids of files whose bytes were not those of their row; they are in it as they were."""
    missing: Sequence[str] = ()
    """Ids of files without bytes."""
    members: Sequence[Member]

    @property
    def total_bytes(self) -> int:
        """Size of all members together."""
        return sum(member.size_bytes for member in self.members)

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(
            {
                "format": FORMAT,
                "bakend": self.bakend,
                "schema": self.schema,
                "createdAt": self.created_at,
                "lastEvent": self.last_event,
                "damaged": [*self.damaged],
                "missing": [*self.missing],
                "members": [
                    {"name": each.name, "size": each.size_bytes, "sha256": each.sha256}
                    for each in self.members
                ],
            },
            separators=(",", ":"),
        ).encode()


def decode(content: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        BackupError: It is none, or one of a newer Bakend.
    """
    try:
        data = json.loads(content)
        if data["format"] != FORMAT:
            raise BackupError(
                f"The backup has format {data['format']}, this Bakend knows format {FORMAT}",
                hint="use the Bakend that made it, or a newer one",
            )
        manifest = Manifest(
            bakend=_typed(data, "bakend", str),
            schema=_typed(data, "schema", int),
            created_at=_typed(data, "createdAt", str),
            last_event=_typed(data, "lastEvent", int),
            damaged=tuple(map(str, data["damaged"])),
            missing=tuple(map(str, data["missing"])),
            members=tuple(_member(each) for each in data["members"]),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BackupError(f"{NAME}: the manifest makes no sense") from error
    names = [member.name for member in manifest.members]
    if len(set(names)) != len(names) or names[:1] != [DATABASE]:
        raise BackupError(f"{NAME}: the manifest makes no sense")
    return manifest


def is_allowed(name: str) -> bool:
    """Tell whether a member may have that name: one that we write, and that stays in its folder."""
    if name in (DATABASE, CONFIG, *PROJECT_FILES):
        return True
    if name.startswith(FILES):
        return re.fullmatch(_FILE, name.removeprefix(FILES)) is not None
    folder, *parts = name.split("/")
    return (
        folder in FOLDERS
        and bool(parts)
        and len(name.encode(errors="replace")) <= NAME_MAX
        and all(part not in ("", ".", "..") and "\0" not in part for part in parts)
    )


def _member(data: Mapping[str, Any]) -> Member:
    name, size, sha256 = _typed(data, "name", str), _typed(data, "size", int), data["sha256"]
    if not is_allowed(name) or size < 0 or not re.fullmatch(_SHA256, sha256):
        raise ValueError
    return Member(name, size, sha256)


def _typed(data: Mapping[str, Any], key: str, kind: type[Any]) -> Any:
    value = data[key]
    if type(value) is not kind:
        raise TypeError
    return value
