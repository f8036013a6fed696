"""Events: facts after a commit. Every kind with its payload is made here, and here only.

`<collection>.created`, `<collection>.updated`  payload: the record
`<collection>.deleted`                          payload: {"id"}; `before` keeps the whole record
`system.collection.created|updated|deleted`     payload: {"name"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bakend.structs import Struct

NAMESPACES: Final = frozenset({"auth", "function", "job", "storage", "system"})
"""First words of event types that are not collections; no collection may have such a name."""

Payload = Mapping[str, Any]


class Draft(Struct, kw_only=True):
    """An event before its commit: what happened, not yet numbered."""

    type: str
    source: str
    subject: str
    """Id of the record, user or file, or name of the collection, that it is about."""
    payload: Payload
    """What the wire carries."""
    before: Payload | None = None
    """The record before an update or delete: for rules and owners, never sent."""


class Event(Struct, kw_only=True):
    """A fact, as the log keeps it."""

    seq: int
    """Its number: counts up by one in the order of commits and is never used twice."""
    id: str
    type: str
    source: str
    at: str
    """When, as `2026-11-23T16:05:48.347Z`."""
    subject: str
    actor: str | None
    """Id of the user who acted; None for anonymous callers and for Bakend itself."""
    depth: int
    """How many handlers deep the change was; 0 for a request."""
    payload: dict[str, Any]
    before: dict[str, Any] | None

    def to_wire(self) -> dict[str, Any]:
        """Return `{"id", "type", "timestamp", "source", "payload"}`, the form that clients know."""
        return {
            "id": self.id,
            "type": self.type,
            "timestamp": self.at,
            "source": self.source,
            "payload": self.payload,
        }


def record_created(collection: str, record: Payload) -> Draft:
    """Tell that a record was created."""
    return Draft(
        type=f"{collection}.created", source="collections", subject=record["id"], payload=record
    )


def record_updated(collection: str, record: Payload, before: Payload) -> Draft:
    """Tell that a record was changed."""
    return Draft(
        type=f"{collection}.updated",
        source="collections",
        subject=record["id"],
        payload=record,
        before=before,
    )


def record_deleted(collection: str, before: Payload) -> Draft:
    """Tell that a record was deleted."""
    return Draft(
        type=f"{collection}.deleted",
        source="collections",
        subject=before["id"],
        payload={"id": before["id"]},
        before=before,
    )


def collection_changed(name: str, action: str) -> Draft:
    """Tell that a collection was created, updated or deleted."""
    return Draft(
        type=f"system.collection.{action}",
        source="collections",
        subject=name,
        payload={"name": name},
    )
