"""Writing what the database says into `collections/*.json`: the way back from `files`.

A file is written under another name, brought to the disk and renamed, so that nobody reads half of one.
`bak dev` looks at the folder meanwhile: what it finds is what the database says already, and changes
nothing.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bakend.collections import definition
from bakend.collections.catalog import Catalog
from bakend.collections.files import Found, read_folder
from bakend.database.connection import Database
from bakend.errors import ConflictError, DefinitionError, NotWritableError

_log = logging.getLogger("bakend.collections")


class CollectionExport:
    """Writes definition files. Thread: any."""

    def __init__(self, folder: Path, database: Database, catalog: Catalog) -> None:
        """Take the parts; `folder` is made when something is written."""
        self._folder = folder
        self._database = database
        self._catalog = catalog
        self._lock = threading.Lock()

    def export(self, *, replaces: bool) -> list[str]:
        """Let every collection have a file that says what the database says; return their names.

        Files that say it already, in whatever order, stay as they are. Broken collections are left out.

        Args:
            replaces: Whether files may be written over that say something else.

        Raises:
            ConflictError: They may not, and some do; nothing was written.
            NotWritableError: A file cannot be written.
        """
        with self._lock:
            wanted = self._definitions()
            found = read_folder(self._folder)
            changed = {name: each for name, each in wanted.items() if not _says(found, name, each)}
            taken = sorted(
                path.name for name in changed if (path := self._path(found, name)).exists()
            )
            if taken and not replaces:
                raise ConflictError(
                    f"These files in {self._folder} say something else: {', '.join(taken)}",
                    hint="nothing was written; `bak migrate export --force` writes over them",
                )
            for name, each in changed.items():
                self._write(self._path(found, name), each)
        return sorted(wanted)

    def write_back(self, name: str) -> None:
        """Let the file of one collection say what the database says now; remove it if that has none.

        What goes wrong is logged: the change itself is committed.
        """
        with self._lock:  # in the order of commits: each writes what is there now
            try:
                self._write_back(name)
            except (OSError, ConflictError, NotWritableError) as error:
                reason = error.strerror if isinstance(error, OSError) else error.message
                _log.warning('Collection "%s" is changed, but not its file: %s', name, reason)

    def _write_back(self, name: str) -> None:
        found = read_folder(self._folder)
        path = self._path(found, name)
        wanted = self._definitions().get(name)
        if wanted is not None and not _says(found, name, wanted):
            if name not in found.names and path.exists():
                raise ConflictError(f"{path} is about something else")
            self._write(path, wanted)
            _log.info("Wrote %s", path)
        elif wanted is None and name in found.definitions:
            path.unlink(missing_ok=True)
            _log.info("Removed %s", path)

    def _definitions(self) -> dict[str, Mapping[str, Any]]:
        with self._database.read() as snapshot:
            state = self._catalog.state(snapshot)
        for name in state.broken:
            _log.warning('Collection "%s" is broken and has no definition to write', name)
        return {table.name: table.collection.definition for table in state.tables.values()}

    def _path(self, found: Found, name: str) -> Path:
        """Return the file that defines a collection, or that will."""
        return self._folder / found.names.get(name, f"{name}.json")

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        unfinished = path.with_name(
            f".{path.name}.new"
        )  # no *.json: nobody takes it for a definition
        text = f"{json.dumps(content, indent=2, ensure_ascii=False)}\n"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                with unfinished.open("w", encoding="utf-8") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
                unfinished.replace(path)
            finally:
                with contextlib.suppress(OSError):
                    unfinished.unlink()
        except OSError as error:
            raise NotWritableError(
                f"{path} cannot be written: {error.strerror}",
                hint="check who owns it and its folder",
            ) from error


def _says(found: Found, name: str, wanted: Mapping[str, Any]) -> bool:
    given = found.definitions.get(name)
    try:
        return given is not None and definition.same(wanted, given)
    except DefinitionError:
        return False
