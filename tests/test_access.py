"""Who may do what, as the table at the top of `access.py` says."""

from __future__ import annotations

from typing import Any

import pytest

from bakend.access import EVERYTHING, Guard, guard
from bakend.auth.identity import ANONYMOUS, Identity
from bakend.collections.definition import load
from bakend.errors import (
    AuthenticationError,
    BakendError,
    PermissionDeniedError,
    RecordNotFoundError,
)

OWNER = Identity(id="usr_owner", email="o@example.com", role="authenticated")
OTHER = Identity(id="usr_other", email="x@example.com", role="authenticated")
ADMIN = Identity(id="usr_admin", email="a@example.com", role="admin")
RECORD = {"id": "rec_1", "user_id": "usr_owner"}

YES = None
WHO = AuthenticationError
NO = PermissionDeniedError
GONE = RecordNotFoundError


def guarding(identity: Identity, owner_field: str | None = "string", **rules: str) -> Guard:
    fields: list[dict[str, Any]] = [{"name": "text", "type": "text"}]
    if owner_field:
        fields.append({"name": "user_id", "type": owner_field, "collection": "users"})
    return guard(identity)(load({"name": "notes", "fields": fields, "permissions": rules}))


def outcome(held: Guard, operation: str) -> type[BakendError] | None:
    try:
        held.before(operation)
        held.may(operation, RECORD)
    except BakendError as error:
        return type(error)
    return None


@pytest.mark.parametrize(
    ("rule", "anonymous", "other", "owner", "admin"),
    [
        ("public", YES, YES, YES, YES),
        ("authenticated", WHO, YES, YES, YES),
        ("owner", WHO, GONE, YES, YES),
        ("admin", WHO, NO, NO, YES),
        ("bogus", NO, NO, NO, YES),
    ],
)
def test_reading(rule: str, anonymous: Any, other: Any, owner: Any, admin: Any) -> None:
    """Each rule lets in whom it names; a record that one may not read is not there."""
    for identity, expected in (
        (ANONYMOUS, anonymous),
        (OTHER, other),
        (OWNER, owner),
        (ADMIN, admin),
        (EVERYTHING, YES),
    ):
        assert outcome(guarding(identity, read=rule), "read") is expected


@pytest.mark.parametrize("operation", ["update", "delete"])
@pytest.mark.parametrize(
    ("read", "other"), [("public", NO), ("authenticated", NO), ("owner", GONE), ("admin", GONE)]
)
def test_changing_what_others_own(operation: str, read: str, other: Any) -> None:
    """Who may read a record is told that he may not change it; for others it is not there."""
    rules = {"read": read, operation: "owner"}

    assert outcome(guarding(OTHER, **rules), operation) is other
    assert outcome(guarding(OWNER, **rules), operation) is YES
    assert outcome(guarding(ANONYMOUS, **rules), operation) is WHO


def test_an_owner_rule_without_an_owner_field_leaves_administrators() -> None:
    """Nobody owns what cannot say whose it is."""
    for owner_field in (None, "text"):
        assert outcome(guarding(OWNER, owner_field, read="owner"), "read") is NO
        assert outcome(guarding(ADMIN, owner_field, read="owner"), "read") is YES


def test_a_missing_rule_is_public() -> None:
    """As in the original; new definitions are warned about it."""
    assert outcome(guarding(ANONYMOUS), "delete") is YES


def test_lists_are_narrowed_to_the_owner() -> None:
    """An owner rule shows everybody his own records, administrators all."""
    assert guarding(OTHER, read="owner").only() == ("user_id", "usr_other")
    assert guarding(ADMIN, read="owner").only() is None
    assert guarding(OTHER, read="public").only() is None


@pytest.mark.parametrize(
    ("identity", "creates", "given", "kept"),
    [
        (ANONYMOUS, True, "usr_victim", None),
        (OTHER, True, "usr_victim", "usr_other"),
        (OTHER, True, None, "usr_other"),
        (OTHER, False, "usr_victim", None),
        (ADMIN, True, "usr_victim", "usr_victim"),
        (ADMIN, True, None, "usr_admin"),
        (ADMIN, False, "usr_victim", "usr_victim"),
        (EVERYTHING, True, None, None),
    ],
)
def test_owners(identity: Identity, creates: bool, given: str | None, kept: str | None) -> None:
    """Only administrators give records to others; nobody changes an owner but they."""
    body = {"text": "x"} | ({"user_id": given} if given else {})

    owned = guarding(identity).own(body, creates=creates)

    assert owned.get("user_id") == kept
    assert owned["text"] == "x"


def test_a_user_id_that_is_no_owner_field_is_left_alone() -> None:
    """A `text` of that name is a text."""
    assert guarding(OTHER, "text").own({"user_id": "x"}, creates=True) == {"user_id": "x"}
