"""The only place where a name enters SQL text; values are parameters, always."""

from __future__ import annotations

from bakend.errors import InvalidInputError


def quote(name: str) -> str:
    """Write a table, column or index name as an SQL identifier.

    Raises:
        InvalidInputError: The name holds a NUL, at which SQLite would stop reading.
    """
    if "\0" in name:
        raise InvalidInputError("A name must not contain a NUL character")
    return '"' + name.replace('"', '""') + '"'
