"""Everybody's accounts over HTTP, for administrators."""

from __future__ import annotations

from typing import Any

import pytest
from people import Ask, Person, join

from bakend.testing import PASSWORD, TestProject


def test_users_are_made_seen_changed_and_deleted(project: TestProject, ask: Ask) -> None:
    """Each step as the dashboard does it."""
    body = {"email": " Ada@example.com", "password": PASSWORD}
    made = ask("POST", "/api/admin/users", json=body)
    assert (made.status_code, set(made.json or ())) == (201, {"id", "email", "role", "createdAt"})
    ada: Any = made.json
    assert (ada["email"], ada["role"]) == ("ada@example.com", "authenticated")
    path = f"/api/admin/users/{ada['id']}"

    assert ask("GET", path).json == ada
    changed = ask("PATCH", path, json={"role": "admin"})
    assert (changed.status_code, changed.json) == (200, {**ada, "role": "admin"})
    assert ask("POST", f"{path}/password", json={"password": "another one"}).status_code == 204
    login = {"email": "ada@example.com", "password": "another one"}
    assert project.client.post("/api/auth/login", json=login).status_code == 200
    listed: Any = ask("GET", f"{path}/sessions").json
    assert (listed["total"], listed["items"][0]["current"]) == (1, False)
    assert ask("DELETE", f"{path}/sessions/{listed['items'][0]['id']}").status_code == 204
    assert ask("DELETE", f"{path}/sessions").status_code == 204
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 404


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 50),
        ("?limit=0", 50),
        ("?limit=1000", 60),
        ("?limit=7", 7),
        ("?limit=-3", 1),
        ("?limit=100&offset=55", 5),
        ("?offset=-9", 50),
        ("?search=USER1&limit=100", 11),
    ],
)
def test_a_list_has_the_limits_of_the_original(
    project: TestProject, ask: Ask, query: str, count: int
) -> None:
    """50 unless said otherwise, at least 1, at most 100; the total is of all that are meant."""
    for number in range(59):
        project.make_user(f"user{number}@example.com")

    answer: Any = ask("GET", f"/api/admin/users{query}").json

    assert len(answer["items"]) == count
    assert answer["total"] == (11 if "search" in query else 60)
    made = [item["createdAt"] for item in answer["items"]]
    assert made == sorted(made, reverse=True)


@pytest.mark.parametrize(
    ("method", "path", "json", "status", "message"),
    [
        ("GET", "/{none}", None, 404, "User not found"),
        ("PATCH", "/{none}", {"role": "x"}, 404, "User not found"),
        ("DELETE", "/{none}", None, 404, "User not found"),
        ("POST", "/{none}/password", {}, 404, "User not found"),
        ("GET", "/{none}/sessions", None, 404, "User not found"),
        ("DELETE", "/{none}/sessions", None, 404, "User not found"),
        ("DELETE", "/{user}/sessions/ses_x", None, 404, "Session not found"),
        ("PATCH", "/{user}", {"role": "king"}, 400, "role must be one of: admin, "),
        ("PATCH", "/{user}", {"role": ["admin"]}, 400, "role must be one of: admin, "),
        ("PATCH", "/{user}", {}, 400, "role must be one of: admin, "),
        ("PATCH", "/{user}", [], 400, "Request body must be a JSON object"),
        ("PATCH", "/{admin}", {"role": "public"}, 409, "This is the last administrator"),
        ("DELETE", "/{admin}", None, 409, "This is the last administrator"),
        ("DELETE", "/{user}?data=some", None, 400, "data must be one of: keep, delete"),
        ("POST", "/{user}/password", {}, 400, "password is required"),
        ("POST", "/{user}/password", {"password": "x"}, 400, "Password must be at least"),
        ("POST", "", {"email": "x@y.z"}, 400, "email and password are required"),
        ("POST", "", {"email": "x", "password": PASSWORD}, 400, "Invalid email address"),
        (
            "POST",
            "",
            {"email": "x@y.z", "password": PASSWORD, "role": "king"},
            400,
            "role must be one of",
        ),
        (
            "POST",
            "",
            {"email": "user@example.com", "password": PASSWORD},
            409,
            "Email is already registered",
        ),
        ("GET", "?limit=x", None, 400, "limit must be an integer"),
    ],
)
def test_what_cannot_be_done_is_said(
    ask: Ask,
    admin: Person,
    user: Person,
    method: str,
    path: str,
    json: object,
    status: int,
    message: str,
) -> None:
    """A status and a sentence, and nobody is changed."""
    ids = {"none": "usr_none", "user": user.id, "admin": admin.id}
    content = {} if json is None else {"json": json}

    answer = ask(method, f"/api/admin/users{path.format(**ids)}", **content)

    assert answer.status_code == status
    assert message in answer.text
    assert (ask("GET", "/api/admin/users").json or {})["total"] == 2


def test_a_demoted_administrator_is_out_at_once(
    project: TestProject, ask: Ask, admin: Person
) -> None:
    """With the very token that he had."""
    other = join(project, "other@example.com", role="admin")
    assert ask("GET", "/api/admin/users", who=other).status_code == 200

    ask("PATCH", f"/api/admin/users/{other.id}", json={"role": "authenticated"})

    assert ask("GET", "/api/admin/users", who=other).status_code == 403


def test_data_goes_with_the_account_when_asked(project: TestProject, ask: Ask) -> None:
    """The administrator's word wins over the setting."""
    owner = join(project, "owner@example.com", role="authenticated")
    after = project.last_event()

    assert ask("DELETE", f"/api/admin/users/{owner.id}?data=delete").status_code == 204

    assert [event.type for event in project.events(after=after)] == ["auth.deleted"]
