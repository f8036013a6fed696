"""`Struct`: named values that belong together and never change.

    class Fault(Struct):
        field: str
        rule: str = ""

It is what a frozen dataclass is, to people and type checkers: a constructor, equality and hash by what it
holds, a representation, patterns of `match`. But `dataclass` writes source for each class and compiles it,
0.6 ms a class at every start: more than all else in our modules together. This only reads annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn, Self, dataclass_transform

_set: Final = object.__setattr__


@dataclass_transform(frozen_default=True)
class _Struct(type):
    """Makes a class of what is written in its body: each annotated name is a field, and a slot."""

    _fields: tuple[str, ...] = ()
    """The names of all fields, those of the base first."""
    _defaults: Mapping[str, Any] = {}
    _by_position: int = 0
    """How many fields may be given without their name."""

    def __new__(
        cls,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        *,
        kw_only: bool = False,
    ) -> _Struct:
        own = tuple(body.get("__annotations__", ()))
        inherited = [field for base in bases for field in getattr(base, "_fields", ())]
        fields = (*inherited, *own)
        # A name can't be a slot and, as an attribute of the class, its default.
        defaults = {field: body.pop(field) for field in own if field in body}
        made = super().__new__(
            cls, name, bases, {**body, "__slots__": own, "__match_args__": fields}
        )
        made._fields = fields
        made._defaults = {**made._defaults, **defaults}
        made._by_position = 0 if kw_only else len(fields)
        return made


class Struct(metaclass=_Struct):
    """Base of all structs; with `kw_only=True` behind it, fields can be given by name only."""

    def __init__(self, *values: Any, **named: Any) -> None:
        made, fields = type(self), names(type(self))
        if len(values) > made._by_position:
            raise TypeError(f"{made.__name__} takes {made._by_position} fields without a name")
        for field, value in zip(fields, values, strict=False):
            _set(self, field, value)
        for field in fields[len(values) :]:
            if field in named:
                _set(self, field, named.pop(field))
            elif field in made._defaults:
                _set(self, field, made._defaults[field])
            else:
                raise TypeError(f"{made.__name__} needs {field}")
        if named:
            raise TypeError(f"{made.__name__} cannot take {', '.join(named)}")

    def replaced(self, **changes: Any) -> Self:
        """Return the same with other values in some fields."""
        return type(self)(**{**self.as_dict(), **changes})

    def as_dict(self) -> dict[str, Any]:
        """Return what it holds by the names of the fields."""
        return {field: getattr(self, field) for field in names(type(self))}

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be removed")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.as_dict().items())
        return f"{type(self).__qualname__}({shown})"


def names(struct: type[Struct]) -> tuple[str, ...]:
    """Return the names of the fields, in their order."""
    return struct._fields


def _values(struct: Struct) -> tuple[Any, ...]:
    return tuple([getattr(struct, field) for field in names(type(struct))])
