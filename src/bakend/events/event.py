"""Events: facts after a commit. Every kind with its payload is made here, and here only.

`<collection>.created`, `<collection>.updated`  payload: the record
`<collection>.deleted`                          payload: {"id"}; `before` keeps the whole record
`system.collection.created|deleted`             payload: {"name"}
`system.collection.updated`                     payload: {"name", "steps"}: what changed
`system.backup.created|deleted|downloaded|restored`  payload: {"name"}
`system.backup.restore_failed`                  payload: {"name", "message"}
`system.settings.updated`                       payload: {"changes"}: key, value before and after of each
`auth.register`, `auth.login`                   payload: the user
`auth.logout`                                   payload: {"userId"}
`auth.updated`                                  payload: the user; role or password changed
`auth.deleted`                                  payload: {"userId"}
`auth.session_revoked`                          payload: {"userId", "sessionId"}, null for all of them
`storage.uploaded`                              payload: the file
`storage.deleted`                               payload: {"id", "userId"}
`function.started|completed|failed`             payload: which function, for which event
`job.started|completed|failed`                  payload: which job, which run

The last two kinds are no changes: they are told to whoever listens, and kept nowhere.
Each kind also states who may see it: `audience`. What states nothing is for administrators only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bakend.structs import Struct

NAMESPACES: Final = frozenset({"auth", "function", "job", "storage", "system"})
"""First words of event types that are not collections; no collection may have such a name."""

RECORD_ACTIONS: Final = frozenset({"created", "updated", "deleted"})
"""What can happen to a record."""

Payload = Mapping[str, Any]


class Actor(Struct, kw_only=True):
    """Who makes a change, as its events remember it."""

    id: str | None = None
    """Id of the user; None for anonymous callers, the command line and Bakend itself."""
    is_admin: bool = False
    """Whether it was done with an administrator's rights, which the audit keeps."""


NOBODY: Final = Actor()
"""An anonymous caller, or Bakend itself."""
OPERATOR: Final = Actor(is_admin=True)
"""Whoever sits at the command line of the host."""


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


class Audience(Struct, kw_only=True):
    """Who may see an event. Administrators may see all of them."""

    everyone: bool = False
    users: frozenset[str] = frozenset()
    """Ids of those whom it concerns."""
    collection: str | None = None
    """Whoever may read the record, by the rule of this collection."""


class Event(Struct, kw_only=True):
    """A fact, as the log keeps it."""

    seq: int
    """Its number: counts up by one in the order of commits and is never used twice; 0 for an event that
    is told and not kept."""
    id: str
    type: str
    source: str
    at: str
    """When, as `2026-11-23T16:05:48.347Z`."""
    subject: str
    actor: str | None
    """Id of the user who acted; None for anonymous callers and for Bakend itself."""
    by_admin: bool
    """Whether it was done with an administrator's rights."""
    depth: int
    """How many handlers deep the change was; 0 for a request."""
    payload: dict[str, Any]
    before: dict[str, Any] | None

    @property
    def audience(self) -> Audience:
        """Who may see it."""
        return _audience(self)

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


def collection_changed(name: str, action: str, steps: Sequence[Payload] = ()) -> Draft:
    """Tell that a collection was created, updated or deleted; of an update, in which steps."""
    payload: Payload = {"name": name, "steps": [*steps]} if action == "updated" else {"name": name}
    return Draft(
        type=f"system.collection.{action}", source="collections", subject=name, payload=payload
    )


def backup_handled(name: str, action: str) -> Draft:
    """Tell that a backup was created, deleted, downloaded or restored."""
    return Draft(
        type=f"system.backup.{action}", source="backups", subject=name, payload={"name": name}
    )


def restore_failed(name: str, message: str) -> Draft:
    """Tell that a backup was not restored, and why."""
    return backup_handled(name, "restore_failed").replaced(
        payload={"name": name, "message": message}
    )


def settings_updated(config: str, changes: Mapping[str, tuple[Any, Any]]) -> Draft:
    """Tell that settings were changed while the server runs.

    Args:
        config: The name of the config file.
        changes: Key to the value before and the new one.
    """
    return Draft(
        type="system.settings.updated",
        source="settings",
        subject=config,
        payload={
            "changes": [
                {"key": key, "from": before, "to": after}
                for key, (before, after) in changes.items()
            ]
        },
    )


def user_registered(user: Payload) -> Draft:
    """Tell that somebody registered, or was given an account."""
    return _about_user("register", user["id"], user)


def user_logged_in(user: Payload) -> Draft:
    """Tell that somebody logged in."""
    return _about_user("login", user["id"], user)


def user_logged_out(user_id: str, session_id: str) -> Draft:
    """Tell that somebody ended a session of his own; which one is nobody else's business."""
    return _about_user("logout", user_id, {"userId": user_id}, {"sessionId": session_id})


def user_updated(user: Payload, before: Payload) -> Draft:
    """Tell that a user's role or password changed."""
    return _about_user("updated", user["id"], user, before)


def user_deleted(user_id: str) -> Draft:
    """Tell that a user is no more."""
    return _about_user("deleted", user_id, {"userId": user_id})


def session_revoked(user_id: str, session_id: str | None) -> Draft:
    """Tell that a session was ended from elsewhere; without an id, all of a user's sessions."""
    return _about_user("session_revoked", user_id, {"userId": user_id, "sessionId": session_id})


def file_uploaded(file: Payload) -> Draft:
    """Tell that a file was uploaded."""
    return Draft(type="storage.uploaded", source="storage", subject=file["id"], payload=file)


def file_deleted(file: Payload) -> Draft:
    """Tell that a file was deleted; its `userId` is empty where nobody owned it."""
    return Draft(
        type="storage.deleted",
        source="storage",
        subject=file["id"],
        payload={"id": file["id"], "userId": file["userId"]},
        before={"visibility": file["visibility"]},
    )


def function_ran(
    action: str,
    *,
    collection: str,
    trigger: str,
    event_type: str,
    file_path: str,
    event_id: str,
    error: str | None = None,
) -> Draft:
    """Tell that a function has started, completed or failed; for those who listen right now."""
    payload = {
        "collection": collection,
        "trigger": trigger,
        "eventType": event_type,
        "filePath": file_path,
        "eventId": event_id,
    }
    return Draft(
        type=f"function.{action}",
        source="functions",
        subject=event_id,
        payload=payload if error is None else {**payload, "error": error},
    )


def job_ran(
    action: str, *, name: str, file_path: str, schedule: str, run_id: str, **more: Any
) -> Draft:
    """Tell that a job has started, completed or failed; for those who listen right now.

    Args:
        action: Which of the three.
        name: Of the job.
        file_path: Where it is.
        schedule: When it is due.
        run_id: Which run.
        more: At its end `durationMs` and `attempt`, and `error` where it failed.
    """
    payload = {"name": name, "filePath": file_path, "schedule": schedule, "runId": run_id, **more}
    return Draft(type=f"job.{action}", source="jobs", subject=run_id, payload=payload)


def _about_user(
    action: str, user_id: str, payload: Payload, before: Payload | None = None
) -> Draft:
    return Draft(
        type=f"auth.{action}", source="auth", subject=user_id, payload=payload, before=before
    )


def _audience(event: Event) -> Audience:
    namespace, _, action = event.type.partition(".")
    if namespace == "auth":
        return Audience(users=frozenset({event.subject}))
    if namespace == "storage":
        file = event.payload if action == "uploaded" else (event.before or {})
        owner = event.payload.get("userId")
        return Audience(
            everyone=file.get("visibility") == "public",
            users=frozenset({owner} if owner else ()),
        )
    if namespace not in NAMESPACES and action in RECORD_ACTIONS:
        return Audience(collection=namespace)
    return Audience()
