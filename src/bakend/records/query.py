"""Record queries as SQL and parameters. Pure: nothing is run here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bakend.collections.catalog import Table
from bakend.database.sql import quote
from bakend.structs import Struct

Statement = tuple[str, list[Any]]


class ListQuery(Struct, kw_only=True):
    """What a caller wants to see of a collection, newest first."""

    limit: int | None = None
    """How many records; None for all, up to the setting `records.listMax`."""
    offset: int = 0
    """How many to leave out first."""
    count: bool = False
    """Whether to say how many there are in all."""


def one(table: Table, record_id: str) -> Statement:
    """Select one row."""
    return f"{_select(table)} WHERE id = ?", [record_id]


def page(
    table: Table, only: tuple[str, str | None] | None, *, limit: int, offset: int
) -> Statement:
    """Select rows from the newest on, those with one value in one field where `only` is given.

    A limit of -1 is none.
    """
    where, parameters = _where(table, only)
    return (
        f"{_select(table)}{where} ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        [*parameters, limit, offset],
    )


def ids(table: Table, only: tuple[str, str | None] | None, *, limit: int, offset: int) -> Statement:
    """Select the ids of the rows that `page` selects."""
    where, parameters = _where(table, only)
    return (
        f"SELECT id FROM {quote(table.name)}{where}"
        " ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?",
        [*parameters, limit, offset],
    )


def count(table: Table, only: tuple[str, str | None] | None) -> Statement:
    """Count the rows that `page` would go through."""
    where, parameters = _where(table, only)
    return f"SELECT count(*) FROM {quote(table.name)}{where}", parameters


def size(table: Table, most: int) -> Statement:
    """Count the rows, and stop at `most`."""
    return f"SELECT count(*) FROM (SELECT 1 FROM {quote(table.name)} LIMIT ?)", [most]


def insert(table: Table, record_id: str, at: str, values: Mapping[str, Any]) -> Statement:
    """Insert a row; fields without a value are NULL."""
    columns = ["id", "created_at", "updated_at", *(table.columns[name] for name in values)]
    return (
        f"INSERT INTO {quote(table.name)} ({', '.join(map(quote, columns))})"
        f" VALUES ({', '.join('?' * len(columns))})",
        [record_id, at, at, *values.values()],
    )


def update(table: Table, record_id: str, at: str, values: Mapping[str, Any]) -> Statement:
    """Change the given fields of a row."""
    columns = ["updated_at", *(table.columns[name] for name in values)]
    return (
        f"UPDATE {quote(table.name)} SET {', '.join(f'{quote(column)} = ?' for column in columns)}"
        " WHERE id = ?",
        [at, *values.values(), record_id],
    )


def delete(table: Table, record_id: str) -> Statement:
    """Delete a row."""
    return f"DELETE FROM {quote(table.name)} WHERE id = ?", [record_id]


def taken(table: Table, field: str, value: object, record_id: str | None) -> Statement:
    """Find another row that has this value."""
    return (
        f"SELECT 1 FROM {quote(table.name)} WHERE {quote(table.columns[field])} = ? AND id IS NOT ?",
        [value, record_id],
    )


def known(table: Table, record_id: str) -> Statement:
    """Find out whether a row exists."""
    return f"SELECT 1 FROM {quote(table.name)} WHERE id = ?", [record_id]


def values_of(table: Table, field: str, among: Sequence[str] | None) -> Statement:
    """Select the different values of a field, where `among` is given only those in it."""
    column = quote(table.columns[field])
    wanted = "IS NOT NULL" if among is None else f"IN ({', '.join('?' * len(among))})"
    return (
        f"SELECT DISTINCT {column} FROM {quote(table.name)} WHERE {column} {wanted}",
        list(among or ()),
    )


def record(table: Table, row: Iterable[Any]) -> dict[str, Any]:
    """Return a selected row as the API shows it, fields in the order of the definition."""
    values = iter(row)
    shown = {"id": next(values), "createdAt": next(values), "updatedAt": next(values)}
    for field, value in zip(table.collection.fields, values, strict=True):
        shown[field.name] = None if value is None else field.type.from_sqlite(value)
    return shown


def _select(table: Table) -> str:
    columns = ["id", "created_at", "updated_at", *table.columns.values()]
    return f"SELECT {', '.join(map(quote, columns))} FROM {quote(table.name)}"


def _where(table: Table, only: tuple[str, str | None] | None) -> Statement:
    if only is None:
        return "", []
    field, value = only
    return f" WHERE {quote(table.columns[field])} = ?", [value]
