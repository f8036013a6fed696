"""From one definition to another: which steps lead there, and which of them lose values.

A field is renamed only where its definition says `renamedFrom`; a field that goes and one that
comes are never taken for the same, whatever their types.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from bakend.collections.definition import OPERATIONS, Collection, Field, same
from bakend.errors import DefinitionError
from bakend.structs import Struct

Kind = Literal[
    "create_collection",
    "drop_collection",
    "rename_field",
    "drop_field",
    "add_field",
    "change_type",
    "require",
    "unrequire",
    "unique",
    "not_unique",
    # of the definition alone; the table stays as it is
    "change_limits",
    "change_rules",
    "change_order",
    "change_definition",
]

LOSSLESS: Final[Mapping[str, frozenset[str]]] = {
    "string": frozenset({"text"}),
    "text": frozenset({"string"}),
    "datetime": frozenset({"string", "text"}),
    "relation": frozenset({"string", "text"}),
    "file": frozenset({"string", "text"}),
    "boolean": frozenset({"integer", "float"}),
    "integer": frozenset({"float", "string", "text"}),
}
"""Type to the types that all its values can become; integers that no float holds are looked for."""


class Step(Struct):
    """One thing that has to happen."""

    kind: Kind
    field: str | None
    """The field's name, after the change where it has one then; None for the whole collection."""
    text: str
    """One sentence, without a stop."""
    destructive: bool = False
    """Whether stored values are lost."""

    def as_json(self) -> dict[str, Any]:
        """Return the step as the API, the events and `bak migrate plan --json` show it."""
        return {
            "kind": self.kind,
            "field": self.field,
            "text": self.text,
            "destructive": self.destructive,
        }


class Plan(Struct):
    """What leads from one definition of a collection to another."""

    name: str
    steps: tuple[Step, ...]
    renames: Mapping[str, str] = MappingProxyType({})
    """New name to old name."""

    def has(self, *kinds: Kind, field: str | None = None) -> bool:
        """Say whether there is a step of one of some kinds, of any field or of one."""
        return any(
            step.kind in kinds and (field is None or step.field == field) for step in self.steps
        )

    @property
    def is_destructive(self) -> bool:
        """Whether any step loses stored values."""
        return any(step.destructive for step in self.steps)

    def as_json(self) -> dict[str, Any]:
        """Return the plan as the API and `bak migrate plan --json` show it."""
        return {"name": self.name, "steps": [step.as_json() for step in self.steps]}


def plan(old: Collection | None, new: Collection | None) -> Plan:
    """Return the steps from one definition to another; None is no collection.

    Raises:
        DefinitionError: A change of name, or of a type into one that cannot hold every value.
    """
    if new is None:
        if old is None:
            raise ValueError("nothing to plan")
        gone = Step("drop_collection", None, "The collection and its records are deleted", True)
        return Plan(old.name, (gone,))
    if old is None:
        return Plan(new.name, (Step("create_collection", None, "The collection is created"),))
    if old.name != new.name:
        raise DefinitionError(["Collection name cannot be changed"])
    renames = _renames(old, new)
    pairs = [(old.field(renames.get(field.name, field.name)), field) for field in new.fields]
    impossible = [
        _type_fault(before, after) for before, after in pairs if before and not _fits(before, after)
    ]
    if impossible:
        raise DefinitionError(impossible)
    steps = [
        Step("rename_field", name, f'Field "{former}" is renamed to "{name}"')
        for name, former in renames.items()
    ]
    kept = {before.name for before, _after in pairs if before is not None}
    for gone_field in old.fields:
        if gone_field.name not in kept:
            text = f'Field "{gone_field.name}" and its values are deleted'
            steps.append(Step("drop_field", gone_field.name, text, True))
    for before, after in pairs:
        steps += [_added(after)] if before is None else _field_steps(before, after)
    steps += _collection_steps(old, new, renames)
    if not steps and not same(old.definition, new.definition):
        text = "The definition changes in what has no effect"
        steps.append(Step("change_definition", None, text))
    return Plan(new.name, tuple(steps), renames)


def _renames(old: Collection, new: Collection) -> dict[str, str]:
    """Return new names to old names, only where the one is new and the other goes.

    An instruction that was followed already stays in its file, and must do nothing then.
    """
    return {
        field.name: field.renamed_from
        for field in new.fields
        if field.renamed_from is not None
        and old.field(field.renamed_from) is not None
        and old.field(field.name) is None
        and new.field(field.renamed_from) is None
    }


def _fits(before: Field, after: Field) -> bool:
    return before.type.name == after.type.name or after.type.name in LOSSLESS.get(
        before.type.name, frozenset()
    )


def _type_fault(before: Field, after: Field) -> str:
    possible = sorted(LOSSLESS.get(before.type.name, ()))
    ways = f"it can become {' or '.join(possible)}, or you" if possible else "you can"
    return (
        f'Cannot change type or constraints on existing field "{after.name}": not every'
        f" {before.type.name} is a {after.type.name}; {ways} add a field of another name, copy the"
        " values and remove this one"
    )


def _added(field: Field) -> Step:
    kind = " ".join(
        word
        for word, is_said in (("required", field.required), ("unique", field.unique))
        if is_said
    )
    text = f'Field "{field.name}" ({f"{kind} " if kind else ""}{field.type.name}) is added'
    return Step("add_field", field.name, text)


def _field_steps(before: Field, after: Field) -> Iterator[Step]:
    name = after.name
    if before.type.name != after.type.name:
        text = f'Field "{name}" changes from {before.type.name} to {after.type.name}'
        yield Step("change_type", name, text)
    if after.required and not before.required:
        yield Step("require", name, f'Field "{name}" becomes required')
    if before.required and not after.required:
        yield Step("unrequire", name, f'Field "{name}" is no longer required')
    if after.unique and not before.unique:
        yield Step("unique", name, f'Field "{name}" becomes unique')
    if before.unique and not after.unique:
        yield Step("not_unique", name, f'Field "{name}" is no longer unique')
    if _limits(before) != _limits(after):
        text = f'The limits of field "{name}" change; records stay as they are'
        yield Step("change_limits", name, text)


def _limits(field: Field) -> tuple[object, ...]:
    source = None if field.pattern is None else field.pattern.source
    return field.minimum, field.maximum, source, field.target


def _collection_steps(
    old: Collection, new: Collection, renames: Mapping[str, str]
) -> Iterator[Step]:
    changes = [
        f'{operation} from "{old.rule(operation)}" to "{new.rule(operation)}"'
        for operation in OPERATIONS
        if old.rule(operation) != new.rule(operation)
    ]
    if changes:
        yield Step("change_rules", None, f"The rules change: {', '.join(changes)}")
    after = [renames.get(field.name, field.name) for field in new.fields]
    before = [field.name for field in old.fields if field.name in after]
    if before != [name for name in after if old.field(name) is not None]:
        yield Step("change_order", None, "The fields are answered in another order")
