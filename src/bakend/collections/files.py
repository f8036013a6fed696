"""The project's `collections/*.json`: read, compared with the database, applied to it.

All files are one set: they may refer to each other in any order and in circles, and what is applied
is applied in one transaction. Where a person asked for it (`bak migrate apply`) one fault stops
everything. Where a server starts, a faulty file is reported and the others are served.
"""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bakend.collections import definition
from bakend.collections.catalog import Catalog
from bakend.collections.migration import Plan
from bakend.database.connection import Database
from bakend.errors import DefinitionError
from bakend.structs import Struct

FILE_MAX_BYTES: Final = 1024 * 1024
"""A definition with the most fields allowed is far smaller; anything larger is some other file."""

_log = logging.getLogger("bakend.collections")


class Status(Struct):
    """How one collection stands."""

    name: str
    word: str
    """`synced`, `file_only`, `db_only`, `drift` or `broken`."""
    detail: str = ""
    """What is broken, or in the way of a change; else empty."""


class Found(Struct):
    """What stands in a folder of definitions."""

    definitions: dict[str, dict[str, Any]]
    """Name to definition, in the order of the file names."""
    faults: dict[str, str]
    """File name to what is wrong with it."""
    names: dict[str, str]
    """Name of a collection to the name of its file."""


class _RehearsedError(Exception):
    """Raised to take back what was only tried."""


class CollectionFiles:
    """The definitions in a folder. Thread: any."""

    def __init__(self, folder: Path, database: Database, catalog: Catalog) -> None:
        self._folder = folder
        self._database = database
        self._catalog = catalog

    def status(self) -> list[Status]:
        """Return how each collection stands, by name; broken files last."""
        found = read_folder(self._folder)
        with self._database.read() as snapshot:
            state = self._catalog.state(snapshot)
            _plans, faults = self._catalog.sift(snapshot, found.definitions)
        statuses = []
        for name in sorted(found.definitions.keys() | state.tables.keys() | state.broken.keys()):
            table, given = state.tables.get(name), found.definitions.get(name)
            if name in state.broken:
                status = Status(name, "broken", state.broken[name])
            elif name in faults:
                status = Status(name, "broken" if table is None else "drift", faults[name])
            elif given is None:
                status = Status(name, "db_only")
            elif table is None:
                status = Status(name, "file_only")
            elif definition.same(table.collection.definition, given):
                status = Status(name, "synced")
            else:
                status = Status(name, "drift")
            statuses.append(status)
        return [*statuses, *(Status(name, "broken", why) for name, why in found.faults.items())]

    def words(self) -> dict[str, str]:
        """Return the word of each collection in `status`."""
        return {status.name: status.word for status in self.status()}

    def plans(self) -> list[Plan]:
        """Return what `apply` would do.

        Raises:
            DefinitionError: Some file is wrong; carries every fault of all files.
        """
        wanted = self._require()
        with self._database.read() as snapshot:
            plans = self._catalog.plans(snapshot, wanted)
        return [plan for plan in plans if plan.steps]

    def apply(self, *, allow_destructive: bool = False, rehearses: bool = False) -> list[Plan]:
        """Bring the database to what the files say, all of it or nothing; return what was done.

        Collections without a file stay as they are.

        Args:
            allow_destructive: Whether values may be lost.
            rehearses: Whether it is all taken back in the end: what would have stood in its way
                stands in the way of this, too.

        Raises:
            DefinitionError: Some file or change is not possible; carries every fault.
            DestructiveChangeError: Values would be lost, and that was not allowed.
        """
        wanted = self._require()
        plans: list[Plan] = []
        with contextlib.suppress(_RehearsedError), self._database.write() as tx:
            plans = self._catalog.apply(tx, wanted, allow_destructive=allow_destructive)
            if rehearses:
                raise _RehearsedError
        return plans

    def serve(self, *, changes: bool) -> None:
        """Bring the database near to the files as far as a server does by itself; report the rest.

        New collections are created. Changes that lose nothing are made where `changes` says so (in
        development); otherwise the database keeps its definition, and the log names the command.
        Never raises for what stands in the files.
        """
        found = read_folder(self._folder)
        for name, fault in found.faults.items():
            _log.error("%s is left out: %s", self._folder / name, fault)
        with self._database.read() as snapshot:
            plans, faults = self._catalog.sift(snapshot, found.definitions)
        for name, fault in faults.items():
            _log.error('Collection "%s" in %s is left out: %s', name, self._folder, fault)
        wanted = [
            found.definitions[plan.name]
            for plan in plans
            if plan.has("create_collection") or (changes and plan.steps and not plan.is_destructive)
        ]
        for plan in plans:
            if plan.steps and found.definitions[plan.name] not in wanted:
                _log.warning(
                    'Collection "%s" differs from its file and stays as it is: %s. Run `bak migrate'
                    " apply%s` to change it",
                    plan.name,
                    "; ".join(step.text for step in plan.steps),
                    " --destructive" if plan.is_destructive else "",
                )
        if wanted:  # else a start would wait for whoever is writing just now
            self._apply_by_itself(wanted)

    def _apply_by_itself(self, wanted: Sequence[dict[str, Any]]) -> None:
        try:
            with self._database.write() as tx:
                plans = self._catalog.apply(tx, wanted)
        except DefinitionError as error:
            for text in error.faults:
                _log.error("The collections in %s were not applied: %s", self._folder, text)
            return
        with self._database.read() as snapshot:
            for plan in plans:
                for step in plan.steps:
                    _log.info('Collection "%s": %s', plan.name, step.text)
                table = self._catalog.find(snapshot, plan.name)
                for warning in definition.warnings(table.collection) if table else ():
                    _log.warning('Collection "%s": %s', plan.name, warning)

    def _require(self) -> Sequence[dict[str, Any]]:
        found = read_folder(self._folder)
        if found.faults:
            raise DefinitionError(
                f"{self._folder / name}: {fault}" for name, fault in found.faults.items()
            )
        return list(found.definitions.values())


def read_folder(folder: Path) -> Found:
    """Read every definition file in a folder; faults are kept, nothing raises."""
    found = Found({}, {}, {})
    paths = sorted(folder.glob("*.json"), key=lambda path: path.name.encode())
    for path in paths:
        try:
            data = read_definition(path)
        except DefinitionError as error:
            found.faults[path.name] = error.message
            continue
        if data["name"] in found.definitions:
            found.faults[path.name] = f'another file defines "{data["name"]}" already'
        else:
            found.definitions[data["name"]] = data
            found.names[data["name"]] = path.name
    return found


def read_definition(path: Path) -> dict[str, Any]:
    """Return the JSON object in a definition file, with a `name` and `fields`.

    Raises:
        DefinitionError: It cannot be read, or is something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise DefinitionError([f"cannot be read: {error.strerror}"]) from error
    if len(content) > FILE_MAX_BYTES:
        raise DefinitionError(["is larger than 1 MiB"])
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DefinitionError(
            [f"invalid JSON: {error.msg} in line {error.lineno}, column {error.colno}"]
        ) from error
    except (ValueError, RecursionError) as error:
        raise DefinitionError(["invalid JSON: not UTF-8 text, or nested too deeply"]) from error
    if (
        not isinstance(data, dict)
        or not isinstance(data.get("name"), str)
        or not isinstance(data.get("fields"), list)
    ):
        raise DefinitionError(["expected { name, fields }"])
    return data
