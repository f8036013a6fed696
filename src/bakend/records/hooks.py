"""What is asked before a record is written: the store knows that somebody is, not who."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bakend.collections.catalog import Table
from bakend.collections.fields import SqlValue
from bakend.database.transaction import Transaction
from bakend.structs import Struct

Record = dict[str, Any]


class Change(Struct, kw_only=True):
    """A write that is about to happen."""

    table: Table
    operation: str
    """`create`, `update` or `delete`."""
    record: Record
    """As it will be written; of a deletion as it is."""
    old: Record | None
    """As it is; None where it is created."""
    depth: int
    """How many handlers deep it is; 0 for a request."""


class Hooks(Protocol):
    """Who is asked. Thread: any."""

    def has(self, collection: str, operation: str) -> bool:
        """Tell whether there is anybody to ask.

        Raises:
            UnavailableError: There is, and he cannot be asked now.
        """
        ...

    def ask(self, tx: Transaction, change: Change) -> Record:
        """Return the record as it is to be written, with the same keys.

        The value of a field that stays as it is, is the very same object.

        Raises:
            ValidationError: The write is refused.
            UnavailableError: No answer came in time.
            UserCodeError: The one who was asked has failed.
        """
        ...

    def rolled_back(self, error: Exception) -> None:
        """Note why a write did not happen; its transaction is over."""
        ...


def planned(
    table: Table, values: Mapping[str, SqlValue], before: Record | None, *, record_id: str, at: str
) -> Record:
    """Return a record as it will be read once these values are written."""
    record = {"id": record_id, "createdAt": at, **(before or {}), "updatedAt": at}
    for field in table.collection.fields:
        if field.name in values:
            stored = values[field.name]
            record[field.name] = None if stored is None else field.type.from_sqlite(stored)
        else:
            record.setdefault(field.name, None)
    names = ("id", "createdAt", "updatedAt", *(field.name for field in table.collection.fields))
    return {name: record[name] for name in names}
