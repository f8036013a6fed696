"""structs.py: what a frozen dataclass does, for a tenth of its cost."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import pytest

from bakend.structs import Struct, names

T = TypeVar("T")


class Place(Struct):
    """Taken by position and by name."""

    name: str
    height: int = 0


class Peak(Place):
    """A struct of a struct."""

    climbed: bool = False


class Named(Struct, kw_only=True):
    """Taken by name only."""

    first: int = 1
    second: int


class Box(Struct, Generic[T]):
    """A struct of anything."""

    content: T


def test_fields_are_given_by_position_or_name() -> None:
    """Both are one constructor, and what is left out has its default."""
    assert Place("here", 3) == Place(height=3, name="here")
    assert Place("here").height == 0
    assert names(Peak) == ("name", "height", "climbed")
    assert Peak("top", 9, True).as_dict() == {"name": "top", "height": 9, "climbed": True}
    assert Named(second=2).first == 1


@pytest.mark.parametrize(
    ("struct", "values", "named"),
    [
        (Place, (), {}),
        (Place, ("here", 1, 2), {}),
        (Place, ("here",), {"name": "there"}),
        (Place, ("here",), {"depth": 1}),
        (Named, (1, 2), {}),
        (Named, (), {"first": 1}),
    ],
)
def test_fields_that_do_not_fit_are_refused(
    struct: Any, values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    """One too few, too many, given twice or unknown is an error, as with any call."""
    with pytest.raises(TypeError):
        struct(*values, **named)


def test_a_struct_never_changes() -> None:
    """Neither a field nor anything else can be set or removed."""
    place: Any = Place("here")

    for name in ("name", "height", "new"):
        with pytest.raises(AttributeError):
            setattr(place, name, 1)
    with pytest.raises(AttributeError):
        del place.name


def test_equal_content_is_the_same_struct() -> None:
    """Equality and hash go by the class and what it holds."""
    assert len({Place("here"), Place("here", 0), Place("there")}) == 2
    assert Place("here") != Place("here", 1)
    assert Place("here") != Peak("here")
    assert Place("here") != ("here", 0)


def test_a_replaced_field_makes_another_struct() -> None:
    """The first one stays as it is; what is no field is refused."""
    here = Peak("here", 1)

    assert here.replaced(height=2) == Peak("here", 2)
    assert here.height == 1
    with pytest.raises(TypeError):
        here.replaced(depth=3)


def test_it_shows_what_it_holds() -> None:
    """The text of a struct is how it would be written."""
    assert repr(Peak("top", climbed=True)) == "Peak(name='top', height=0, climbed=True)"


def test_match_takes_it_apart() -> None:
    """By position and by name."""
    match Peak("top", 7, True):
        case Peak("top", height, climbed=True):
            assert height == 7
        case _:
            pytest.fail("no case fits")


def test_a_struct_may_be_generic() -> None:
    """It is made through its alias, too."""
    assert Box[int](3) == Box(3)
