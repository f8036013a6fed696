"""Definitions: the JSON that describes a collection, as objects that can be relied on.

`parse` is for what somebody writes now and refuses every doubt; `load` is for what a database of
the original holds, which was hardly checked, and keeps all that can be lived with.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

from bakend.collections.field_definition import (
    MAX_NAME_LENGTH,
    SYSTEM_FIELDS,
    Field,
    column_key,
    column_keys,
    is_true,
    load_field,
    parse_field,
    shortened,
)
from bakend.errors import DefinitionError
from bakend.events.event import NAMESPACES
from bakend.structs import Struct

__all__ = [
    "MAX_FIELDS",
    "OPERATIONS",
    "OWNER_FIELD",
    "RESERVED_NAMES",
    "RESERVED_PREFIXES",
    "RULES",
    "SYSTEM_FIELDS",
    "Collection",
    "Field",
    "column_key",
    "in_order",
    "is_reserved",
    "load",
    "parse",
    "same",
    "warnings",
]

OPERATIONS: Final = ("create", "read", "update", "delete")
RULES: Final = ("public", "authenticated", "owner", "admin")
OWNER_FIELD: Final = "user_id"
"""The field that says whose a record is, where it is a string or a relation."""
USERS: Final = "users"
"""What relations call Bakend's own users; no collection can have that name."""

RESERVED_NAMES: Final = frozenset(
    {
        USERS,
        # first words under /api, and beside it
        *("admin", "auth", "realtime", "storage", "health"),
        # first words of events that are not about records
        *NAMESPACES,
    }
)
RESERVED_PREFIXES: Final = ("sqlite_", "bakend_", "idx_")
"""Of SQLite itself, and of our indexes: in SQLite an index and a table can't share a name."""

MAX_FIELDS: Final = 500
"""SQLite takes 2,000 columns as it is usually built; a record of as many fields is a mistake."""
_MAX_DEPTH: Final = 64

_COLLECTION_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_INSTRUCTIONS: Final = ("renamedFrom", "backfill")


class Collection(Struct):
    """A named kind of record."""

    name: str
    fields: tuple[Field, ...]
    """In the order of the definition, which is that of the answers."""
    rules: Mapping[str, str]
    """Operation to rule, only those that the definition gives; ask `rule()`."""
    definition: Mapping[str, Any]
    """The JSON as it came."""

    def field(self, name: str) -> Field | None:
        """Return the field of a name, or None."""
        return next((field for field in self.fields if field.name == name), None)

    def rule(self, operation: str) -> str:
        """Return who may do an operation; a word that is no rule means administrators only."""
        return self.rules.get(operation, "public")

    @property
    def has_owner(self) -> bool:
        """Whether a record can say whose it is."""
        owner = self.field(OWNER_FIELD)
        return owner is not None and owner.type.name in ("string", "relation")


def is_reserved(name: str) -> bool:
    """Say whether no collection can have this name."""
    return name in RESERVED_NAMES or name.startswith(RESERVED_PREFIXES)


def parse(data: object, *, known: Container[str]) -> Collection:
    """Read a new or changed definition.

    Args:
        data: Any JSON value.
        known: Names of the collections that exist, or are in the same set; relations may point at
            them, at `users`, and at the collection itself.

    Raises:
        DefinitionError: Something is wrong; carries every fault.
    """
    if not isinstance(data, dict):
        raise DefinitionError(["A definition must be an object with a name and fields"])
    unusable = _structure_fault(data)
    if unusable:
        raise DefinitionError([unusable])
    name = data.get("name")
    faults = _name_faults(name)
    targets = _Targets(known, name)
    fields: list[Field] = []
    given = data.get("fields")
    if not isinstance(given, list):
        faults.append('A definition must have "fields", a list')
    elif len(given) > MAX_FIELDS:
        faults.append(f"A collection must not have more than {MAX_FIELDS} fields")
    else:
        for item in given:
            field, field_faults = parse_field(item, known=targets)
            faults += field_faults
            if field is not None:
                fields.append(field)
        faults += _faults_between(given, fields)
    faults += _rule_faults(data.get("permissions"))
    if faults:
        raise DefinitionError(faults)
    return Collection(str(name), tuple(fields), _rules(data.get("permissions")), data)


def load(data: object) -> Collection:
    """Read a definition that a database holds.

    What makes no sense is dropped as the original ignored it; a word that is no rule stays and
    leaves administrators only; a pattern that cannot be translated refuses every value.

    Raises:
        DefinitionError: No table can be described by it.
    """
    if not isinstance(data, dict):
        raise DefinitionError(["its definition is not an object"])
    unusable = _structure_fault(data)
    if unusable:
        raise DefinitionError([unusable])
    name, given = data.get("name"), data.get("fields")
    if not isinstance(name, str) or not _COLLECTION_NAME.fullmatch(name):
        raise DefinitionError(["its definition has no proper name"])
    if not isinstance(given, list):
        raise DefinitionError(["its definition has no fields"])
    fields = tuple(load_field(item) for item in given)
    clashes = _duplicates(field.name for field in fields)
    if clashes:
        raise DefinitionError(clashes)
    return Collection(name, fields, _rules(data.get("permissions")), data)


def warnings(collection: Collection) -> list[str]:
    """Return what is allowed and probably not meant, a sentence each."""
    found = []
    omitted = [operation for operation in OPERATIONS if operation not in collection.rules]
    if omitted:
        found.append(f"no rule for {', '.join(omitted)}: open to everyone")
    for operation, rule in collection.rules.items():
        if rule not in RULES:
            found.append(
                f'the rule "{shortened(rule)}" for {operation} is unknown: administrators only'
            )
        elif rule == "owner" and not collection.has_owner:
            found.append(
                f'the rule "owner" for {operation} needs a field "{OWNER_FIELD}" of type string or'
                " relation: administrators only"
            )
    for field in collection.fields:
        pattern = field.pattern
        if pattern is None:
            continue
        if pattern.compiled is None:
            found.append(
                f'field "{field.name}" refuses every value: its regex is not usable'
                f" ({pattern.fault})"
            )
        elif not pattern.is_plain:
            found.append(
                f'field "{field.name}" is checked in a helper process with a time limit, because'
                f" in its regex {pattern.slowness}"
            )
    return found


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Say whether two definitions, both readable, mean the same.

    The order of keys, defaults written out, and instructions for one change make no difference.
    """
    return _canonical(one) == _canonical(other)


def in_order(collections: Iterable[Collection]) -> list[Collection]:
    """Return collections so that each comes after those it points at, where there is no circle.

    Equal sets give equal lists: what is free is ordered by name.
    """
    waiting = {each.name: each for each in sorted(collections, key=lambda each: each.name)}
    ordered: list[Collection] = []
    while waiting:
        free = [
            each
            for each in waiting.values()
            if not any(
                field.target in waiting and field.target != each.name for field in each.fields
            )
        ]
        # Only circles, and what hangs on them, are left: begin somewhere, always at the same place.
        for each in free or [next(iter(waiting.values()))]:
            ordered.append(each)
            del waiting[each.name]
    return ordered


class _Targets(Struct):
    """What relations may point at."""

    known: Container[str]
    own_name: object

    def __contains__(self, name: object) -> bool:
        return name in (USERS, self.own_name) or name in self.known


def _name_faults(name: object) -> list[str]:
    if not isinstance(name, str):
        return ["A definition must have a name, a string"]
    if not _COLLECTION_NAME.fullmatch(name):
        return [f'collection name "{shortened(name)}" must match ^{_COLLECTION_NAME.pattern}$']
    if len(name) > MAX_NAME_LENGTH:
        return [
            f'collection name "{shortened(name)}" must not be longer than'
            f" {MAX_NAME_LENGTH} characters"
        ]
    return [f'Collection name "{name}" is reserved'] if is_reserved(name) else []


def _faults_between(given: list[Any], fields: list[Field]) -> list[str]:
    """Say what is wrong between fields; those with faults of their own count by name."""
    names = [
        item["name"]
        for item in given
        if isinstance(item, dict) and isinstance(item.get("name"), str)
    ]
    faults = _duplicates(names)
    formers: dict[str, str] = {}
    for field in fields:
        former = field.renamed_from
        if former is None:
            continue
        if former in names and former != field.name:
            faults.append(
                f'Field "{field.name}" is renamed from "{former}", which is still a field'
            )
        if former in formers:
            faults.append(
                f'Fields "{formers[former]}" and "{field.name}" are both renamed from "{former}"'
            )
        formers[former] = field.name
    return faults


def _duplicates(names: Iterable[str]) -> list[str]:
    taken: set[str] = set()
    faults = []
    for name in names:
        keys = column_keys(name)
        if not taken.isdisjoint(keys):
            faults.append(f'Duplicate field name "{shortened(name)}"')
        taken |= keys
    return faults


def _rule_faults(permissions: object) -> list[str]:
    if permissions is None:
        return []
    if not isinstance(permissions, dict):
        return ['"permissions" must be an object']
    faults = []
    for operation, rule in permissions.items():
        if operation not in OPERATIONS:
            faults.append(
                f'Unknown permission "{shortened(operation)}": there are {", ".join(OPERATIONS)}'
            )
        elif rule is not None and (not isinstance(rule, str) or rule not in RULES):
            faults.append(f'Permission "{operation}" must be one of {", ".join(RULES)}')
    return faults


def _rules(permissions: object) -> dict[str, str]:
    if not isinstance(permissions, dict):
        return {}
    return {
        operation: str(permissions[operation])
        for operation in OPERATIONS
        if permissions.get(operation) is not None
    }


def _canonical(definition: Mapping[str, Any]) -> str:
    """Return a text that is equal for definitions that mean the same."""
    plain = {key: value for key, value in definition.items() if value is not None}
    given = definition.get("permissions")
    rules = given if isinstance(given, dict) else {}
    plain["permissions"] = {
        **dict.fromkeys(OPERATIONS, "public"),
        **{operation: rule for operation, rule in rules.items() if rule is not None},
    }
    plain["fields"] = [_canonical_field(item) for item in definition["fields"]]
    return json.dumps(_canonical_numbers(plain), sort_keys=True)


def _canonical_field(item: Mapping[str, Any]) -> dict[str, Any]:
    plain = {
        key: value
        for key, value in item.items()
        if value is not None and key not in (*_INSTRUCTIONS, "required", "unique")
    }
    for key in ("required", "unique"):
        if is_true(item.get(key)):
            plain[key] = True
    return plain


def _canonical_numbers(value: Any) -> Any:
    """Write 3.0 as 3, as JavaScript does; the depth is limited by `_structure_fault`."""
    if isinstance(value, dict):
        return {key: _canonical_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_canonical_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _structure_fault(root: object) -> str:
    """Say why a JSON value could not be kept as it is; empty when it can."""
    waiting = [(root, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            return f"A definition must not be nested deeper than {_MAX_DEPTH} levels"
        if isinstance(value, float) and not math.isfinite(value):
            return "A definition must not have infinite numbers"
        if isinstance(value, int) and value.bit_length() > 1024:
            return "A definition must not have numbers of more than 300 digits"
        if isinstance(value, dict):
            waiting += ((item, depth + 1) for pair in value.items() for item in pair)
        elif isinstance(value, list):
            waiting += ((item, depth + 1) for item in value)
        elif isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                return "A definition must not have lone surrogates"
    return ""
