"""The field types, one class each: what a value may be, and how SQLite keeps it.

A value here is never None: that a field may be empty is the field's business, not its type's. What
`fault` lets through reads back equal, where 3.0 and 3 are equal, and -0.0 and 0, in number fields.
"""

from __future__ import annotations

import calendar
import json
import math
import re
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Final, NoReturn

from bakend import wire

SqlValue = str | int | float | bytes | None

_INT64_MIN: Final = -(2**63)
_INT64_MAX: Final = 2**63 - 1
# From here on JavaScript prints a number with an exponent (ECMA-262, Number::toString).
_EXPONENT_FROM: Final = 1e21


class FieldType(ABC):
    """What all fields of one type have in common; it has no state."""

    name: ClassVar[str]
    """As it stands in a definition."""
    column: ClassVar[str]
    """TEXT, INTEGER or REAL."""
    options: ClassVar[frozenset[str]]
    """Which of `min`, `max`, `regex`, `unique`, `collection` a field of this type takes."""
    unit: ClassVar[str] = ""
    """What `min` and `max` count, as it ends their messages."""
    has_empty_text: ClassVar[bool] = False
    """Whether a row may hold "" for this type; a required field counts it as empty."""

    @abstractmethod
    def fault(self, value: Any) -> str | None:
        """Say what is wrong with a JSON value, to follow `Field "f"`; None when it fits."""

    def measure(self, value: Any) -> int | float:
        """Return what `min` and `max` are compared with."""
        raise NotImplementedError(f"{self.name} has no min and max")

    def to_sqlite(self, value: Any) -> SqlValue:
        """Return a value without fault as SQLite keeps it."""
        kept: SqlValue = value
        return kept

    def from_sqlite(self, stored: SqlValue) -> Any:
        """Return what SQLite kept as a JSON value; what another program wrote never raises."""
        return stored


class _TextType(FieldType):
    """Any text, measured as JavaScript does."""

    column = "TEXT"
    options = frozenset({"min", "max", "regex", "unique"})
    unit = " characters"
    has_empty_text = True

    def fault(self, value: Any) -> str | None:
        """Refuse what is not text, and text that is not Unicode."""
        if not isinstance(value, str):
            return "must be a string"
        return None if _is_storable(value) else "must be a string without lone surrogates"

    def measure(self, value: Any) -> int | float:
        """Count UTF-16 units: an emoji is two."""
        return utf16_length(value)


class StringType(_TextType):
    """A short text."""

    name = "string"


class TextType(_TextType):
    """A long text; only the dashboard treats it otherwise than a string."""

    name = "text"


class _NumberType(FieldType):
    """A number. True and false are none, though Python says so."""

    options = frozenset({"min", "max", "unique"})

    def measure(self, value: Any) -> int | float:
        """Return the number itself."""
        number: int | float = value
        return number

    def from_sqlite(self, stored: SqlValue) -> Any:
        """Return a number as JavaScript would print it; an infinity is shown as null."""
        if not isinstance(stored, float):
            return stored
        if not math.isfinite(stored):
            return None
        return int(stored) if stored.is_integer() and abs(stored) < _EXPONENT_FROM else stored


class IntegerType(_NumberType):
    """A whole number of 64 bits, exact; JavaScript clients round beyond 2^53."""

    name = "integer"
    column = "INTEGER"

    def fault(self, value: Any) -> str | None:
        """Take 3, 3.0 and 1.5e3, as far as SQLite's integers go."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be an integer"
        if isinstance(value, float) and not value.is_integer():  # so are the infinities
            return "must be an integer"
        if not _INT64_MIN <= value <= _INT64_MAX:
            return "must be an integer of at most 64 bits"
        return None

    def to_sqlite(self, value: Any) -> SqlValue:
        """Return an int."""
        return int(value)


class FloatType(_NumberType):
    """A 64-bit float."""

    name = "float"
    column = "REAL"

    def fault(self, value: Any) -> str | None:
        """Refuse infinities, and whole numbers that a float would round."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return "must be a number"
        try:
            as_float = float(value)
        except OverflowError:
            return "must be a number that a 64-bit float can hold"
        if not math.isfinite(as_float):
            return "must be a finite number"
        return None if as_float == value else "must be a number that a 64-bit float holds exactly"

    def to_sqlite(self, value: Any) -> SqlValue:
        """Return a float."""
        return float(value)


class BooleanType(FieldType):
    """True or false, kept as 1 and 0."""

    name = "boolean"
    column = "INTEGER"
    options = frozenset({"unique"})

    def fault(self, value: Any) -> str | None:
        """Refuse 0 and 1, too."""
        return None if isinstance(value, bool) else "must be a boolean"

    def to_sqlite(self, value: Any) -> SqlValue:
        """Return 1 or 0."""
        return int(value)

    def from_sqlite(self, stored: SqlValue) -> Any:
        """Return true for whatever is not 0."""
        return None if stored is None else bool(stored)


class DatetimeType(FieldType):
    """A moment or a day as ISO 8601 writes it, kept byte for byte."""

    name = "datetime"
    column = "TEXT"
    options = frozenset({"unique"})
    has_empty_text = True

    # What toISOString (JavaScript), toIso8601String (Dart: microseconds, no zone) and isoformat
    # (Python) write; the time, the seconds and the zone may be left out.
    _FORM: Final = (
        r"([0-9]{4})-(0[1-9]|1[0-2])-([0-9]{2})"
        r"(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
        r"(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?"
    )

    def fault(self, value: Any) -> str | None:
        """Check the form by a pattern and the day by the calendar."""
        form = re.fullmatch(self._FORM, value) if isinstance(value, str) else None
        if form is not None:
            year, month, day = (int(part) for part in form.groups())
            # The calendar repeats every 400 years, and Python's begins with the year 1.
            if 1 <= day <= calendar.monthrange(2000 + year % 400, month)[1]:
                return None
        return "must be a valid ISO-8601 datetime"


class JsonType(FieldType):
    """An object or an array, kept as compact JSON text: big integers and key order survive."""

    name = "json"
    column = "TEXT"
    options = frozenset()

    def fault(self, value: Any) -> str | None:
        """Refuse scalars, and what has no JSON text: infinities, lone surrogates."""
        if not isinstance(value, dict | list):
            return "must be a JSON value"
        try:
            text = wire.encode(value)
        except (ValueError, TypeError, RecursionError):
            return "must be a JSON value"
        return None if _is_storable(text) else "must be a JSON value without lone surrogates"

    def to_sqlite(self, value: Any) -> SqlValue:
        """Return JSON text."""
        return wire.encode(value)

    def from_sqlite(self, stored: SqlValue) -> Any:
        """Return the value; text that is no JSON is returned as it is."""
        if not isinstance(stored, str):
            return stored
        try:
            return _DECODER.decode(stored)
        except (ValueError, RecursionError):
            return stored


class _IdType(FieldType):
    """The id of something else; "" means none."""

    column = "TEXT"
    has_empty_text = True

    def fault(self, value: Any) -> str | None:
        """Refuse what is not text; whether the id is known is for others to ask."""
        if not isinstance(value, str):
            return "must be a string"
        return None if _is_storable(value) else "must be a string without lone surrogates"


class RelationType(_IdType):
    """The id of a record of another collection, or of a user."""

    name = "relation"
    options = frozenset({"collection", "unique"})


class FileType(_IdType):
    """The id of an uploaded file."""

    name = "file"
    options = frozenset({"unique"})


TYPES: Final[dict[str, FieldType]] = {
    field_type.name: field_type
    for field_type in (
        StringType(),
        TextType(),
        IntegerType(),
        FloatType(),
        BooleanType(),
        DatetimeType(),
        JsonType(),
        RelationType(),
        FileType(),
    )
}


def utf16_length(text: str) -> int:
    """Return the length that JavaScript gives a text."""
    if text.isascii():
        return len(text)
    return len(text) + sum(character > "\uffff" for character in text)


def _is_storable(text: str) -> bool:
    """Say whether SQLite takes a text: it keeps UTF-8, which has no lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(text)
    return number


def _refuse(text: str) -> NoReturn:
    raise ValueError(text)


# Not the decoder of the wire: what is in the database was accepted once and has to be shown.
_DECODER: Final = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
