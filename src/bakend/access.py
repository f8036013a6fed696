"""Who may do what: the only file that decides, for every door.

| rule          | anonymous | other user                        | owner | administrator |
|---------------|-----------|-----------------------------------|-------|---------------|
| public        | yes       | yes                               | yes   | yes           |
| authenticated | 401       | yes                               | yes   | yes           |
| owner: list   | 401       | own records                       | own   | all           |
| owner: read   | 401       | 404                               | yes   | yes           |
| owner: change | 401       | 403 if he may read it, else 404   | yes   | yes           |
| owner: create | 401       | yes, he becomes the owner         |       | yes           |
| admin         | 401       | 403                               | 403   | yes           |
| other word    | 403       | 403                               | 403   | yes           |

An `owner` rule on a collection without an owner field leaves administrators only. The answer never
tells whether a record exists that the caller may not read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bakend.auth.identity import Identity
from bakend.collections.definition import OWNER_FIELD, Collection
from bakend.errors import AuthenticationError, PermissionDeniedError, RecordNotFoundError
from bakend.structs import Struct

EVERYTHING: Final = Identity(id=None, email=None, role="admin")
"""Bakend itself and the user's own code: nothing is refused."""


class Guard(Struct):
    """What one identity may do with one collection."""

    identity: Identity
    collection: Collection

    def before(self, operation: str) -> None:
        """Refuse what the rule alone refuses, whatever the record.

        Raises:
            AuthenticationError: Nobody is signed in and somebody has to be.
            PermissionDeniedError: The caller may not.
        """
        rule = self.collection.rule(operation)
        if self.identity.is_admin or rule == "public":
            return
        if self.identity.is_anonymous and rule in ("authenticated", "owner", "admin"):
            raise AuthenticationError("Authentication required")
        if rule == "authenticated" or (rule == "owner" and self.collection.has_owner):
            return
        raise PermissionDeniedError("Insufficient permissions")

    def may(self, operation: str, record: Mapping[str, Any]) -> None:
        """Refuse what depends on the record; `before` has passed.

        Raises:
            PermissionDeniedError: The caller may read the record and no more.
            RecordNotFoundError: The caller may not even know of it.
        """
        if self._allows(operation, record):
            return
        if operation != "read" and self._allows("read", record):
            raise PermissionDeniedError("Insufficient permissions")
        raise RecordNotFoundError(record["id"])

    def only(self) -> tuple[str, str | None] | None:
        """Return the field and value that a list is narrowed to, or None for all records."""
        if self.identity.is_admin or self.collection.rule("read") != "owner":
            return None
        return OWNER_FIELD, self.identity.id

    def own(self, body: Mapping[str, Any], *, creates: bool) -> dict[str, Any]:
        """Return the body with the owner that it may have.

        An administrator may name any owner. Anybody else owns what he creates, and keeps what he
        changes as it was; what nobody in particular creates has no owner.
        """
        owned = dict(body)
        if not self.collection.has_owner:
            return owned
        if not self.identity.is_admin:
            owned.pop(OWNER_FIELD, None)
        if creates and self.identity.id is not None:
            owned.setdefault(OWNER_FIELD, self.identity.id)
        return owned

    def _allows(self, operation: str, record: Mapping[str, Any]) -> bool:
        rule = self.collection.rule(operation)
        if self.identity.is_admin or rule == "public":
            return True
        if self.identity.is_anonymous:
            return False
        if rule == "owner":
            return self.collection.has_owner and record[OWNER_FIELD] == self.identity.id
        return rule == "authenticated"


GuardFor = Callable[[Collection], Guard]
"""Makes the guard of one identity for a collection; the store is given this, not the identity."""


def guard(identity: Identity) -> GuardFor:
    """Return what makes the guards of an identity."""
    return lambda collection: Guard(identity, collection)
