"""Plans from one definition to another."""

from __future__ import annotations

from typing import Any

import pytest

from bakend.collections.definition import Collection, load, parse
from bakend.collections.fields import TYPES
from bakend.collections.migration import LOSSLESS, Step, plan
from bakend.errors import DefinitionError

OPEN = {"create": "public", "read": "public", "update": "public", "delete": "public"}


def posts(*fields: dict[str, Any], **more: Any) -> Collection:
    data = {"name": "posts", "fields": list(fields), "permissions": OPEN} | more
    return parse(data, known={"posts", "tags"})


def field(name: str, type_name: str = "string", **more: Any) -> dict[str, Any]:
    target = {"collection": "users"} if type_name == "relation" else {}
    return {"name": name, "type": type_name} | target | more


def kinds(old: Collection, new: Collection) -> list[tuple[str, str | None]]:
    return [(step.kind, step.field) for step in plan(old, new).steps]


def test_a_new_collection_is_created() -> None:
    """From nothing there is one step."""
    made = plan(None, posts(field("a")))

    assert made.name == "posts"
    assert made.steps == (Step("create_collection", None, "The collection is created"),)


def test_dropping_a_collection_is_destructive() -> None:
    """To nothing there is one step, and it loses everything."""
    dropped = plan(posts(), None)

    assert [(step.kind, step.destructive) for step in dropped.steps] == [("drop_collection", True)]
    assert dropped.is_destructive


def test_from_nothing_to_nothing_there_is_no_plan() -> None:
    """Whoever asks that made a mistake."""
    with pytest.raises(ValueError, match="nothing to plan"):
        plan(None, None)


def test_the_name_stays() -> None:
    """A collection cannot become another."""
    with pytest.raises(DefinitionError, match="Collection name cannot be changed"):
        plan(posts(), parse({"name": "tags", "fields": []}, known=()))


def test_equal_definitions_need_nothing() -> None:
    """What means the same is left alone."""
    assert plan(posts(field("a")), posts(field("a", required=False))).steps == ()


def test_a_field_that_goes_and_one_that_comes_are_two() -> None:
    """Without an instruction nothing is taken for a rename, and the loss is said."""
    changed = plan(posts(field("phone")), posts(field("bio")))

    assert [(step.kind, step.field, step.destructive) for step in changed.steps] == [
        ("drop_field", "phone", True),
        ("add_field", "bio", False),
    ]


def test_a_field_is_renamed_where_its_definition_says_so() -> None:
    """The values stay, so nothing is lost."""
    changed = plan(posts(field("phone")), posts(field("mobile", renamedFrom="phone")))

    assert [(step.kind, step.field) for step in changed.steps] == [("rename_field", "mobile")]
    assert changed.renames == {"mobile": "phone"}
    assert not changed.is_destructive


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ([field("mobile")], []),
        ([], [("add_field", "mobile")]),
        ([field("mobile"), field("phone")], [("drop_field", "phone")]),
    ],
    ids=["followed already", "nothing to rename", "both are there"],
)
def test_an_instruction_that_has_no_meaning_is_ignored(
    old: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    """`renamedFrom` may stay in a file after it was followed."""
    assert kinds(posts(*old), posts(field("mobile", renamedFrom="phone"))) == expected


def test_an_instruction_read_leniently_never_takes_a_field_that_stays() -> None:
    """Whatever a definition says, one column feeds one field."""
    new = load(
        {"name": "posts", "fields": [field("a"), field("b", renamedFrom="a")], "permissions": OPEN}
    )

    assert kinds(posts(field("a")), new) == [("add_field", "b")]


@pytest.mark.parametrize("before", TYPES)
@pytest.mark.parametrize("after", TYPES)
def test_only_lossless_type_changes_are_planned(before: str, after: str) -> None:
    """A type becomes another only when that one holds all its values."""
    old, new = posts(field("f", before)), posts(field("f", after))

    if after == before:
        assert kinds(old, new) == []
    elif after in LOSSLESS.get(before, ()):
        assert ("change_type", "f") in kinds(old, new)
    else:
        with pytest.raises(DefinitionError) as caught:
            plan(old, new)
        assert 'existing field "f"' in caught.value.message
        assert "add a field of another name" in caught.value.message


def test_every_impossible_change_is_reported() -> None:
    """All faults at once, here as well."""
    with pytest.raises(DefinitionError) as caught:
        plan(posts(field("a"), field("b")), posts(field("a", "json"), field("b", "file")))

    assert len(caught.value.faults) == 2


def test_constraints_and_limits_have_steps_of_their_own() -> None:
    """Each change of a field is one line of the plan."""
    old = posts(field("a", unique=True, min=1), field("b", required=True), field("c", regex="^a"))
    new = posts(field("a", required=True, min=2), field("b", unique=True), field("c", regex="^b"))

    assert kinds(old, new) == [
        ("require", "a"),
        ("not_unique", "a"),
        ("change_limits", "a"),
        ("unrequire", "b"),
        ("unique", "b"),
        ("change_limits", "c"),
    ]


def test_another_target_is_a_limit() -> None:
    """Stored ids stay as they are."""
    old, new = field("a", "relation"), field("a", "relation") | {"collection": "tags"}

    assert kinds(posts(old), posts(new)) == [("change_limits", "a")]


def test_rules_are_compared_by_what_they_mean() -> None:
    """An omitted rule is a public one."""
    locked = posts(permissions=OPEN | {"read": "admin"})

    assert kinds(posts(), posts(permissions={})) == []
    assert plan(posts(), locked).steps == (
        Step("change_rules", None, 'The rules change: read from "public" to "admin"'),
    )


def test_another_order_is_a_change() -> None:
    """Answers show the fields in their order; a new field alone is no reordering."""
    a, b, c = field("a"), field("b"), field("c")

    assert kinds(posts(a, b), posts(b, a)) == [("change_order", None)]
    assert kinds(posts(a, b), posts(c, a, b)) == [("add_field", "c")]


def test_a_difference_without_effect_is_still_one() -> None:
    """Unknown keys are part of the definition that is given back."""
    assert kinds(posts(), posts(note="new")) == [("change_definition", None)]
