"""A record's body against its definition: every fault at once, in the order of the fields.

Whether a file or record exists and whether a value is unique is asked elsewhere, in the transaction
that writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bakend.collections.definition import Collection, Field
from bakend.collections.fields import SqlValue
from bakend.collections.patterns import Pattern
from bakend.errors import Fault

Matches = Callable[[Pattern, str], bool | None]
"""Whether a text matches a pattern; None when that could not be said in time."""


def faults(
    collection: Collection, body: Mapping[str, Any], *, partial: bool, matches: Matches
) -> list[Fault]:
    """Return what is wrong with a body; unknown keys are nobody's business.

    Args:
        collection: What the record has to be like.
        body: JSON object.
        partial: Whether fields that are not in the body stay as they are.
        matches: Runs a pattern.
    """
    return [
        fault
        for field in collection.fields
        if field.name in body or not partial
        for fault in field_faults(field, body.get(field.name), matches=matches)
    ]


def field_faults(field: Field, value: Any, *, matches: Matches) -> Iterator[Fault]:
    """Yield what is wrong with the value of one field; None stands for an absent one."""
    name = field.name
    if value is None or (field.required and value == ""):
        if field.required:
            yield Fault(name, "required", f'Field "{name}" is required')
        return
    wrong = field.type.fault(value)
    if wrong is not None:
        yield Fault(name, "type", f'Field "{name}" {wrong}')
        return
    if field.minimum is not None and field.type.measure(value) < field.minimum:
        least = f"{field.minimum}{field.type.unit}"
        yield Fault(name, "min", f'Field "{name}" must be at least {least}')
    if field.maximum is not None and field.type.measure(value) > field.maximum:
        most = f"{field.maximum}{field.type.unit}"
        yield Fault(name, "max", f'Field "{name}" must be at most {most}')
    if field.pattern is not None:
        is_match = matches(field.pattern, value)
        if is_match is None:
            message = f'Field "{name}" could not be checked against its pattern in time'
            yield Fault(name, "regex", message)
        elif not is_match:
            yield Fault(name, "regex", f'Field "{name}" does not match required pattern')


def values(collection: Collection, body: Mapping[str, Any]) -> dict[str, SqlValue]:
    """Return what SQLite keeps of a body without faults, by field, in the definition's order."""
    return {
        field.name: None if body[field.name] is None else field.type.to_sqlite(body[field.name])
        for field in collection.fields
        if field.name in body
    }
