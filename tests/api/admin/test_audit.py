"""What administrators changed, as they see it."""

from __future__ import annotations

from typing import Any

import pytest

from bakend.events.event import Actor, session_revoked
from bakend.testing import TestProject

PATH = "/api/admin/audit"


def test_a_change_is_shown_with_who_when_and_what(
    project: TestProject, ask: Any, admin: Any
) -> None:
    """Of a definition, in the words of its plan."""
    ask("POST", "/api/admin/collections", json={"name": "pages", "fields": []})
    fields = [{"name": "title", "type": "string"}]
    ask("PUT", "/api/admin/collections/pages", json={"name": "pages", "fields": fields})
    project.app.audit.catch_up()

    answer = ask("GET", f"{PATH}?limit=1").get_json()

    (event,) = project.events(after=project.last_event() - 1)
    assert answer == {
        "items": [
            {
                "seq": event.seq,
                "timestamp": event.at,
                "type": "system.collection.updated",
                "subject": "pages",
                "actor": admin.id,
                "actorEmail": admin.email,
                "detail": {"steps": ['Field "title" (string) is added']},
            }
        ],
        "next": event.seq,
    }


def test_what_users_do_with_records_is_not_shown(
    project: TestProject, ask: Any, admin: Any, user: Any
) -> None:
    """The audit is about administrators."""
    before = project.last_event()
    ask("POST", "/api/lists", who=user, json={"name": "theirs"})
    ask("POST", "/api/lists", who=None, json={"name": "nobody's"})
    ask("POST", "/api/lists", json={"name": "ours"})
    project.app.audit.catch_up()

    (item,) = ask("GET", f"{PATH}?after={before}").get_json()["items"]
    assert (item["type"], item["actor"]) == ("lists.created", admin.id)


def test_one_actor_is_asked_for(project: TestProject, ask: Any) -> None:
    """And pages go on from where the last one ended."""
    for actor in ("usr_1", "usr_2", "usr_1", "usr_1"):
        with project.app.database.write(actor=Actor(id=actor)) as tx:
            tx.emit(session_revoked("usr_2", None))
    project.app.audit.catch_up()

    first = ask("GET", f"{PATH}?actor=usr_1&after=0&limit=2").get_json()
    second = ask("GET", f"{PATH}?actor=usr_1&after={first['next']}&limit=2").get_json()
    last = ask("GET", f"{PATH}?actor=usr_1&after={second['next']}").get_json()

    assert [len(page["items"]) for page in (first, second, last)] == [2, 1, 0]
    assert last["next"] == second["next"]
    assert {item["actor"] for item in first["items"] + second["items"]} == {"usr_1"}
    assert ask("GET", f"{PATH}?actor=usr_none").get_json() == {"items": [], "next": 0}


def test_older_ones_are_read_backwards_to_the_first(project: TestProject, ask: Any) -> None:
    """Each page is the last entries below a number, of the wanted actor only."""
    for actor in ("usr_1", "usr_2", "usr_1", "usr_1"):
        with project.app.database.write(actor=Actor(id=actor)) as tx:
            tx.emit(session_revoked("usr_2", None))
    project.app.audit.catch_up()
    end = project.last_event()

    last = ask("GET", f"{PATH}?actor=usr_1&limit=2").get_json()["items"]
    first = ask("GET", f"{PATH}?actor=usr_1&limit=2&before={last[0]['seq']}").get_json()["items"]
    none = ask("GET", f"{PATH}?actor=usr_1&limit=2&before={first[0]['seq']}").get_json()["items"]

    assert [item["seq"] for item in first + last] == [end - 3, end - 1, end]
    assert none == []


@pytest.mark.parametrize("query", ["after=x", "after=-1", "before=0", "before=x", "limit=x"])
def test_what_is_no_number_is_refused(ask: Any, query: str) -> None:
    """And named."""
    answer = ask("GET", f"{PATH}?{query}")

    assert answer.status_code == 400
    assert answer.get_json()["error"]["message"].startswith(query.partition("=")[0])


def test_who_loses_his_access_is_shown_whoever_took_it(
    project: TestProject, ask: Any, admin: Any, user: Any
) -> None:
    """Sessions that end from elsewhere, another role, the end of an account."""
    before = project.last_event()
    project.app.accounts.set_role(user.id, "public", Actor(id=admin.id, is_admin=True))
    assert ask("DELETE", "/api/auth/sessions", who=user).status_code == 204
    again = type(user)(user.id, user.email, project.log_in(user.email))
    assert ask("DELETE", "/api/auth/me", who=again).status_code == 204
    project.app.audit.catch_up()

    items = ask("GET", f"{PATH}?after={before}").get_json()["items"]

    assert [(item["type"], item["actor"], item["subject"]) for item in items] == [
        ("auth.updated", admin.id, user.id),
        ("auth.session_revoked", user.id, user.id),
        ("auth.deleted", user.id, user.id),
    ]
    assert [item["actorEmail"] for item in items] == [admin.email, None, None]
    assert user.email not in str(items)


def test_an_account_that_ends_leaves_its_id_only(project: TestProject, ask: Any, user: Any) -> None:
    """Also in what the audit had before."""
    ask("DELETE", "/api/auth/sessions", who=user)
    project.app.audit.catch_up()
    before = ask("GET", f"{PATH}?actor={user.id}").get_json()["items"]
    project.app.accounts.delete(user.id, Actor(is_admin=True))
    project.app.audit.catch_up()
    after = ask("GET", f"{PATH}?actor={user.id}").get_json()["items"]

    assert [item["actorEmail"] for item in before] == [user.email]
    assert [item["actorEmail"] for item in after] == [None]
