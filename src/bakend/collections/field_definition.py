"""One field of a definition: its JSON read strictly or leniently, and the rules for its name."""

from __future__ import annotations

import math
import re
from collections.abc import Container, Mapping
from typing import Any, Final

from bakend.collections.fields import TYPES, FieldType
from bakend.collections.patterns import Pattern, compile_pattern, uncheckable
from bakend.errors import DefinitionError, PatternError
from bakend.structs import Struct

FIELD_NAME: Final = re.compile(r"[a-z][A-Za-z0-9_]*")
MAX_NAME_LENGTH: Final = 63
"""Of collections and fields; what PostgreSQL takes, so that a name never stands in the way."""

SYSTEM_FIELDS: Final = ("id", "createdAt", "updatedAt")
"""What each record has beside the fields of its definition."""

_NUMBER_MAX: Final = 1e308


class Field(Struct):
    """A field of a collection."""

    name: str
    type: FieldType
    required: bool = False
    unique: bool = False
    minimum: int | float | None = None
    """Least length of a text in UTF-16 units, or least number."""
    maximum: int | float | None = None
    pattern: Pattern | None = None
    target: str | None = None
    """The collection that a relation points at, or `users`."""
    renamed_from: str | None = None
    """Instruction for the change that introduces the field: it takes over this one's values."""
    backfill: Any = None
    """Instruction for the change that adds or requires the field: what empty rows get."""


def column_key(name: str) -> str:
    """Return a name as older originals made a column of it: `authorId` becomes `author_id`."""
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


def column_keys(name: str) -> frozenset[str]:
    """Return every column that a field may have, in lower case, as SQLite compares columns.

    Two fields that share one cannot stand in one table.
    """
    return frozenset({name.lower(), column_key(name)})


_RESERVED_KEYS: Final = frozenset().union(*map(column_keys, SYSTEM_FIELDS))


def is_reserved_field(name: str) -> bool:
    """Say whether a field of this name would clash with a system field."""
    return not _RESERVED_KEYS.isdisjoint(column_keys(name))


def parse_field(data: Any, *, known: Container[str]) -> tuple[Field | None, list[str]]:
    """Read a field strictly; returns it only when there are no faults.

    Args:
        data: Any JSON value.
        known: Names of the collections that a relation may point at.
    """
    if not _has_name_and_type(data):
        return None, ["Each field must have a name and type"]
    name, type_name = data["name"], data["type"]
    faults = name_faults(name)
    field_type = TYPES.get(type_name)
    if field_type is None:
        return None, [*faults, f'Unsupported field type "{shortened(type_name)}"']
    reader = _StrictReader(data, field_type, faults)
    field = Field(
        name=name,
        type=field_type,
        required=reader.flag("required"),
        unique=reader.flag("unique"),
        minimum=reader.limit("min"),
        maximum=reader.limit("max"),
        pattern=reader.pattern(),
        target=reader.target(known),
        renamed_from=reader.renamed_from(),
        backfill=data.get("backfill"),
    )
    if field.minimum is not None and field.maximum is not None and field.minimum > field.maximum:
        reader.fault("has min greater than max")
    reader.check_backfill(field)
    return (None, faults) if faults else (field, [])


def load_field(data: Any) -> Field:
    """Read a field leniently: constraints that make no sense are dropped.

    Raises:
        DefinitionError: It has no name or type that a column could be made of.
    """
    if not _has_name_and_type(data):
        raise DefinitionError(["Each field must have a name and type"])
    name, type_name = data["name"], data["type"]
    if not FIELD_NAME.fullmatch(name):
        raise DefinitionError(name_faults(name))
    if is_reserved_field(name):
        raise DefinitionError([f'Field name "{name}" is reserved'])
    field_type = TYPES.get(type_name)
    if field_type is None:
        raise DefinitionError([f'Unsupported field type "{shortened(type_name)}"'])
    options = field_type.options
    target = data.get("collection")
    return Field(
        name=name,
        type=field_type,
        required=is_true(data.get("required")),
        unique="unique" in options and is_true(data.get("unique")),
        minimum=_number(data.get("min")) if "min" in options else None,
        maximum=_number(data.get("max")) if "max" in options else None,
        pattern=_load_pattern(data.get("regex")) if "regex" in options else None,
        target=target if "collection" in options and isinstance(target, str) else None,
    )


def name_faults(name: str) -> list[str]:
    """Say what is wrong with the name of a field."""
    if not FIELD_NAME.fullmatch(name):
        return [f'field name "{shortened(name)}" must match ^{FIELD_NAME.pattern}$']
    if len(name) > MAX_NAME_LENGTH:
        return [
            f'field name "{shortened(name)}" must not be longer than {MAX_NAME_LENGTH} characters'
        ]
    return [f'Field name "{name}" is reserved'] if is_reserved_field(name) else []


def is_true(value: Any) -> bool:
    """Say whether JavaScript takes a JSON value for true, as the original did."""
    return not (value is None or value is False or value == "" or value == 0)


def shortened(text: str) -> str:
    """Cut a text that somebody gave, for a message."""
    return text if len(text) <= 80 else f"{text[:79]}…"


def _has_name_and_type(data: Any) -> bool:
    return isinstance(data, dict) and all(
        isinstance(data.get(key), str) and data[key] for key in ("name", "type")
    )


def _number(value: Any) -> int | float | None:
    """Return a JSON number that a message can show, without a needless `.0`; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not -_NUMBER_MAX <= value <= _NUMBER_MAX:  # nor is NaN
        return None
    return int(value) if float(value).is_integer() and not math.isinf(value) else value


def _load_pattern(source: Any) -> Pattern | None:
    if not is_true(source):
        return None
    if not isinstance(source, str):
        return uncheckable(shortened(str(source)), "not a string")
    try:
        return compile_pattern(source)
    except PatternError as error:
        return uncheckable(source, error.message)


class _StrictReader:
    """Reads the keys of one field and collects what is wrong with them; null means absent."""

    def __init__(self, data: Mapping[str, Any], field_type: FieldType, faults: list[str]) -> None:
        self._data = data
        self._type = field_type
        self._shown = shortened(data["name"])
        self._faults = faults

    def fault(self, text: str) -> None:
        self._faults.append(f'Field "{self._shown}" {text}')

    def flag(self, key: str) -> bool:
        value = self._data.get(key)
        if value is None or (key == "unique" and not self._takes(key)):
            return False
        if not isinstance(value, bool):
            self.fault(f"has a {key} that is neither true nor false")
        return value is True

    def limit(self, key: str) -> int | float | None:
        value = self._data.get(key)
        if value is None or not self._takes(key):
            return None
        number = _number(value)
        if number is None:
            self.fault(f"has a {key} that is not a number")
        elif self._type.unit and (number < 0 or not isinstance(number, int)):
            self.fault(f"has a {key} that is not a length")
        return number

    def pattern(self) -> Pattern | None:
        source = self._data.get("regex")
        if source is None or not self._takes("regex"):
            return None
        if not isinstance(source, str):
            self.fault("has invalid regex: not a string")
            return None
        try:
            return compile_pattern(source)
        except PatternError as error:
            self.fault(f"has invalid regex: {error.message}")
            return None

    def target(self, known: Container[str]) -> str | None:
        if "collection" not in self._type.options:
            return None
        target = self._data.get("collection")
        if not isinstance(target, str) or not target:
            self._faults.append(f'Relation field "{self._shown}" requires a collection')
            return None
        if target not in known:
            self._faults.append(
                f'Relation field "{self._shown}" references unknown collection'
                f' "{shortened(target)}"'
            )
        return target

    def renamed_from(self) -> str | None:
        former = self._data.get("renamedFrom")
        if former is None:
            return None
        if not isinstance(former, str) or name_faults(former):
            self.fault("has a renamedFrom that is not the name of a field")
            return None
        if former == self._data["name"]:
            self.fault("is renamed from itself")
        return former

    def check_backfill(self, field: Field) -> None:
        value = field.backfill
        if value is None:
            return
        wrong = field.type.fault(value)
        if wrong is not None:
            self.fault(f"has a backfill that {wrong}")
        elif field.required and value == "":
            self.fault('has a backfill that is empty, and is "required"')
        elif field.minimum is not None and field.type.measure(value) < field.minimum:
            self.fault("has a backfill that is less than its min")
        elif field.maximum is not None and field.type.measure(value) > field.maximum:
            self.fault("has a backfill that is more than its max")

    def _takes(self, option: str) -> bool:
        if option in self._type.options:
            return True
        self.fault(f"does not support {option}")
        return False
