"""Definitions and plans as SQL: tables, indexes, and what turns one table into another.

SQLite's ALTER TABLE adds optional columns and renames; for all else the table is built anew under
another name, filled from the old one, and takes its place. Either way a changed table is like one
that was created so, but for the order of its columns, which nobody sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bakend.collections.definition import Collection, Field
from bakend.collections.fields import SqlValue
from bakend.collections.migration import Plan
from bakend.database.sql import quote
from bakend.structs import Struct

Parameters = dict[str, SqlValue]
Statement = tuple[str, Parameters]
"""SQL, and values for its named parameters."""

_SYSTEM_COLUMNS: Final = ("id", "created_at", "updated_at")
_SHOWN_VALUES: Final = 3
# The first float beyond the 64-bit integers; a cast back from there gives the largest of them.
_TWO_TO_63: Final = "9223372036854775808.0"


class Check(Struct):
    """A question about the rows of a table, before it is changed."""

    sql: str
    parameters: Parameters
    message: Callable[[Sequence[Any]], str]
    """Turns the answer's rows into what is in the way; empty when nothing is."""


def create(collection: Collection, columns: Mapping[str, str] | None = None) -> list[str]:
    """Return the statements that create a table and its indexes.

    Args:
        collection: What it holds.
        columns: Field name to column name; without it, columns are called as their fields.
    """
    table = _create_table(collection.name, collection, columns or _own_columns(collection))
    return [table, *indexes(collection, columns).values()]


def indexes(collection: Collection, columns: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the indexes of a table: name to statement."""
    columns = columns or _own_columns(collection)
    name = collection.name
    table = quote(name)
    newest = f"bakend_{name}_created"
    statements = {newest: f"CREATE INDEX IF NOT EXISTS {quote(newest)} ON {table} (created_at, id)"}
    for field in collection.fields:
        if field.type.name == "relation":
            index = _relation_index(name, field.name)
            statements[index] = (
                f"CREATE INDEX IF NOT EXISTS {quote(index)} ON {table} ({quote(columns[field.name])})"
            )
    return statements


def columns_after(new: Collection, steps: Plan, old_columns: Mapping[str, str]) -> dict[str, str]:
    """Return field name to column name as `alter` leaves them: kept fields keep their columns."""
    return {
        field.name: field.name
        if field.name in steps.renames
        else old_columns.get(field.name, field.name)
        for field in new.fields
    }


def alter(
    old: Collection, new: Collection, steps: Plan, old_columns: Mapping[str, str]
) -> list[Statement]:
    """Return the statements that follow a plan, to be run in one transaction after `checks`.

    Args:
        old: The definition that the table has now.
        new: The definition that it shall have.
        steps: `migration.plan(old, new)`.
        old_columns: Field name to column name, as the table is now.
    """
    if _needs_rebuild(new, steps):
        return _rebuild(old, new, steps, old_columns)
    table = quote(new.name)
    statements: list[Statement] = []
    for name, former in steps.renames.items():
        index = quote(_relation_index(old.name, former))
        statements.append((f"DROP INDEX IF EXISTS {index}", {}))
        if old_columns[former] != name:
            column = quote(old_columns[former])
            statements.append((f"ALTER TABLE {table} RENAME COLUMN {column} TO {quote(name)}", {}))
    for field in new.fields:
        if not steps.has("add_field", field=field.name):
            continue
        statements.append((f"ALTER TABLE {table} ADD COLUMN {_column(field, field.name)}", {}))
        if field.backfill is not None:
            fill = f"UPDATE {table} SET {quote(field.name)} = :backfill"
            statements.append((fill, {"backfill": field.type.to_sqlite(field.backfill)}))
    if statements:
        statements += _create_indexes(new, columns_after(new, steps, old_columns))
    return statements


def checks(
    old: Collection, new: Collection, steps: Plan, old_columns: Mapping[str, str]
) -> list[Check]:
    """Return what has to be asked before `alter`, because stored values could stand in the way."""
    found: list[Check] = []
    table = quote(old.name)
    for place, field in enumerate(new.fields):
        source = _Source.of(field, place, old, steps, old_columns)
        if field.required and not source.was_required and field.backfill is None:
            found.append(_check_empty(table, source))
        if source.before is not None and (source.before.type.name, field.type.name) == (
            "integer",
            "float",
        ):
            found.append(_check_exact(table, source))
        if field.unique and steps.has(
            "add_field", "change_type", "require", "unique", field=field.name
        ):
            found.append(_check_unique(table, source))
    return found


class _Source(Struct):
    """Where the values of a field come from when its table is built anew."""

    field: Field
    before: Field | None
    """The field as it was; None when it is added."""
    column: str
    """The quoted column it was kept in, NULL when it is added."""
    parameter: str
    """Name of the parameter for the backfill."""

    @classmethod
    def of(
        cls,
        field: Field,
        place: int,
        old: Collection,
        steps: Plan,
        old_columns: Mapping[str, str],
    ) -> _Source:
        before = old.field(steps.renames.get(field.name, field.name))
        column = "NULL" if before is None else quote(old_columns[before.name])
        return cls(field, before, column, f"backfill_{place}")

    @property
    def was_required(self) -> bool:
        return self.before is not None and self.before.required

    @property
    def is_filled(self) -> bool:
        """Whether empty rows get the backfill: only in the change that adds or requires a field."""
        is_due = self.before is None or (self.field.required and not self.before.required)
        return is_due and self.field.backfill is not None

    def is_empty(self) -> str:
        """Return the condition for rows that have no value, as `required` sees it."""
        empty = f"{self.column} IS NULL"
        if self.field.type.has_empty_text and self.before is not None:
            empty += f" OR {self.column} = ''"
        return empty

    def expression(self) -> str:
        """Return the new value as SQL."""
        value = self.column
        if self.before is not None and self.before.type.column != self.field.type.column:
            value = f"CAST({value} AS {self.field.type.column})"
        if not self.is_filled:
            return value
        return f"CASE WHEN {self.is_empty()} THEN :{self.parameter} ELSE {value} END"

    def parameters(self) -> Parameters:
        if not self.is_filled:
            return {}
        return {self.parameter: self.field.type.to_sqlite(self.field.backfill)}


def _check_empty(table: str, source: _Source) -> Check:
    name = source.field.name
    where = "" if source.before is None else f" WHERE {source.is_empty()}"

    def message(rows: Sequence[Any]) -> str:
        count: int = rows[0][0]
        if not count:
            return ""
        has = "record has" if count == 1 else "records have"
        return (
            f'Field "{name}" cannot be required: {count} {has} no value for it;'
            ' give the field a "backfill"'
        )

    return Check(f"SELECT count(*) FROM {table}{where}", {}, message)


def _check_exact(table: str, source: _Source) -> Check:
    name, column = source.field.name, source.column

    def message(rows: Sequence[Any]) -> str:
        count: int = rows[0][0]
        if not count:
            return ""
        has = "record has" if count == 1 else "records have"
        return f'Field "{name}" cannot become float: {count} {has} a number that it would round'

    return Check(
        f"SELECT count(*) FROM {table} WHERE typeof({column}) = 'integer'"
        f" AND (CAST(CAST({column} AS REAL) AS INTEGER) <> {column}"
        f" OR CAST({column} AS REAL) >= {_TWO_TO_63})",
        {},
        message,
    )


def _check_unique(table: str, source: _Source) -> Check:
    name = source.field.name

    def message(rows: Sequence[Any]) -> str:
        if not rows:
            return ""
        shown = ", ".join(f"{_shown(value)} ({times} times)" for value, times, _all in rows)
        count: int = rows[0][2]
        occur = "value occurs" if count == 1 else "values occur"
        more = ", …" if count > len(rows) else ""
        return f'Field "{name}" cannot be unique: {count} {occur} more than once: {shown}{more}'

    return Check(
        "SELECT value, count(*) AS times, count(*) OVER () FROM"
        f" (SELECT {source.expression()} AS value FROM {table})"
        " WHERE value IS NOT NULL GROUP BY value HAVING count(*) > 1"
        f" ORDER BY times DESC, value LIMIT {_SHOWN_VALUES}",
        source.parameters(),
        message,
    )


def _shown(value: object) -> str:
    text = str(value)
    text = text if len(text) <= 40 else f"{text[:39]}…"
    return f'"{text}"' if isinstance(value, str) else text


def _needs_rebuild(new: Collection, steps: Plan) -> bool:
    return steps.has(
        "drop_field", "change_type", "require", "unrequire", "unique", "not_unique"
    ) or any(
        steps.has("add_field", field=field.name)
        for field in new.fields
        if field.required or field.unique
    )


def _rebuild(
    old: Collection, new: Collection, steps: Plan, old_columns: Mapping[str, str]
) -> list[Statement]:
    columns = columns_after(new, steps, old_columns)
    table, interim = quote(new.name), f"bakend_rebuild_{new.name}"
    sources = [
        _Source.of(field, place, old, steps, old_columns) for place, field in enumerate(new.fields)
    ]
    into = [*_SYSTEM_COLUMNS, *(quote(columns[field.name]) for field in new.fields)]
    values = [*_SYSTEM_COLUMNS, *(source.expression() for source in sources)]
    parameters: Parameters = {}
    for source in sources:
        parameters |= source.parameters()
    return [
        (_create_table(interim, new, columns), {}),
        (
            f"INSERT INTO {quote(interim)} ({', '.join(into)})"
            f" SELECT {', '.join(values)} FROM {table}",
            parameters,
        ),
        (f"DROP TABLE {table}", {}),
        (f"ALTER TABLE {quote(interim)} RENAME TO {table}", {}),
        *_create_indexes(new, columns),
    ]


def _create_table(name: str, collection: Collection, columns: Mapping[str, str]) -> str:
    parts = ["id TEXT PRIMARY KEY", "created_at TEXT NOT NULL", "updated_at TEXT NOT NULL"]
    parts += [_column(field, columns[field.name]) for field in collection.fields]
    return f"CREATE TABLE {quote(name)} ({', '.join(parts)})"


def _column(field: Field, column: str) -> str:
    required = " NOT NULL" if field.required else ""
    unique = " UNIQUE" if field.unique else ""
    return f"{quote(column)} {field.type.column}{required}{unique}"


def _create_indexes(collection: Collection, columns: Mapping[str, str]) -> list[Statement]:
    return [(statement, {}) for statement in indexes(collection, columns).values()]


def _own_columns(collection: Collection) -> dict[str, str]:
    return {field.name: field.name for field in collection.fields}


def _relation_index(collection: str, field: str) -> str:
    # A dot, which no name has: (a, b_c) and (a_b, c) would share a name otherwise.
    return f"idx_{collection}.{field}"
