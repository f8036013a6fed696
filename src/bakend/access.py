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

Files: a public one is everybody's to read, a protected one its owner's; changing is the owner's.
Administrators may all of it.

Events: each states its audience. One about a record is for whoever may read that record: as it is
after the change, or, once it is deleted, as it was before.

An `owner` rule on a collection without an owner field leaves administrators only. The answer never
tells whether a record exists that the caller may not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from bakend.auth.identity import Identity
from bakend.collections.definition import OWNER_FIELD, Collection
from bakend.errors import AuthenticationError, PermissionDeniedError, RecordNotFoundError
from bakend.events.event import Actor, Event
from bakend.storage.file import StoredFile
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

    def may_use_file(self, file: StoredFile) -> bool:
        """Tell whether a record may be given this file: only one that its writer could open."""
        return may_read_file(self.identity, file)

    def _allows(self, operation: str, record: Mapping[str, Any]) -> bool:
        rule = self.collection.rule(operation)
        if self.identity.is_admin or rule == "public":
            return True
        if self.identity.is_anonymous:
            return False
        if rule == "owner":
            return self.collection.has_owner and record[OWNER_FIELD] == self.identity.id
        return rule == "authenticated"


class GuardFor(Struct):
    """Makes the guards of one identity; the store is given this, not the identity."""

    _identity: Identity
    _actor: Actor | None = None
    depth: int = 0
    """How many handlers deep the changes are; 0 for a request."""

    def __call__(self, collection: Collection) -> Guard:
        """Return the guard of a collection."""
        return Guard(self._identity, collection)

    @property
    def actor(self) -> Actor:
        """Who acts, for the events."""
        return self._identity.actor if self._actor is None else self._actor


class Viewers(Struct, kw_only=True):
    """Who may see an event, beside administrators, who may see each that anybody may."""

    everyone: bool = False
    signed_in: bool = False
    users: frozenset[str] = frozenset()


def viewers(event: Event, collection: Collection | None) -> Viewers | None:
    """Return who may see an event; None for nobody at all.

    Args:
        event: The event.
        collection: That of its audience as it is today; None where there is none any more.
    """
    audience = event.audience
    if audience.collection is None:
        return Viewers(everyone=audience.everyone, users=audience.users)
    if collection is None:
        return None
    rule = collection.rule("read")
    if rule != "owner":
        return Viewers(everyone=rule == "public", signed_in=rule == "authenticated")
    record = event.before or {} if event.type.endswith(".deleted") else event.payload
    owner = record.get(OWNER_FIELD) if collection.has_owner else None
    return Viewers(users=frozenset({owner} if isinstance(owner, str) else ()))


def may_see(identity: Identity, viewers: Viewers) -> bool:
    """Tell whether somebody is among those who may see an event."""
    if identity.is_admin or viewers.everyone:
        return True
    return identity.id is not None and (viewers.signed_in or identity.id in viewers.users)


def guard(identity: Identity) -> GuardFor:
    """Return what makes the guards of an identity."""
    return GuardFor(identity)


def everything_for(actor: Actor, *, depth: int) -> GuardFor:
    """Return what refuses nothing, for the user's own code; its events still name who caused them."""
    return GuardFor(EVERYTHING, actor, depth)


def may_read_file(identity: Identity, file: StoredFile) -> bool:
    """Tell whether somebody may read a file's bytes."""
    return file.is_public or may_change_file(identity, file)


def may_change_file(identity: Identity, file: StoredFile) -> bool:
    """Tell whether somebody may delete a file."""
    return identity.is_admin or (identity.id is not None and identity.id == file.user_id)


def require_uploader(identity: Identity) -> None:
    """Refuse who may not upload: everybody with an account may.

    Raises:
        AuthenticationError: Nobody is signed in.
    """
    if identity.is_anonymous:
        _refuse_file(identity)


def require_readable(identity: Identity, file: StoredFile) -> None:
    """Refuse who may not read a file.

    Raises:
        AuthenticationError: Nobody is signed in.
        PermissionDeniedError: The caller is somebody else.
    """
    if not may_read_file(identity, file):
        _refuse_file(identity)


def require_owned(identity: Identity, file: StoredFile) -> None:
    """Refuse who may not delete a file.

    Raises:
        AuthenticationError: Nobody is signed in.
        PermissionDeniedError: The caller is somebody else.
    """
    if not may_change_file(identity, file):
        _refuse_file(identity)


def require_user(identity: Identity) -> None:
    """Refuse who is not signed in.

    Raises:
        AuthenticationError: Nobody is.
    """
    if identity.is_anonymous:
        raise AuthenticationError("Authentication required")


def require_admin(identity: Identity) -> None:
    """Refuse who is no administrator.

    Raises:
        AuthenticationError: Nobody is signed in.
        PermissionDeniedError: Somebody else is.
    """
    require_user(identity)
    if not identity.is_admin:
        raise PermissionDeniedError("Admin access required")


def _refuse_file(identity: Identity) -> NoReturn:
    if identity.is_anonymous:
        raise AuthenticationError("Unauthorized")
    raise PermissionDeniedError("Forbidden")
