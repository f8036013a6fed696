"""Which files the records of all collections name: what must not be taken from under them."""

from __future__ import annotations

from collections.abc import Sequence

from bakend.collections.catalog import REPAIR_HINT, Catalog
from bakend.database.transaction import Snapshot
from bakend.errors import UnavailableError
from bakend.records import query


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
    for table in state.tables.values():
        for field in table.collection.fields:
            if field.type.name == "file":
                rows = snapshot.all(*query.values_of(table, field.name, among))
                found.update(row[0] for row in rows)
    return found
