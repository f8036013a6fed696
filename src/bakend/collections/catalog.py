"""The collections of a database: table `_collections`, and the tables that it describes.

A definition and its table change in one transaction. Definitions are parsed once and kept; the
number that tells whether they are still right is the database's `user_version`, which counts
changes of the catalog: it stands in the file's header, is part of the transaction, and another
process moves it too.

A collection that cannot be understood, or whose table does not fit, is *broken*: it is reported,
answers nothing, and leaves the others alone.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bakend import wire
from bakend.clock import Clock, to_text
from bakend.collections import ddl, definition
from bakend.collections.definition import Collection, Field
from bakend.collections.migration import Plan, plan
from bakend.database.connection import Database
from bakend.database.sql import quote
from bakend.database.transaction import Snapshot, Transaction
from bakend.errors import (
    BakendError,
    CollectionNotFoundError,
    DatabaseBusyError,
    DefinitionError,
    DestructiveChangeError,
    StorageFullError,
    UnavailableError,
)
from bakend.events.event import collection_changed
from bakend.structs import Struct

REPAIR_HINT: Final = "`bak migrate status` says what is wrong with it"

_log = logging.getLogger("bakend.collections")


class Table(Struct, kw_only=True):
    """A collection with the table that holds its rows."""

    collection: Collection
    columns: Mapping[str, str]
    """Field name to column name, in the order of the definition."""
    created_at: str
    updated_at: str

    @property
    def name(self) -> str:
        """Name of the collection, and of its table."""
        return self.collection.name


class State(Struct):
    """All collections at one moment."""

    tables: Mapping[str, Table]
    """In the order of their names."""
    broken: Mapping[str, str]
    """Name of a collection that cannot be used, to the reason."""


class Catalog:
    """Owner of `_collections` and of the tables of collections. Thread: any."""

    def __init__(self, database: Database, *, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cached: tuple[int, State] | None = None
        """Number of the catalog and what it held then; only ever of a committed state."""

    def open(self) -> None:
        """Bring back tables and indexes that are missing, and report what is broken."""
        with self._database.read() as snapshot:
            needs_repair = any(_missing(snapshot, each) for each in _readable(snapshot))
        if needs_repair:
            with self._database.write() as tx:
                for collection in _readable(tx):
                    self._repair(tx, collection)
                self._count_up(tx)
        with self._database.read() as snapshot:
            for name, reason in self.state(snapshot).broken.items():
                _log.error('Collection "%s" is broken and answers nothing: %s', name, reason)

    def state(self, snapshot: Snapshot) -> State:
        """Return all collections as a snapshot or transaction sees them."""
        number: int = snapshot.value("PRAGMA user_version")
        cached = self._cached
        if cached is not None and cached[0] == number:
            return cached[1]
        state = _load(snapshot)
        # What a transaction sees may be rolled back, and its number then be used again.
        if not isinstance(snapshot, Transaction):
            self._cached = (number, state)
        return state

    def find(self, snapshot: Snapshot, name: str) -> Table | None:
        """Return a collection that can be used, or None."""
        return self.state(snapshot).tables.get(name)

    def table(self, snapshot: Snapshot, name: str) -> Table:
        """Return a collection that can be used.

        Raises:
            CollectionNotFoundError: There is none of that name.
            UnavailableError: It is broken.
        """
        state = self.state(snapshot)
        table = state.tables.get(name)
        if table is not None:
            return table
        if name in state.broken:
            raise UnavailableError(
                f'Collection "{name}" is not available: its definition or table is broken',
                retry_after_s=60,
                hint=REPAIR_HINT,
            )
        raise CollectionNotFoundError(name)

    def plans(
        self, snapshot: Snapshot, wanted: Sequence[object], *, drop: Sequence[str] = ()
    ) -> list[Plan]:
        """Return what would have to be done, in the order of the relations; nothing is done.

        Args:
            snapshot: The state to start from.
            wanted: Definitions as they should be; collections that are not named stay.
            drop: Names of collections that should be no more.

        Raises:
            DefinitionError: Some definition or change is not possible; carries every fault.
        """
        return [change.plan for change in self._changes(snapshot, wanted, drop)]

    def sift(
        self, snapshot: Snapshot, wanted: Mapping[str, Mapping[str, Any]]
    ) -> tuple[list[Plan], dict[str, str]]:
        """Return the plans of those definitions that are possible, and why the others are not.

        A definition that refers to a faulty one is faulty too, so this goes on until nothing changes.

        Args:
            snapshot: The state to start from.
            wanted: Name to definition.
        """
        state = self.state(snapshot)
        left = dict(wanted)
        why: dict[str, str] = {}
        while True:
            changes, faults = _judge(snapshot, state, list(left.values()), drop=())
            if not faults:
                return [change.plan for change in changes], why
            for name, texts in faults.items():
                why[name] = "; ".join(texts)
                del left[name]

    def apply(
        self,
        tx: Transaction,
        wanted: Sequence[object],
        *,
        drop: Sequence[str] = (),
        allow_destructive: bool = False,
    ) -> list[Plan]:
        """Do what `plans` says, all of it or nothing; return the plans that did something.

        Raises:
            DefinitionError: Something is not possible, stored values included; carries every fault.
            DestructiveChangeError: Values would be lost, and that was not allowed.
        """
        changes = [change for change in self._changes(tx, wanted, drop) if change.plan.steps]
        lossy = [
            f'Collection "{change.plan.name}": {step.text}'
            for change in changes
            for step in change.plan.steps
            if step.destructive
        ]
        if lossy and not allow_destructive:
            raise DestructiveChangeError(lossy)
        faults: list[str] = []
        for change in changes:
            try:
                self._apply_one(tx, change)
            except DefinitionError as error:
                faults.extend(error.faults)
        if faults:
            raise DefinitionError(faults)
        if changes:
            self._count_up(tx)
        return [change.plan for change in changes]

    def _changes(
        self, snapshot: Snapshot, wanted: Sequence[object], drop: Sequence[str]
    ) -> list[_Change]:
        changes, faults = _judge(snapshot, self.state(snapshot), wanted, drop=drop)
        if faults:
            raise DefinitionError(
                f'Collection "{name}": {text}' if name else text
                for name, texts in faults.items()
                for text in texts
            )
        return changes

    def _apply_one(self, tx: Transaction, change: _Change) -> None:
        old, new, now = change.old, change.new, to_text(self._clock.now())
        name = change.plan.name
        if new is None:
            tx.execute(f"DROP TABLE IF EXISTS {quote(name)}")
            tx.execute("DELETE FROM _collections WHERE name = ?", (name,))
            tx.emit(collection_changed(name, "deleted"))
            return
        text = wire.encode(new.definition)
        if old is None:
            for statement in ddl.create(new):
                tx.execute(statement)
            tx.execute(
                "INSERT INTO _collections (name, definition, created_at, updated_at)"
                " VALUES (?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
                " SET definition = excluded.definition, updated_at = excluded.updated_at",
                (name, text, now, now),
            )
            tx.emit(collection_changed(name, "created"))
            return
        self._alter(tx, old, new, change.plan)
        tx.execute(
            "UPDATE _collections SET definition = ?, updated_at = ? WHERE name = ?",
            (text, now, name),
        )
        steps = [step.as_json() for step in change.plan.steps]
        tx.emit(collection_changed(name, "updated", steps))

    def _alter(self, tx: Transaction, old: Table, new: Collection, steps: Plan) -> None:
        obstacles = [
            message
            for check in ddl.checks(old.collection, new, steps, old.columns)
            if (message := check.message(tx.all(check.sql, check.parameters)))
        ]
        if obstacles:
            raise DefinitionError(f'Collection "{new.name}": {message}' for message in obstacles)
        by_hand = tx.all(
            "SELECT name, sql FROM sqlite_schema WHERE tbl_name = ? AND sql IS NOT NULL"
            " AND type IN ('index', 'trigger') AND name NOT GLOB 'idx_*' AND name NOT GLOB 'bakend_*'",
            (new.name,),
        )
        # The modern way of renaming rewrites views and triggers and fails on those that, just then,
        # refer to a table that is being replaced.
        tx.execute("PRAGMA legacy_alter_table = ON")
        try:
            for sql, parameters in ddl.alter(old.collection, new, steps, old.columns):
                tx.execute(sql, parameters)
        finally:
            tx.execute("PRAGMA legacy_alter_table = OFF")
        for row in by_hand:
            if tx.one("SELECT 1 FROM sqlite_schema WHERE name = ?", (row["name"],)) is None:
                try:
                    tx.execute(row["sql"])
                except BakendError as error:
                    raise DefinitionError(
                        [
                            f'"{row["name"]}", made by hand on "{new.name}", would be lost: {error.hint}'
                        ],
                        hint=f'drop "{row["name"]}" first',
                    ) from error

    def _repair(self, tx: Transaction, collection: Collection) -> None:
        """Bring back what one collection lacks; one that can't be repaired doesn't stop the others."""
        tx.execute("SAVEPOINT repair")
        try:
            for statement in _missing(tx, collection):
                tx.execute(statement)
                _log.info('Collection "%s" repaired: %s', collection.name, statement.split(" (")[0])
        except (DatabaseBusyError, StorageFullError):
            raise
        except BakendError as error:
            tx.execute("ROLLBACK TO repair")
            _log.error('Collection "%s" cannot be repaired: %s', collection.name, error.hint)
        finally:
            tx.execute("RELEASE repair")

    def _count_up(self, tx: Transaction) -> None:
        number: int = tx.value("PRAGMA user_version")
        # A pragma takes no parameters; the number is ours. It wraps where SQLite's header ends.
        tx.execute(f"PRAGMA user_version = {(number + 1) % 2**31}")


class _Change(Struct):
    plan: Plan
    old: Table | None
    new: Collection | None


def _judge(
    snapshot: Snapshot, state: State, wanted: Sequence[object], *, drop: Sequence[str]
) -> tuple[list[_Change], dict[str, list[str]]]:
    """Return the changes that are possible, and the faults of the others by name ("" for none)."""
    known = (state.tables.keys() | state.broken.keys() | {*map(_name, wanted)}) - set(drop)
    faults: dict[str, list[str]] = {}
    parsed: list[Collection] = []
    for item in wanted:
        try:
            parsed.append(definition.parse(item, known=known))
        except DefinitionError as error:
            faults.setdefault(_name(item), []).extend(error.faults)
    changes: list[_Change] = []
    for collection in definition.in_order(parsed):
        try:
            changes.append(_change(snapshot, state, collection))
        except DefinitionError as error:
            faults.setdefault(collection.name, []).extend(error.faults)
    for name in drop:
        changes.append(_Change(plan(_droppable(state, name), None), state.tables.get(name), None))
        users = sorted(_referring(state, parsed, name) - set(drop))
        if users:
            faults.setdefault("", []).append(
                f'Cannot delete collection "{name}": referenced by relation fields in'
                f" {', '.join(users)}"
            )
    return changes, faults


def _name(item: object) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else ""


def _change(snapshot: Snapshot, state: State, new: Collection) -> _Change:
    """Return the change that leads to a definition."""
    name = new.name
    old = state.tables.get(name)
    if old is None and _columns(snapshot, name):
        if name in state.broken:
            raise DefinitionError([f"it is broken and has a table: {state.broken[name]}"])
        raise DefinitionError(["the database has another table of that name"])
    return _Change(plan(None if old is None else old.collection, new), old, new)


def _droppable(state: State, name: str) -> Collection:
    table = state.tables.get(name)
    if table is not None:
        return table.collection
    if name not in state.broken:
        raise CollectionNotFoundError(name)
    return Collection(name=name, fields=(), rules={}, definition={"name": name, "fields": []})


def _referring(state: State, parsed: Sequence[Collection], name: str) -> set[str]:
    collections = {table.name: table.collection for table in state.tables.values()}
    collections.update({collection.name: collection for collection in parsed})
    return {
        collection.name
        for collection in collections.values()
        if collection.name != name and any(field.target == name for field in collection.fields)
    }


def _load(snapshot: Snapshot) -> State:
    tables: dict[str, Table] = {}
    broken: dict[str, str] = {}
    for row in snapshot.all(
        "SELECT name, definition, created_at, updated_at FROM _collections ORDER BY name"
    ):
        name = row["name"]
        try:
            collection = _parse(name, row["definition"])
            if definition.is_reserved(name):  # the original took names that are routes
                raise DefinitionError(["its name is reserved"])
            tables[name] = Table(
                collection=collection,
                columns=_match(collection.fields, _columns(snapshot, name)),
                created_at=row["created_at"],
                updated_at=row["updated_at"],
            )
        except DefinitionError as error:
            broken[name] = error.message
    return State(tables, broken)


def _readable(snapshot: Snapshot) -> list[Collection]:
    """Return the collections whose definition can be understood, whatever their tables are like."""
    readable = []
    for row in snapshot.all("SELECT name, definition FROM _collections ORDER BY name"):
        try:
            readable.append(_parse(row["name"], row["definition"]))
        except DefinitionError:
            continue  # _load tells why
    return readable


def _parse(name: str, text: str) -> Collection:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DefinitionError([f"its definition is not JSON: {error}"]) from error
    collection = definition.load(data)
    if collection.name != name:
        raise DefinitionError([f'its definition is one of "{collection.name}"'])
    return collection


def _columns(snapshot: Snapshot, name: str) -> list[str]:
    """Return the columns of a table, none when there is no such table."""
    return [row["name"] for row in snapshot.all(f"PRAGMA table_info({quote(name)})")]


def _match(fields: Sequence[Field], columns: Sequence[str]) -> dict[str, str]:
    """Return the column of each field.

    Older originals turned `authorId` into a column `author_id`; such a table keeps it.
    """
    if not columns:
        raise DefinitionError(["its table is missing"])
    lost = {"id", "created_at", "updated_at"} - set(columns)
    matched: dict[str, str] = {}
    for field in fields:
        for column in (field.name, definition.column_key(field.name)):
            if column in columns:
                matched[field.name] = column
                break
        else:
            lost.add(field.name)
    if lost:
        raise DefinitionError([f"its table lacks {', '.join(sorted(lost))}"])
    return matched


def _missing(snapshot: Snapshot, collection: Collection) -> list[str]:
    """Return the statements that bring back what a readable collection lacks in the database."""
    name = collection.name
    columns = _columns(snapshot, name)
    if not columns:
        return ddl.create(collection)
    try:
        matched = _match(collection.fields, columns)
    except DefinitionError:
        return []
    there = {
        row["name"]
        for row in snapshot.all("SELECT name FROM sqlite_schema WHERE tbl_name = ?", (name,))
    }
    missing = [
        statement
        for index, statement in ddl.indexes(collection, matched).items()
        if index not in there
    ]
    # The original's name for a relation's index can mean two things (a, b_c and a_b, c).
    theirs = [f"idx_{name}_{matched[field.name]}" for field in collection.fields]
    return [*missing, *(f"DROP INDEX {quote(index)}" for index in theirs if index in there)]
