"""The hub: who is told, compared with what the rules of requests let him read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend import access
from bakend.auth.identity import ANONYMOUS, Identity
from bakend.collections.definition import Collection, load
from bakend.errors import BakendError
from bakend.events import event as events
from bakend.events.event import Draft, Event
from bakend.realtime.hub import Hub
from bakend.storage.file import StoredFile

ADA = Identity(id="usr_a", email="a@example.com", role="authenticated", session="ses_a")
BOB = Identity(id="usr_b", email="b@example.com", role="public", session="ses_b")
ROOT = Identity(id="usr_r", email="r@example.com", role="admin", session="ses_r")
PEOPLE = {"ada": ADA, "bob": BOB, "root": ROOT, "nobody": ANONYMOUS}
RULES = ("public", "authenticated", "owner", "admin", "bogus")


def collection(rule: str, owner: str = "string", name: str = "notes") -> Collection:
    fields: list[dict[str, Any]] = [{"name": "text", "type": "text"}]
    if owner:
        fields.append({"name": "user_id", "type": owner})
    return load({"name": name, "fields": fields, "permissions": {"read": rule}})


def as_event(draft: Draft, seq: int = 1) -> Event:
    return Event(
        seq=seq,
        id=f"evt_{seq}",
        type=draft.type,
        source=draft.source,
        at="2026-01-01T00:00:00.000Z",
        subject=draft.subject,
        actor=None,
        by_admin=False,
        depth=0,
        payload=dict(draft.payload),
        before=None if draft.before is None else dict(draft.before),
    )


def crowd(*channels: str) -> Hub:
    """A hub with everybody, subscribed."""
    hub = Hub()
    for name, identity in PEOPLE.items():
        hub.add(name, identity)
        for channel in channels:
            assert hub.subscribe(name, channel)
    return hub


def told(hub: Hub, draft: Draft, *collections: Collection, seq: int = 1) -> set[str]:
    known = {each.name: each for each in collections}
    receivers = [client for client, _ in hub.fan_out(as_event(draft, seq), known.get)]
    assert len(set(receivers)) == len(receivers)
    return set(receivers)


def may_read(identity: Identity, held: Collection, record: dict[str, Any]) -> bool:
    """Ask as a request does."""
    guard = access.guard(identity)(held)
    try:
        guard.before("read")
        guard.may("read", record)
    except BakendError:
        return False
    return True


@given(
    st.sampled_from(RULES),
    st.sampled_from(["string", "text", ""]),
    st.sampled_from(["created", "updated", "deleted"]),
    st.sampled_from([None, "usr_a", "usr_b", "usr_x"]),
    st.sampled_from([None, "usr_a", "usr_b", "usr_x"]),
    st.lists(st.sampled_from(["notes.*", "notes.created", "notes.deleted", "a.*"]), unique=True),
)
def test_nobody_is_told_what_he_could_not_read(
    rule: str, owner: str, action: str, now: str | None, before: str | None, channels: list[str]
) -> None:
    """Told of a record are exactly those subscribers who may read it: as it is, or was when deleted."""
    held = collection(rule, owner)
    record = {"id": "rec_1", "text": "x", "user_id": now}
    old = {**record, "user_id": before}
    draft, seen = {
        "created": (events.record_created("notes", record), record),
        "updated": (events.record_updated("notes", record, old), record),
        "deleted": (events.record_deleted("notes", old), old),
    }[action]

    receivers = told(crowd(*channels), draft, held)

    covers = {"notes.*", f"notes.{action}"} & set(channels)
    assert receivers == {
        name for name, who in PEOPLE.items() if covers and may_read(who, held, seen)
    }


@given(st.sampled_from(["public", "protected"]), st.sampled_from(["", "usr_a", "usr_x"]))
def test_a_file_is_told_to_who_may_read_it(visibility: str, owner: str) -> None:
    """To its owner, and to everybody where it is public; also once it is deleted."""
    file = StoredFile(
        id="fil_1",
        filename="a.txt",
        mime_type="text/plain",
        size_bytes=1,
        visibility=visibility,
        user_id=owner or None,
        created_at="",
        sha256=None,
    )
    allowed = {name for name, who in PEOPLE.items() if access.may_read_file(who, file)}
    for draft in (events.file_uploaded(file.to_wire()), events.file_deleted(file.to_wire())):
        assert told(crowd("storage.*"), draft) == allowed


@pytest.mark.parametrize(
    "draft",
    [
        events.user_registered({"id": "usr_a"}),
        events.user_logged_in({"id": "usr_a"}),
        events.user_logged_out("usr_a", "ses_other"),
        events.user_updated({"id": "usr_a", "role": "public"}, {}),
        events.session_revoked("usr_a", "ses_a"),
        events.user_deleted("usr_a"),
    ],
)
def test_an_account_is_the_business_of_its_owner(draft: Draft) -> None:
    """And of administrators."""
    assert told(crowd("auth.*"), draft) == {"ada", "root"}


def test_what_states_no_audience_is_for_administrators() -> None:
    """Collections, and whatever kinds of events are still to come."""
    unknown = Draft(type="job.failed", source="jobs", subject="x", payload={"error": "secret"})
    for draft in (events.collection_changed("notes", "created"), unknown):
        assert told(crowd("system.*", "job.*"), draft) == {"root"}


@pytest.mark.parametrize(
    ("draft", "left"),
    [
        (events.user_logged_out("usr_r", "ses_r"), {"nobody": False, "ada": True, "root": False}),
        (events.user_logged_out("usr_r", "ses_2"), {"ada": True, "root": True}),
        (events.session_revoked("usr_r", "ses_r"), {"root": False}),
        (events.session_revoked("usr_r", "ses_2"), {"root": True}),
        (events.session_revoked("usr_r", None), {"root": False}),
        (events.user_deleted("usr_r"), {"root": False}),
        # Blanked: the user is deleted by now.
        (Draft(type="auth.updated", source="auth", subject="usr_r", payload={}), {"root": False}),
    ],
)
def test_access_ends_at_exactly_that_event(draft: Draft, left: dict[str, bool]) -> None:
    """The event itself is still told; the next one that needs an account is not."""
    hub = crowd("auth.*", "notes.*")
    held = collection("authenticated")

    assert "root" in told(hub, draft)

    after = told(hub, events.record_created("notes", {"id": "rec_1"}), held, seq=2)
    assert {name: name in after for name in left} == left


def test_another_role_counts_from_its_event_on() -> None:
    """Both ways."""
    hub = crowd("notes.*")
    held = collection("admin")
    note = events.record_created("notes", {"id": "rec_1"})

    assert told(hub, note, held) == {"root"}
    told(hub, events.user_updated({"id": "usr_r", "role": "authenticated"}, {}))
    assert told(hub, note, held) == set()
    told(hub, events.user_updated({"id": "usr_a", "role": "admin"}, {}))
    assert told(hub, note, held) == {"ada"}


def test_who_holds_a_token_is_nobody_when_it_ends() -> None:
    """At that moment, and not before."""
    hub = Hub()
    hub.add("ada", ADA, until_s=100.0)
    hub.add("late", ADA, until_s=200.0)

    hub.expire(99.9)
    assert hub.identity("ada") == ADA
    hub.expire(100.0)
    assert (hub.identity("ada"), hub.identity("late")) == (ANONYMOUS, ADA)
    hub.remove("late")
    hub.expire(300.0)


def test_the_fifty_first_channel_is_refused() -> None:
    """One that is there already never is, and one that is given up makes room."""
    hub = Hub()
    hub.add("ada", ADA)
    assert all(hub.subscribe("ada", f"a.{number}") for number in range(50))

    assert not hub.subscribe("ada", "b.*")
    assert hub.subscribe("ada", "a.7")
    hub.unsubscribe("ada", "a.7")
    assert hub.subscribe("ada", "b.*")


def test_a_field_that_is_no_more_is_not_told() -> None:
    """As in an answer of the API."""
    hub = crowd("notes.*")
    record = {"id": "rec_1", "createdAt": "", "updatedAt": "", "text": "x", "secret": "y"}
    draft = events.record_created("notes", record)

    [(_, text), *_] = hub.fan_out(as_event(draft), {"notes": collection("public")}.get)

    assert "secret" not in json.loads(text)["event"]["payload"]
    assert json.loads(text)["seq"] == 1


def test_a_collection_that_is_no_more_is_not_told() -> None:
    """Not to administrators either: they could not read it."""
    assert told(crowd("notes.*"), events.record_created("notes", {"id": "rec_1"})) == set()


def test_who_is_gone_is_not_told() -> None:
    """Nor is who has unsubscribed; nothing of them stays."""
    hub = crowd("notes.*", "auth.*")
    for name in ("ada", "root", "nobody"):
        hub.remove(name)
    hub.unsubscribe("bob", "notes.*")

    note = events.record_created("notes", {"id": "rec_1"})
    assert told(hub, note, collection("public")) == set()
    hub.remove("bob")
    hub.remove("bob")
    assert (hub._by_channel, hub._by_user, hub._admins) == ({}, {}, set())
