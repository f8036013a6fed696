"""The records of all collections: read, create, change, delete.

A write asks, in this order and in one transaction: is the record there, may the caller, are the
values right, what do the hooks say, is what they changed right; then it writes and tells the event.
Patterns are matched before the transaction begins, because a slow one would keep every other writer
waiting; they are judged after the guard all the same.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bakend.access import EVERYTHING, Guard, GuardFor
from bakend.clock import Clock, to_text
from bakend.collections.catalog import Catalog, Table
from bakend.collections.definition import OWNER_FIELD, Collection, Field
from bakend.collections.fields import SqlValue
from bakend.database.transaction import Snapshot, Transaction, Transactions
from bakend.errors import Fault, RecordNotFoundError, ValidationError
from bakend.events.event import record_created, record_deleted, record_updated
from bakend.ids import new_id
from bakend.records import query, references, validation
from bakend.records.hooks import Change, Hooks, Record, planned
from bakend.storage.file import StoredFile
from bakend.structs import Struct

UserExists = Callable[[Snapshot, str], bool]
FindFile = Callable[[Snapshot, str], StoredFile | None]


class Page(Struct, kw_only=True):
    """Records, newest first."""

    items: list[Record]
    total: int | None
    """How many there are in all, where that was asked."""
    is_truncated: bool
    """Whether `records.listMax` cut the list."""


class _Checked(Struct):
    """A body that was looked at as far as that goes without the database."""

    collection: Collection
    body: Mapping[str, Any]
    faults: list[Fault]


class RecordStore:
    """Owner of the rows of collections. Thread: any."""

    def __init__(
        self,
        database: Transactions,
        catalog: Catalog,
        *,
        clock: Clock,
        matches: validation.Matches,
        user_exists: UserExists,
        find_file: FindFile,
        list_max: int,
    ) -> None:
        """Take the parts.

        Args:
            database: Where the rows are.
            catalog: What the collections are.
            clock: Where time comes from.
            matches: Whether a text matches a pattern; None when that took too long.
            user_exists: Whether a user has this id.
            find_file: Returns the file of an id.
            list_max: Most records of a list without a limit.
        """
        self._database = database
        self._catalog = catalog
        self._clock = clock
        self._matches = matches
        self._user_exists = user_exists
        self._find_file = find_file
        self._list_max = list_max
        self._is_part = False
        self.hooks: Hooks | None = None
        """Who is asked before a write; set once, where the project has such functions."""

    def inside(self, tx: Transactions) -> RecordStore:
        """Return a store that does all it does as a part of an open transaction."""
        part = copy.copy(self)
        part._database, part._is_part = tx, True
        return part

    def collection(self, name: str) -> Collection:
        """Return a collection as it is now.

        Raises:
            CollectionNotFoundError: There is none of that name.
            UnavailableError: It is broken.
        """
        with self._database.read() as snapshot:
            return self._catalog.table(snapshot, name).collection

    def list(self, name: str, wanted: query.ListQuery, guard_for: GuardFor) -> Page:
        """Return the records that the caller may see, newest first."""
        with self._database.read() as snapshot:
            table = self._catalog.table(snapshot, name)
            guard = guard_for(table.collection)
            guard.before("read")
            only = guard.only()
            limit = wanted.limit or self._list_max
            # One more than wanted tells whether there is more.
            sql, parameters = query.page(table, only, limit=limit + 1, offset=wanted.offset)
            rows = snapshot.all(sql, parameters)
            total = snapshot.value(*query.count(table, only)) if wanted.count else None
        return Page(
            items=[query.record(table, row) for row in rows[:limit]],
            total=total,
            is_truncated=wanted.limit is None and len(rows) > limit,
        )

    def sizes(self, most: int, collections: int) -> dict[str, int]:
        """Return how many records the first collections by name have, each counted up to `most`."""
        with self._database.read() as snapshot:
            tables = sorted(self._catalog.state(snapshot).tables.items())[:collections]
            return {name: snapshot.value(*query.size(table, most)) for name, table in tables}

    def uses_of(self, file_id: str, *, limit: int, offset: int) -> references.Uses:
        """Return which records name a file: see `references.uses_of`."""
        with self._database.read() as snapshot:
            return references.uses_of(self._catalog, snapshot, file_id, limit=limit, offset=offset)

    def get(self, name: str, record_id: str, guard_for: GuardFor) -> Record:
        """Return one record.

        Raises:
            RecordNotFoundError: There is none, or the caller may not know of it.
        """
        return self.require(name, record_id, "read", guard_for)

    def require(self, name: str, record_id: str, operation: str, guard_for: GuardFor) -> Record:
        """Return one record that the caller may do something with.

        Raises:
            RecordNotFoundError: There is none, or the caller may not know of it.
            PermissionDeniedError: The caller may read it and no more.
        """
        with self._database.read() as snapshot:
            table = self._catalog.table(snapshot, name)
            return self._allowed(snapshot, table, record_id, operation, guard_for)

    def create(self, name: str, body: Mapping[str, Any], guard_for: GuardFor) -> Record:
        """Create a record and return it; unknown keys and system fields of the body are dropped.

        Raises:
            ValidationError: The body breaks the definition; carries every fault.
        """
        checked = self._check(name, body, guard_for, creates=True)
        with self._writing(guard_for) as tx:
            table = self._catalog.table(tx, name)
            guard_for(table.collection).before("create")
            values = self._valid(tx, table, checked, guard_for)
            record_id, at = new_id("rec"), to_text(self._clock.now())
            if self._has_hooks(name, "create"):
                plan = planned(table, values, None, record_id=record_id, at=at)
                values = self._asked(tx, table, "create", values, plan, guard_for)
            tx.execute(*query.insert(table, record_id, at, values))
            record = self._load(tx, table, record_id)
            tx.emit(record_created(name, record))
        return record

    def update(
        self, name: str, record_id: str, body: Mapping[str, Any], guard_for: GuardFor
    ) -> Record:
        """Change the fields that the body names, null clears one; return the record.

        A body without a known field changes nothing: no new `updatedAt`, no event.

        Raises:
            RecordNotFoundError: There is none, or the caller may not know of it.
            PermissionDeniedError: The caller may read it and no more.
            ValidationError: The record would break the definition; carries every fault.
        """
        checked = self._check(name, body, guard_for, creates=False)
        with self._writing(guard_for) as tx:
            table = self._catalog.table(tx, name)
            before = self._allowed(tx, table, record_id, "update", guard_for)
            values = self._valid(tx, table, checked, guard_for, before=before)
            if not values:
                return before
            at = to_text(self._clock.now())
            if self._has_hooks(name, "update"):
                plan = planned(table, values, before, record_id=record_id, at=at)
                values = self._asked(tx, table, "update", values, plan, guard_for, before=before)
            tx.execute(*query.update(table, record_id, at, values))
            record = self._load(tx, table, record_id)
            tx.emit(record_updated(name, record, before))
        return record

    def delete(self, name: str, record_id: str, guard_for: GuardFor) -> None:
        """Delete a record.

        Raises:
            RecordNotFoundError: There is none, or the caller may not know of it.
            PermissionDeniedError: The caller may read it and no more.
        """
        with self._writing(guard_for) as tx:
            table = self._catalog.table(tx, name)
            before = self._allowed(tx, table, record_id, "delete", guard_for)
            if self._has_hooks(name, "delete"):
                self._ask(tx, table, "delete", before, before, guard_for)
                self._load(tx, table, record_id)  # gone, where a hook has deleted it by itself
            tx.execute(*query.delete(table, record_id))
            tx.emit(record_deleted(name, before))

    def delete_owned(self, tx: Transaction, user_id: str) -> None:
        """Delete the records that a user owns, of all collections, in somebody's transaction.

        Nobody is asked before: no function of a project keeps an account from ending.
        """
        for table in self._catalog.state(tx).tables.values():
            if table.collection.has_owner:
                everything = query.page(table, (OWNER_FIELD, user_id), limit=-1, offset=0)
                for row in tx.all(*everything):
                    record = query.record(table, row)
                    tx.execute(*query.delete(table, record["id"]))
                    tx.emit(record_deleted(table.name, record))

    @contextmanager
    def _writing(self, guard_for: GuardFor) -> Iterator[Transaction]:
        try:
            with self._database.write(actor=guard_for.actor, depth=guard_for.depth) as tx:
                yield tx
        except Exception as error:
            if self.hooks is not None and not self._is_part:
                self.hooks.rolled_back(error)
            raise

    def _has_hooks(self, name: str, operation: str) -> bool:
        return self.hooks is not None and self.hooks.has(name, operation)

    def _ask(
        self,
        tx: Transaction,
        table: Table,
        operation: str,
        record: Record,
        old: Record | None,
        guard_for: GuardFor,
    ) -> Record:
        assert self.hooks is not None
        change = Change(
            table=table, operation=operation, record=record, old=old, depth=guard_for.depth
        )
        return self.hooks.ask(tx, change)

    def _asked(
        self,
        tx: Transaction,
        table: Table,
        operation: str,
        values: Mapping[str, SqlValue],
        plan: Record,
        guard_for: GuardFor,
        *,
        before: Record | None = None,
    ) -> dict[str, SqlValue]:
        """Return what is to be written once the hooks were asked; what they set is judged as well.

        What the caller had given is judged again, too: hooks may have written something else that
        is not compatible with it.
        """
        collection = table.collection
        record = self._ask(tx, table, operation, plan, before, guard_for)
        names = [field.name for field in collection.fields]
        changed = {name: record[name] for name in names if record[name] is not plan[name]}
        faults = validation.faults(collection, changed, partial=True, matches=self._matches)
        theirs = Guard(EVERYTHING, collection)
        self._judge(
            tx,
            table,
            {**{name: plan[name] for name in values}, **changed},
            faults,
            {**dict.fromkeys(names, guard_for(collection)), **dict.fromkeys(changed, theirs)},
            before=before,
        )
        return {**values, **validation.values(collection, changed)}

    def _allowed(
        self,
        snapshot: Snapshot,
        table: Table,
        record_id: str,
        operation: str,
        guard_for: GuardFor,
    ) -> Record:
        guard = guard_for(table.collection)
        guard.before(operation)
        record = self._load(snapshot, table, record_id)
        guard.may(operation, record)
        return record

    def _load(self, snapshot: Snapshot, table: Table, record_id: str) -> Record:
        row = snapshot.one(*query.one(table, record_id))
        if row is None:
            raise RecordNotFoundError(record_id)
        return query.record(table, row)

    def _check(
        self, name: str, body: Mapping[str, Any], guard_for: GuardFor, *, creates: bool
    ) -> _Checked:
        return self._check_against(self.collection(name), body, guard_for, creates=creates)

    def _check_against(
        self,
        collection: Collection,
        body: Mapping[str, Any],
        guard_for: GuardFor,
        *,
        creates: bool,
    ) -> _Checked:
        owned = guard_for(collection).own(body, creates=creates)
        faults = validation.faults(collection, owned, partial=not creates, matches=self._matches)
        return _Checked(collection, owned, faults)

    def _valid(
        self,
        tx: Transaction,
        table: Table,
        checked: _Checked,
        guard_for: GuardFor,
        *,
        before: Record | None = None,
    ) -> dict[str, SqlValue]:
        """Return what is to be written, by field, or raise every fault at once."""
        collection = table.collection
        if (
            checked.collection is not collection
        ):  # its definition changed since the body was checked
            creates = before is None
            checked = self._check_against(collection, checked.body, guard_for, creates=creates)
        guards = dict.fromkeys((each.name for each in collection.fields), guard_for(collection))
        self._judge(tx, table, checked.body, checked.faults, guards, before=before)
        return validation.values(collection, checked.body)

    def _judge(
        self,
        tx: Transaction,
        table: Table,
        body: Mapping[str, Any],
        found: Sequence[Fault],
        guards: Mapping[str, Guard],
        *,
        before: Record | None,
    ) -> None:
        """Ask what only the database knows, and raise every fault at once.

        Args:
            tx: Where to ask.
            table: Of the record.
            body: What is to be written, by field.
            found: The faults that were found without the database.
            guards: Field to who gives it its value.
            before: The record as it is, if it is.
        """
        collection, faults = table.collection, list(found)
        faulty = {fault.field for fault in faults}
        record_id = None if before is None else before["id"]
        for field in collection.fields:
            value = body.get(field.name)
            is_kept = before is not None and before[field.name] == value
            if value is None or is_kept or field.name in faulty:
                continue
            fault = self._reference_fault(
                tx, field, value, guards[field.name]
            ) or self._unique_fault(tx, table, field, value, record_id)
            if fault is not None:
                faults.append(fault)
        if faults:
            order = {field.name: place for place, field in enumerate(collection.fields)}
            raise ValidationError(sorted(faults, key=lambda fault: order[fault.field]))

    def _reference_fault(
        self, tx: Transaction, field: Field, value: Any, guard: Guard
    ) -> Fault | None:
        if value == "":
            return None
        if field.type.name == "file":
            file = self._find_file(tx, value)
            # The same words for both: nobody finds out which ids there are.
            if file is None or not guard.may_use_file(file):
                return Fault(
                    field.name, "exists", f'Field "{field.name}" references unknown file "{value}"'
                )
        if field.type.name == "relation" and not self._is_target(tx, field, value):
            return Fault(
                field.name, "exists", f'Field "{field.name}" references unknown record "{value}"'
            )
        return None

    def _is_target(self, tx: Transaction, field: Field, record_id: str) -> bool:
        if field.target == "users":
            return self._user_exists(tx, record_id)
        target = self._catalog.find(tx, field.target or "")
        return target is not None and tx.one(*query.known(target, record_id)) is not None

    def _unique_fault(
        self, tx: Transaction, table: Table, field: Field, value: Any, record_id: str | None
    ) -> Fault | None:
        if not field.unique:
            return None
        stored = field.type.to_sqlite(value)
        if tx.one(*query.taken(table, field.name, stored, record_id)) is None:
            return None
        return Fault(field.name, "unique", f'Field "{field.name}" must be unique')
