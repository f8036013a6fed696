"""Collections one at a time, as administrators see and change them.

The broken ones are seen too, and can be deleted. Rules fail closed here: a new collection gets the
rule `admin` for each operation that its definition does not speak of, and a changed one keeps the
rule it had. To open an operation to everyone, somebody has to write `public`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from bakend import wire
from bakend.collections import definition
from bakend.collections.catalog import Catalog, State
from bakend.collections.definition import OPERATIONS, RULES
from bakend.collections.migration import Plan
from bakend.database.connection import Database
from bakend.database.transaction import Snapshot
from bakend.errors import CollectionNotFoundError, DefinitionError, InvalidInputError
from bakend.events.event import Actor
from bakend.structs import Struct

_log: Final = logging.getLogger("bakend.collections")

_CLOSED: Final[Mapping[str, str]] = dict.fromkeys(OPERATIONS, "admin")
_SHOWN_DEPTH: Final = 64


class Entry(Struct, kw_only=True):
    """A collection as administrators see it."""

    name: str
    definition: Any
    """As it was written; None where that cannot be told, which only a broken collection has."""
    created_at: str
    updated_at: str
    warnings: tuple[str, ...] = ()
    """What is allowed and probably not meant."""
    broken: str = ""
    """Why it cannot be used; empty for one that can."""


class CollectionEditor:
    """Shows and changes collections, each change in one transaction. Thread: any."""

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        *,
        changed: Callable[[str], None] | None = None,
    ) -> None:
        """Take the parts; `changed` is called with the name of each collection that was changed."""
        self._database = database
        self._catalog = catalog
        self._changed = changed or (lambda _name: None)

    def entries(self) -> list[Entry]:
        """Return every collection, by name."""
        with self._database.read() as snapshot:
            return _entries(snapshot, self._catalog.state(snapshot))

    def entry(self, name: str) -> Entry:
        """Return one collection.

        Raises:
            CollectionNotFoundError: There is none of that name.
        """
        with self._database.read() as snapshot:
            return self._entry(snapshot, name)

    def plan_new(self, body: Mapping[str, Any]) -> Plan:
        """Return what `create` would do.

        Raises:
            InvalidInputError: The body is no definition.
            DefinitionError: It cannot be; carries every fault.
        """
        with self._database.read() as snapshot:
            return self._plan(snapshot, _created(self._catalog.state(snapshot), body))

    def create(self, body: Mapping[str, Any], *, actor: Actor) -> Entry:
        """Create a collection.

        Raises:
            InvalidInputError: The body is no definition.
            DefinitionError: It cannot be; carries every fault.
        """
        self.plan_new(body)  # reads the patterns, and refuses, before the writer is taken
        with self._database.write(actor=actor) as tx, _about(body["name"]):
            plans = self._catalog.apply(tx, [_created(self._catalog.state(tx), body)])
            entry = self._entry(tx, body["name"])
        _tell(plans)
        self._changed(body["name"])
        return entry

    def plan_change(self, name: str, body: Mapping[str, Any]) -> Plan:
        """Return what `change` would do.

        Raises:
            CollectionNotFoundError: There is none of that name.
            InvalidInputError: The body is no definition.
            DefinitionError: The change is not possible; carries every fault.
        """
        with self._database.read() as snapshot:
            return self._plan(snapshot, _changed(self._catalog.state(snapshot), name, body))

    def change(
        self, name: str, body: Mapping[str, Any], *, allow_destructive: bool, actor: Actor
    ) -> Entry:
        """Give a collection another definition, records included.

        Raises:
            CollectionNotFoundError: There is none of that name.
            InvalidInputError: The body is no definition.
            DefinitionError: The change is not possible; carries every fault.
            DestructiveChangeError: Values would be lost, and that was not allowed.
        """
        self.plan_change(name, body)  # as above
        with self._database.write(actor=actor) as tx, _about(name):
            wanted = _changed(self._catalog.state(tx), name, body)
            plans = self._catalog.apply(tx, [wanted], allow_destructive=allow_destructive)
            entry = self._entry(tx, name)
        _tell(plans)
        self._changed(name)
        return entry

    def plan_deletion(self, name: str) -> Plan:
        """Return what `delete` would do.

        Raises:
            CollectionNotFoundError: There is none of that name.
            DefinitionError: Another collection points at it.
        """
        with self._database.read() as snapshot:
            return self._catalog.plans(snapshot, [], drop=[name])[0]

    def delete(self, name: str, *, actor: Actor) -> None:
        """Delete a collection with its records.

        Raises:
            CollectionNotFoundError: There is none of that name.
            DefinitionError: Another collection points at it.
        """
        with self._database.write(actor=actor) as tx:
            plans = self._catalog.apply(tx, [], drop=[name], allow_destructive=True)
        _tell(plans)
        self._changed(name)

    def _entry(self, snapshot: Snapshot, name: str) -> Entry:
        for entry in _entries(snapshot, self._catalog.state(snapshot)):
            if entry.name == name:
                return entry
        raise CollectionNotFoundError(name)

    def _plan(self, snapshot: Snapshot, wanted: Mapping[str, Any]) -> Plan:
        with _about(wanted["name"]):
            return self._catalog.plans(snapshot, [wanted])[0]


def _entries(snapshot: Snapshot, state: State) -> list[Entry]:
    found = [
        Entry(
            name=table.name,
            definition=table.collection.definition,
            created_at=table.created_at,
            updated_at=table.updated_at,
            warnings=tuple(definition.warnings(table.collection)),
        )
        for table in state.tables.values()
    ]
    if state.broken:
        found += [
            Entry(
                name=row["name"],
                definition=_shown(row["definition"]),
                created_at=row["created_at"],
                updated_at=row["updated_at"],
                broken=state.broken[row["name"]],
            )
            for row in snapshot.all("SELECT * FROM _collections")
            if row["name"] in state.broken
        ]
    return sorted(found, key=lambda entry: entry.name)


def _shown(text: object) -> Any:
    """Return the JSON of a broken collection, or None where it is none that could be sent."""
    try:
        return wire.decode(str(text).encode(), max_depth=_SHOWN_DEPTH)
    except InvalidInputError:
        return None


def _created(state: State, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition that a new collection gets."""
    _require_definition(body)
    name = body["name"]
    if name in state.tables or name in state.broken:
        raise DefinitionError([f'Collection "{name}" already exists'])
    return _with_rules(body, _CLOSED)


def _changed(state: State, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition that a collection gets instead of the one it has."""
    table = state.tables.get(name)
    if table is None and name not in state.broken:
        raise CollectionNotFoundError(name)
    _require_definition(body)
    if body["name"] != name:
        raise DefinitionError(["Collection name cannot be changed"])
    if table is None:
        return _with_rules(body, _CLOSED)
    # A word that is no rule, as old databases have it, means administrators only.
    kept = {
        operation: rule if rule in RULES else "admin"
        for operation, rule in table.collection.rules.items()
    }
    return _with_rules(body, kept)


def _require_definition(body: Mapping[str, Any]) -> None:
    if not isinstance(body.get("name"), str) or not isinstance(body.get("fields"), list):
        raise InvalidInputError("Request body must include name and fields")


def _with_rules(body: Mapping[str, Any], others: Mapping[str, str]) -> dict[str, Any]:
    """Return a definition with the rules of other origin for what it does not speak of."""
    given = body.get("permissions")
    rules = {} if given is None else given
    if not isinstance(rules, dict):
        return {**body}  # which is a fault, and will be told as one
    missing = {
        operation: rule for operation, rule in others.items() if rules.get(operation) is None
    }
    return {**body, "permissions": {**rules, **missing}} if missing else {**body}


@contextmanager
def _about(name: str) -> Iterator[None]:
    """Say faults without naming the collection: there is only one, and the original's do not."""
    try:
        yield
    except DefinitionError as error:
        prefix = f'Collection "{name}": '
        faults = [fault.removeprefix(prefix) for fault in error.faults]
        raise type(error)(faults, hint=error.hint) from error


def _tell(plans: list[Plan]) -> None:
    for plan in plans:
        for step in plan.steps:
            _log.info('Collection "%s": %s', plan.name, step.text)
