"""Accounts of others: what administrators do, and what must stay possible."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bakend.errors import BakendError, ConflictError, InvalidInputError, NotFoundError
from bakend.events.event import OPERATOR, Actor
from bakend.testing import PASSWORD, TestProject, temporary_project

ROOT = Actor(id="usr_root", is_admin=True)


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project() as opened:
        yield opened


def told(project: TestProject) -> list[tuple[str, bool]]:
    return [(event.type, event.by_admin) for event in project.events()]


def test_an_account_is_made(project: TestProject) -> None:
    """With address in normal form and role; who made it stands in the event."""
    user = project.app.accounts.create(" Ada@Example.com", PASSWORD, "public", ROOT)

    assert (user.email, user.role) == ("ada@example.com", "public")
    assert project.app.accounts.get(user.id) == user
    assert project.app.accounts.find_by_email("ADA@example.com") == user
    (event,) = project.events()
    assert (event.type, event.actor, event.by_admin) == ("auth.register", "usr_root", True)


@pytest.mark.parametrize(
    ("email", "password", "role", "error"),
    [
        ("ada", PASSWORD, "public", InvalidInputError),
        ("bob@example.com", "short", "public", InvalidInputError),
        ("bob@example.com", PASSWORD, "king", InvalidInputError),
        ("Ada@example.com", PASSWORD, "public", ConflictError),
    ],
)
def test_what_cannot_be_an_account_is_not_made(
    project: TestProject, email: str, password: str, role: str, error: type[BakendError]
) -> None:
    """Nothing is stored and nothing told."""
    project.make_user("ada@example.com")
    before = told(project)

    with pytest.raises(error):
        project.app.accounts.create(email, password, role, OPERATOR)

    assert told(project) == before
    assert project.app.accounts.page(limit=10, offset=0)[1] == 1


def test_the_last_administrator_stays(project: TestProject) -> None:
    """Not demoted, not deleted, also not by himself; with a second one he may go."""
    first = project.make_user("root@example.com", role="admin")
    headers = project.log_in("root@example.com")
    accounts = project.app.accounts

    for attempt in (
        lambda: accounts.set_role(first.id, "authenticated", OPERATOR),
        lambda: accounts.delete(first.id, OPERATOR),
    ):
        with pytest.raises(ConflictError, match="last administrator"):
            attempt()
    assert project.client.delete("/api/auth/me", headers=headers).status_code == 409

    project.make_user("second@example.com", role="admin")
    assert project.client.delete("/api/auth/me", headers=headers).status_code == 204


def test_two_administrators_cannot_remove_each_other_at_once(project: TestProject) -> None:
    """One of them remains, whoever is first."""
    users = [project.make_user(f"{name}@example.com", role="admin") for name in "ab"]
    start, failures = threading.Barrier(2), []

    def demote(user_id: str) -> None:
        start.wait()
        try:
            project.app.accounts.set_role(user_id, "authenticated", OPERATOR)
        except ConflictError as error:
            failures.append(error)

    threads = [threading.Thread(target=demote, args=(user.id,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(failures) == 1
    roles = [project.app.accounts.get(user.id).role for user in users]
    assert sorted(roles) == ["admin", "authenticated"]


def test_a_role_that_is_there_already_tells_nothing(project: TestProject) -> None:
    """No change, no event."""
    user = project.make_user("ada@example.com")
    before = told(project)

    project.app.accounts.set_role(user.id, "authenticated", ROOT)
    assert told(project) == before
    project.app.accounts.set_role(user.id, "admin", ROOT)
    assert told(project) == [*before, ("auth.updated", True)]


def test_a_password_given_by_an_administrator_ends_all_sessions(project: TestProject) -> None:
    """Who had logged in has to do it again, with the new one."""
    user = project.make_user("ada@example.com")
    headers = project.log_in("ada@example.com")

    project.app.accounts.set_password(user.id, "another password", ROOT)

    assert project.client.get("/api/auth/me", headers=headers).status_code == 401
    body = {"email": user.email, "password": "another password"}
    assert project.client.post("/api/auth/login", json=body).status_code == 200
    assert ("auth.session_revoked", True) in told(project)


def test_sessions_of_a_user_are_seen_and_ended(project: TestProject) -> None:
    """One, or all; a session of somebody else is not found under this user."""
    ada, bob = project.make_user("ada@example.com"), project.make_user("bob@example.com")
    for email in ("ada@example.com", "ada@example.com", "ada@example.com", "bob@example.com"):
        project.log_in(email)
    accounts = project.app.accounts
    (of_bob,) = accounts.sessions(bob.id)

    with pytest.raises(NotFoundError):
        accounts.end_session(ada.id, of_bob.id, ROOT)
    accounts.end_session(ada.id, accounts.sessions(ada.id)[0].id, ROOT)
    assert len(accounts.sessions(ada.id)) == 2
    accounts.end_sessions(ada.id, ROOT)
    assert accounts.sessions(ada.id) == []
    assert accounts.sessions(bob.id) == [of_bob]


def test_users_are_listed_from_the_newest_on(project: TestProject) -> None:
    """In pages, with the number of all; a part of the address finds."""
    for number in range(5):
        project.make_user(f"user{number}@example.com")
    accounts = project.app.accounts

    page, total = accounts.page(limit=2, offset=1)
    assert total == 5
    assert len(page) == 2
    found, total = accounts.page(limit=10, offset=0, search="USER3@")
    assert ([user.email for user in found], total) == (["user3@example.com"], 1)
    assert accounts.page(limit=10, offset=0, search="%") == ([], 0)


@pytest.mark.parametrize("name", ["get", "sessions"])
def test_nobody_is_not_found(project: TestProject, name: str) -> None:
    """An id of nobody is an error of its own."""
    with pytest.raises(NotFoundError, match="User not found"):
        getattr(project.app.accounts, name)("usr_none")
