"""What belongs into a backup: the files that a copied database names, and those of the project."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from bakend.backups import manifest
from bakend.backups.archive import PIECE
from bakend.backups.manifest import Member
from bakend.database.transaction import Snapshot
from bakend.settings.sources import read_config
from bakend.settings.table import TABLE
from bakend.structs import Struct

SKIPPED: Final = frozenset({"__pycache__", "node_modules", ".git"})
"""Folders that hold nothing of the project's own."""

Open = Callable[[], BinaryIO | None]


class Source(Struct, kw_only=True):
    """Something that becomes a member."""

    name: str
    open: Open
    """Returns its bytes, None where there are none."""
    sha256: str | None = None
    """What it should be; None where nobody knows."""


class Measured(Struct):
    """A source and what it really holds."""

    source: Source
    member: Member
    mtime: float


def project_sources(project: Path, config: Path) -> Iterator[Source]:
    """Yield the project's own files: definitions, functions, jobs, packages, and the config file."""
    if config.is_file():
        content = without_secrets(config)
        yield Source(name=manifest.CONFIG, open=lambda: io.BytesIO(content))
    for name in manifest.PROJECT_FILES:
        if (project / name).is_file():
            yield Source(name=name, open=_opener(project / name))
    for folder in manifest.FOLDERS:
        for path in _files_below(project / folder):
            name = path.relative_to(project).as_posix()
            if manifest.is_allowed(name):
                yield Source(name=name, open=_opener(path))


def stored_sources(snapshot: Snapshot, open_blob: Callable[[str], BinaryIO | None]) -> list[Source]:
    """Return the uploaded files that a database has rows of, and no other bytes.

    Args:
        snapshot: The copied database.
        open_blob: Returns the bytes of a file by its id, also when it was deleted a moment ago.
    """
    columns = {row["name"] for row in snapshot.all("PRAGMA table_info(_files)")}
    if not columns:
        return []  # a schema from before there were files
    what = "id, sha256" if "sha256" in columns else "id, NULL AS sha256"
    rows = snapshot.all("SELECT " + what + " FROM _files ORDER BY id")
    return [
        Source(
            name=manifest.FILES + row["id"],
            open=functools.partial(open_blob, row["id"]),
            sha256=row["sha256"],
        )
        for row in rows
    ]


def measure(source: Source, *, reads: bool) -> Measured | None:
    """Return what a source holds, None where it is not there.

    Args:
        source: The source.
        reads: Whether the checksum that it should have is not believed.

    Raises:
        OSError: It cannot be read.
    """
    stream = source.open()
    if stream is None:
        return None
    with stream:
        if isinstance(stream, io.BytesIO):
            size, mtime = len(stream.getbuffer()), 0.0
        else:
            status = os.fstat(stream.fileno())
            size, mtime = status.st_size, status.st_mtime
        sha256 = _sha256(stream) if reads or source.sha256 is None else source.sha256
    return Measured(source, Member(source.name, size, sha256), mtime)


def without_secrets(config: Path) -> bytes:
    """Return a config file without the values that must stay secret; else as it is written."""
    root = read_config(config) or {}
    secret_keys = {line.key for line in TABLE.values() if line.is_secret}
    kept = _without(root, secret_keys, "")
    if kept == root:
        return config.read_bytes()
    return f"{json.dumps(kept, indent=2, ensure_ascii=False)}\n".encode()


def _without(root: dict[str, Any], keys: set[str], prefix: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, value in root.items():
        dotted = f"{prefix}{key}"
        if dotted not in keys:
            is_section = isinstance(value, dict)
            kept[key] = _without(value, keys, f"{dotted}.") if is_section else value
    return kept


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the plain files in a folder and below; what a link in it leads to is taken for a file."""
    for path, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - SKIPPED)
        yield from (found for name in sorted(files) if (found := Path(path, name)).is_file())


def _opener(path: Path) -> Open:
    def open_it() -> BinaryIO | None:
        try:
            return path.open("rb")
        except FileNotFoundError:  # gone since it was listed
            return None

    return open_it


def _sha256(stream: BinaryIO) -> str:
    found = hashlib.sha256()
    while piece := stream.read(PIECE):
        found.update(piece)
    return found.hexdigest()
