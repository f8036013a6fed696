"""Accounts over HTTP: what each route answers, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bakend.testing import PASSWORD, TestProject, temporary_project

ADA = {"email": "ada@example.com", "password": PASSWORD}


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project() as opened:
        yield opened


def post(project: TestProject, action: str, body: object, **headers: str) -> tuple[int, Any]:
    answer = project.client.post(f"/api/auth/{action}", json=body, headers=headers)
    return answer.status_code, answer.json


def register(project: TestProject, email: str = "ada@example.com") -> Any:
    status, answer = post(project, "register", {"email": email, "password": PASSWORD})
    assert status == 201
    return answer


def bearer(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer['token']}"}


def kinds(project: TestProject) -> list[str]:
    return [event.type for event in project.events()]


def test_a_life_of_an_account(project: TestProject) -> None:
    """Register, look, log in, refresh, log out: each step as clients know it."""
    made = register(project, " Ada@Example.com ")
    assert set(made) == {"token", "refreshToken", "user"}
    assert set(made["user"]) == {"id", "email", "role", "createdAt"}
    assert made["user"]["email"] == "ada@example.com"
    assert made["user"]["role"] == "authenticated"
    assert made["user"]["id"].startswith("usr_")

    me = project.client.get("/api/auth/me", headers=bearer(made))
    assert (me.status_code, me.json) == (200, {"user": made["user"]})

    status, logged_in = post(project, "login", ADA)
    assert (status, logged_in["user"]) == (200, made["user"])
    status, refreshed = post(project, "refresh", {"refreshToken": logged_in["refreshToken"]})
    assert status == 200
    assert refreshed["refreshToken"] != logged_in["refreshToken"]

    gone = project.client.post("/api/auth/logout", json={"refreshToken": refreshed["refreshToken"]})
    assert (gone.status_code, gone.data) == (204, b"")
    assert "Content-Type" not in gone.headers
    assert project.client.get("/api/auth/me", headers=bearer(refreshed)).status_code == 401
    assert project.client.get("/api/auth/me", headers=bearer(made)).status_code == 200
    assert kinds(project) == ["auth.register", "auth.login", "auth.logout"]


BAD_INPUT = [
    ("register", {}, 400, "email and password are required"),
    ("register", {"email": "ada@example.com"}, 400, "email and password are required"),
    ("register", {"email": "", "password": PASSWORD}, 400, "email and password are required"),
    ("register", {"email": 7, "password": PASSWORD}, 400, "email and password are required"),
    ("register", {"email": "@@@", "password": PASSWORD}, 400, "Invalid email address"),
    (
        "register",
        {"email": "ada@example.com", "password": "short"},
        400,
        "Password must be at least 8 characters",
    ),
    ("login", {"email": "ada@example.com"}, 400, "email and password are required"),
    ("login", {"email": "ada", "password": PASSWORD}, 401, "Invalid email address"),
    ("login", {"email": "no@example.com", "password": PASSWORD}, 401, "Invalid email or password"),
    ("login", {"email": "ada@example.com", "password": "x"}, 401, "Invalid email or password"),
    ("refresh", {}, 400, "refreshToken is required"),
    ("refresh", {"refreshToken": "rt_x"}, 401, "Invalid or expired refresh token"),
    ("logout", {}, 400, "refreshToken is required"),
    ("password", {}, 401, "Authentication required"),
    ("setup", {}, 400, "token is required"),
    ("setup", {"token": "x"}, 400, "email and password are required"),
]


@pytest.mark.parametrize(("action", "body", "status", "message"), BAD_INPUT)
def test_bad_input_is_answered_as_clients_know_it(
    project: TestProject, action: str, body: object, status: int, message: str
) -> None:
    """A status and a sentence, in the envelope; nothing happened."""
    register(project)

    answer = post(project, action, body)

    code = {400: "bad_request", 401: "unauthorized"}[status]
    assert answer == (status, {"error": {"code": code, "message": message}})
    assert kinds(project) == ["auth.register"]


def test_an_address_is_registered_once(project: TestProject) -> None:
    """Also when it is written differently."""
    register(project)

    status, answer = post(
        project, "register", {"email": "ADA@example.com", "password": PASSWORD, "role": "admin"}
    )

    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert answer["error"]["message"] == "Email is already registered"


def test_nobody_chooses_his_role(project: TestProject) -> None:
    """Further keys of a body are ignored."""
    status, answer = post(project, "register", {**ADA, "role": "admin"})

    assert (status, answer["user"]["role"]) == (201, "authenticated")


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/auth/login", 405, "OPTIONS, POST"),
        ("POST", "/api/auth/me", 405, "DELETE, GET, HEAD, OPTIONS"),
        ("GET", "/api/auth/nothing", 404, None),
        ("POST", "/api/auth/nothing", 404, None),
        ("GET", "/api/auth", 404, None),
        ("GET", "/api/auth/me/", 401, None),
    ],
)
def test_routes_and_methods(
    project: TestProject, method: str, path: str, status: int, allow: str | None
) -> None:
    """An unknown action is 404, whatever its body; a wrong method names the right ones."""
    answer = project.client.open(path, method=method)

    assert (answer.status_code, answer.headers.get("Allow")) == (status, allow)
    assert answer.json is not None
    assert set(answer.json["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  x",
        "Bearer a.b.c",
        "Bearer h.p.sig==",
        "Basic eDp5",
        "Bearer \u00fc.\u00fc.\u00fc",
    ],
)
def test_a_token_that_is_none_never_fails_a_request(project: TestProject, header: str) -> None:
    """The caller is anonymous: public routes answer, others say 401."""
    headers = {"Authorization": header}

    assert project.client.get("/health", headers=headers).status_code == 200
    answer = project.client.get("/api/auth/me", headers=headers)
    assert answer.status_code == 401
    assert answer.json == {"error": {"code": "unauthorized", "message": "Authentication required"}}


def test_the_scheme_is_read_in_any_case_and_a_third_word_ignored(project: TestProject) -> None:
    """As the original reads it."""
    token = register(project)["token"]

    for header in (f"bearer {token}", f"BEARER {token} more"):
        answer = project.client.get("/api/auth/me", headers={"Authorization": header})
        assert answer.status_code == 200


def test_a_new_password_ends_other_sessions(project: TestProject) -> None:
    """The session that changed it goes on; the old password is wrong from then on."""
    here, elsewhere = register(project), post(project, "login", ADA)[1]
    body = {"oldPassword": PASSWORD, "newPassword": "another password"}

    assert post(project, "password", body, **bearer(here)) == (204, None)

    assert project.client.get("/api/auth/me", headers=bearer(here)).status_code == 200
    assert project.client.get("/api/auth/me", headers=bearer(elsewhere)).status_code == 401
    assert post(project, "login", ADA)[0] == 401
    assert post(project, "login", {**ADA, "password": "another password"})[0] == 200
    assert kinds(project)[2:4] == ["auth.updated", "auth.session_revoked"]


def test_a_wrong_old_password_is_no_401(project: TestProject) -> None:
    """Clients take 401 for an expired token, and would refresh and try again."""
    here = register(project)
    body = {"oldPassword": "wrong", "newPassword": "another password"}

    status, answer = post(project, "password", body, **bearer(here))

    assert (status, answer["error"]["message"]) == (400, "oldPassword is wrong")


def test_sessions_are_listed_and_ended(project: TestProject) -> None:
    """Somebody sees his own sessions, which is this one, and ends one, the others, or all."""
    here = register(project)
    others = [post(project, "login", ADA)[1] for _ in range(3)]
    register(project, "bob@example.com")

    listed: Any = project.client.get("/api/auth/sessions", headers=bearer(here)).json
    assert listed["total"] == 4
    assert [item["current"] for item in listed["items"]].count(True) == 1
    assert set(listed["items"][0]) == {
        *("id", "createdAt", "lastUsedAt", "expiresAt", "userAgent", "current"),
    }

    def ended() -> list[bool]:
        answers = [
            project.client.get("/api/auth/me", headers=bearer(each)) for each in (*others, here)
        ]
        return [answer.status_code == 401 for answer in answers]

    newest = next(item["id"] for item in listed["items"] if not item["current"])
    delete = project.client.delete
    assert delete(f"/api/auth/sessions/{newest}", headers=bearer(here)).status_code == 204
    assert ended().count(True) == 1
    assert delete(f"/api/auth/sessions/{newest}", headers=bearer(here)).status_code == 404
    assert delete("/api/auth/sessions?others=true", headers=bearer(here)).status_code == 204
    assert ended() == [True, True, True, False]
    assert delete("/api/auth/sessions", headers=bearer(here)).status_code == 204
    assert ended() == [True] * 4


def test_nobody_ends_the_session_of_another(project: TestProject) -> None:
    """Not found, as one that does not exist."""
    ada, bob = register(project), register(project, "bob@example.com")
    listed: Any = project.client.get("/api/auth/sessions", headers=bearer(ada)).json

    answer = project.client.delete(
        f"/api/auth/sessions/{listed['items'][0]['id']}", headers=bearer(bob)
    )

    assert answer.status_code == 404
    assert project.client.get("/api/auth/me", headers=bearer(ada)).status_code == 200


def test_an_account_is_ended_by_its_owner(project: TestProject) -> None:
    """He is nobody at once, cannot log in, and what was personal is out of the log."""
    made = register(project)

    assert project.client.delete("/api/auth/me", headers=bearer(made)).status_code == 204

    assert project.client.get("/api/auth/me", headers=bearer(made)).status_code == 401
    assert post(project, "login", ADA)[0] == 401
    assert post(project, "refresh", {"refreshToken": made["refreshToken"]})[0] == 401
    assert kinds(project) == ["auth.register", "auth.deleted"]
    assert "ada@example.com" not in str(project.events())
    register(project)  # the address is free again


def test_wrong_passwords_are_throttled_by_address_and_account(project: TestProject) -> None:
    """After ten the account is closed to that address, open to others; so are other accounts."""
    register(project)
    register(project, "bob@example.com")
    wrong = {**ADA, "password": "wrong"}
    statuses = [post(project, "login", wrong)[0] for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2

    answer = project.client.post("/api/auth/login", json=ADA)
    assert answer.status_code == 429
    assert answer.json == {
        "error": {"code": "rate_limited", "message": "Too many attempts, try again later"}
    }
    assert 290 <= int(answer.headers["Retry-After"]) <= 300
    assert post(project, "login", {**ADA, "email": "bob@example.com"})[0] == 200
    elsewhere = project.client.post(
        "/api/auth/login", json=ADA, environ_base={"REMOTE_ADDR": "192.0.2.7"}
    )
    assert elsewhere.status_code == 200


def test_guessing_the_old_password_is_throttled_too(project: TestProject) -> None:
    """Who has found an open browser gets no more tries than at the login."""
    here = register(project)
    body = {"oldPassword": "wrong", "newPassword": "another password"}

    statuses = [post(project, "password", body, **bearer(here))[0] for _ in range(11)]

    assert statuses == [400] * 10 + [429]


def test_the_client_behind_a_trusted_proxy_is_counted() -> None:
    """Only the part of the header is believed that trusted proxies wrote."""
    import ipaddress

    proxies = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("10.0.0.0/8"))
    with temporary_project(settings={"server_trusted_proxies": proxies}) as project:
        register(project)
        wrong = {**ADA, "password": "wrong"}

        def tries(forwarded: str, peer: str = "127.0.0.1") -> int:
            answer = project.client.post(
                "/api/auth/login",
                json=wrong,
                headers={"X-Forwarded-For": forwarded},
                environ_base={"REMOTE_ADDR": peer},
            )
            return answer.status_code

        assert [tries("192.0.2.1") for _ in range(11)] == [401] * 10 + [429]
        assert tries("192.0.2.2") == 401
        assert tries("1.2.3.4, 192.0.2.1") == 429  # what a client claims itself is no help
        assert tries("192.0.2.1, 10.1.2.3") == 429
        assert tries("192.0.2.1, nonsense") == 401
        assert [tries("192.0.2.1", peer="198.51.100.1") for _ in range(11)] == [401] * 10 + [429]
        assert tries("192.0.2.99", peer="198.51.100.1") == 429


def test_registering_is_throttled() -> None:
    """By address."""
    with temporary_project(settings={"throttle_register": 2}) as project:
        statuses = [
            post(project, "register", {"email": f"u{n}@example.com", "password": PASSWORD})[0]
            for n in range(3)
        ]

    assert statuses == [201, 201, 429]


def test_refreshing_is_throttled() -> None:
    """By address."""
    with temporary_project(settings={"throttle_refresh": 2}) as project:
        token = register(project)["refreshToken"]
        statuses = [post(project, "refresh", {"refreshToken": token})[0] for _ in range(3)]

    assert statuses == [200, 200, 429]
