"""Which files the records of all collections name, and where: what must not be taken from under them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bakend.collections.catalog import REPAIR_HINT, Catalog, State, Table
from bakend.database.transaction import Snapshot
from bakend.errors import UnavailableError
from bakend.records import query
from bakend.structs import Struct


class Use(Struct):
    """A record that names a file, and in which field."""

    collection: str
    field: str
    record_id: str

    def as_json(self) -> dict[str, str]:
        """Return it as the API shows it."""
        return {"collection": self.collection, "field": self.field, "id": self.record_id}


class Uses(Struct, kw_only=True):
    """Some of the places where a file is used."""

    items: list[Use]
    total: int
    """How many there are in all."""
    broken: Sequence[str]
    """Names of collections that could not be looked at."""


def named_files(
    catalog: Catalog, snapshot: Snapshot, among: Sequence[str] | None = None
) -> set[str]:
    """Return the ids in the `file` fields of all records; text that holds an id is not looked at.

    Args:
        catalog: What the collections are.
        snapshot: The state to look at.
        among: Only these ids matter; a few at a time.

    Raises:
        UnavailableError: A collection is broken, so that nobody knows what its records name.
    """
    state = catalog.state(snapshot)
    if state.broken:
        raise UnavailableError(
            f'Collection "{min(state.broken)}" is broken: which files its records name is not known',
            hint=REPAIR_HINT,
        )
    found: set[str] = set()
    for table, field in _file_fields(state):
        rows = snapshot.all(*query.values_of(table, field, among))
        found.update(row[0] for row in rows)
    return found


def uses_of(catalog: Catalog, snapshot: Snapshot, file_id: str, *, limit: int, offset: int) -> Uses:
    """Return which records name a file in a `file` field: by collection, field, and the newest first.

    These fields have no index, so that each table with one is read from begin to end.

    Args:
        catalog: What the collections are.
        snapshot: The state to look at.
        file_id: Which file; it need not exist.
        limit: Most places to return.
        offset: How many to leave out first.
    """
    state = catalog.state(snapshot)
    items: list[Use] = []
    total = 0
    for table, field in _file_fields(state):
        count = snapshot.value(*query.count(table, (field, file_id)))
        skipped = max(0, offset - total)
        total += count
        if len(items) < limit and skipped < count:
            rows = snapshot.all(
                *query.ids(table, (field, file_id), limit=limit - len(items), offset=skipped)
            )
            items += [Use(table.name, field, row[0]) for row in rows]
    return Uses(items=items, total=total, broken=sorted(state.broken))


def _file_fields(state: State) -> Iterator[tuple[Table, str]]:
    for table in state.tables.values():
        for field in table.collection.fields:
            if field.type.name == "file":
                yield table, field.name
