"""How the first administrator comes, and that there is only one first."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from bakend.errors import InvalidInputError
from bakend.testing import PASSWORD, TestProject, temporary_project

ROOT = "root@example.com"


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project() as opened:
        yield opened


def set_up(project: TestProject, token: str, email: str = ROOT) -> tuple[int, str]:
    answer = project.client.post(
        "/api/auth/setup", json={"token": token, "email": email, "password": PASSWORD}
    )
    return answer.status_code, answer.text


def test_a_link_makes_one_administrator(project: TestProject) -> None:
    """Who has it is logged in as administrator; the second who comes is not."""
    token = project.app.first_admin.new_token()
    assert token is not None

    answer = project.client.post(
        "/api/auth/setup", json={"token": token, "email": ROOT, "password": PASSWORD}
    )

    assert answer.status_code == 201
    assert answer.json is not None
    assert answer.json["user"]["role"] == "admin"
    headers = {"Authorization": f"Bearer {answer.json['token']}"}
    assert project.client.get("/api/auth/me", headers=headers).status_code == 200
    assert set_up(project, token, "second@example.com")[0] == 403
    assert project.app.first_admin.new_token() is None


def test_a_link_is_used_once_also_at_once(project: TestProject) -> None:
    """Of ten who come together one gets in."""
    token = project.app.first_admin.new_token()
    assert token is not None
    statuses: list[int] = []
    start = threading.Barrier(5)

    def come(number: int) -> None:
        client = project.client.application.test_client()
        start.wait()
        body = {"token": token, "email": f"u{number}@example.com", "password": PASSWORD}
        statuses.append(client.post("/api/auth/setup", json=body).status_code)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(statuses) == [201, 403, 403, 403, 403]


def test_only_the_newest_link_works(project: TestProject) -> None:
    """One that is made later takes its place."""
    old, new = project.app.first_admin.new_token(), project.app.first_admin.new_token()
    assert old is not None
    assert new is not None

    assert set_up(project, old)[0] == 403
    assert set_up(project, new)[0] == 201


@pytest.mark.parametrize("token", ["x", "\u00fc", " "])
def test_no_other_token_works(project: TestProject, token: str) -> None:
    """Guessing is counted as registering is."""
    project.app.first_admin.new_token()

    status, text = set_up(project, token)

    assert (status, "no longer valid" in text) == (403, True)


def test_without_a_link_there_is_no_way(project: TestProject) -> None:
    """A server that has made none takes none, the empty one neither."""
    assert set_up(project, "")[0] == 400
    assert set_up(project, "None")[0] == 403


def test_the_link_makes_no_second_administrator(project: TestProject) -> None:
    """When one came another way in the meantime, it is void."""
    token = project.app.first_admin.new_token()
    assert token is not None
    project.make_user("other@example.com", role="admin")

    assert set_up(project, token)[0] == 403


def test_an_address_that_is_taken_is_told(project: TestProject) -> None:
    """And the link still works with another one."""
    token = project.app.first_admin.new_token()
    assert token is not None
    project.make_user(ROOT)

    assert set_up(project, token)[0] == 409
    assert set_up(project, token, "other@example.com")[0] == 201


def test_the_environment_makes_one_once(project: TestProject) -> None:
    """The first start does, later ones leave everything as it is."""
    first = project.app.first_admin

    made = first.ensure(ROOT, PASSWORD)
    assert made is not None
    assert made.role == "admin"
    assert first.ensure(ROOT, "another password") is None
    assert project.log_in(ROOT)


def test_the_environment_promotes_nobody(project: TestProject) -> None:
    """Whoever has registered that address may be anybody."""
    project.make_user(ROOT)

    assert project.app.first_admin.ensure(ROOT, PASSWORD) is None
    assert project.app.first_admin.is_missing()


def test_the_environment_is_checked(project: TestProject) -> None:
    """What could be no account stops the start, with a sentence."""
    for email, password in ((ROOT, "short"), ("root", PASSWORD)):
        with pytest.raises(InvalidInputError):
            project.app.first_admin.ensure(email, password)


def test_the_named_address_becomes_administrator_by_registering() -> None:
    """While there is none; afterwards the address is one like others."""
    with temporary_project(first_admin=ROOT) as project:
        roles = []
        for email in ("x@example.com", ROOT):
            body = {"email": email, "password": PASSWORD}
            answer = project.client.post("/api/auth/register", json=body)
            assert answer.json is not None
            roles.append(answer.json["user"]["role"])
        assert roles == ["authenticated", "admin"]

    with temporary_project(first_admin=ROOT) as project:
        project.make_user("other@example.com", role="admin")
        answer = project.client.post(
            "/api/auth/register", json={"email": ROOT, "password": PASSWORD}
        )
        assert answer.json is not None
        assert answer.json["user"]["role"] == "authenticated"
