"""The admin routes of the original, as its scripts and its dashboard call them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

import clients
from forms import CONTENT_TYPE, UPLOAD, form
from processes import NOTHING, Answer, Client, ServerProcess, running_server

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"
TIMESTAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LISTS = ("collections", "users", "storage", "functions", "jobs", "logs")
UNAUTHORIZED = (401, "unauthorized", "Authentication required")
FORBIDDEN = (403, "forbidden", "Admin access required")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for all tests of this file."""
    folder = clients.make(tmp_path_factory.mktemp("admin"))
    with running_server(folder, environ=clients.ADMIN) as running:
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A connection."""
    with server.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def admin(server: ServerProcess) -> Mapping[str, str]:
    """The headers of the administrator."""
    with server.client() as client:
        body = {"email": clients.ADMIN_EMAIL, "password": clients.ADMIN_PASSWORD}
        return _bearer(client.post("/api/auth/login", body))


@pytest.fixture
def user(client: Client) -> Mapping[str, str]:
    """The headers of a new user."""
    return _bearer(_register(client))


def _bearer(answer: Answer) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json['token']}"}


def _register(client: Client) -> Answer:
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    return client.post("/api/auth/register", body)


def _error(answer: Answer) -> tuple[int, str, str]:
    error = answer.json["error"]
    return answer.status, error["code"], error["message"]


def _get(client: Client, path: str, headers: Mapping[str, str]) -> Any:
    answer = client.request("GET", f"/api/admin/{path}", headers=headers)
    assert answer.status == 200, answer.body
    return answer.json


def _name() -> str:
    return f"things_{uuid.uuid4().hex[:8]}"


@pytest.mark.parametrize("path", [*LISTS, "nothing", "users/usr_none", "collections/nothing"])
def test_only_administrators_learn_what_is_there(
    client: Client, user: Mapping[str, str], admin: Mapping[str, str], path: str
) -> None:
    """401 and 403 come before 404, also for what does not exist."""
    address = f"/api/admin/{path}"

    assert _error(client.request("GET", address)) == UNAUTHORIZED
    assert _error(client.request("GET", address, headers=user)) == FORBIDDEN
    assert client.request("GET", address, headers=admin).status in (200, 404)


def test_an_unknown_resource_is_not_found(client: Client, admin: Mapping[str, str]) -> None:
    """In the envelope."""
    answer = client.request("GET", "/api/admin/nothing", headers=admin)

    assert _error(answer) == (404, "not_found", "Not found")


def test_collections_come_and_go(client: Client, admin: Mapping[str, str]) -> None:
    """Made, seen, changed and deleted, each answered with name, definition and times."""
    name = _name()
    path = f"/api/admin/collections/{name}"
    definition = {"name": name, "fields": [{"name": "title", "type": "string"}]}

    made = client.request("POST", "/api/admin/collections", definition, admin)
    assert made.status == 201
    assert {"name", "definition", "createdAt", "updatedAt"} <= set(made.json)
    assert made.json["name"] == made.json["definition"]["name"] == name
    assert re.fullmatch(TIMESTAMP, made.json["createdAt"])

    seen = client.request("GET", path, headers=admin)
    assert (seen.status, seen.json["definition"]) == (200, made.json["definition"])
    items = _get(client, "collections", admin)["items"]
    names = [each["name"] for each in items]
    assert name in names
    assert names == sorted(names)

    wider = {**definition, "fields": [*definition["fields"], {"name": "views", "type": "integer"}]}
    changed = client.request("PUT", path, wider, admin)
    assert changed.status == 200
    assert [each["name"] for each in changed.json["definition"]["fields"]] == ["title", "views"]

    assert client.request("DELETE", path, headers=admin).status == 204
    gone = client.request("GET", path, headers=admin)
    assert _error(gone) == (404, "not_found", f'Collection "{name}" does not exist')


def test_a_definition_needs_name_and_fields(client: Client, admin: Mapping[str, str]) -> None:
    """With one text for what is missing."""
    for body in ({}, {"name": "x"}, {"name": 1, "fields": []}, {"name": "x", "fields": {}}):
        answer = client.request("POST", "/api/admin/collections", body, admin)
        assert _error(answer) == (400, "bad_request", "Request body must include name and fields")


def test_users_are_listed_the_newest_first(client: Client, admin: Mapping[str, str]) -> None:
    """With the number of all of them; each with the four texts of a user."""
    newest = _register(client).json["user"]

    found = _get(client, "users", admin)

    assert set(found) >= {"items", "total"}
    assert found["items"][0]["id"] == newest["id"]
    assert {"id", "email", "role", "createdAt"} <= set(found["items"][0])
    assert not any("password" in key.lower() for key in found["items"][0])


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 50), ("?limit=1", 1), ("?limit=100", 60), ("?limit=1000", 60), ("?offset=55", 5)],
)
def test_pages_have_the_sizes_of_the_original(
    client: Client, admin: Mapping[str, str], query: str, count: int
) -> None:
    """50, unless between 1 and 100 is asked for."""
    while (missing := 60 - _get(client, "storage", admin)["total"]) > 0:
        for number in range(missing):
            headers = {"Content-Type": CONTENT_TYPE, **admin}
            client.send("POST", UPLOAD, form(b"x", filename=f"{number}.txt"), headers)

    found = _get(client, f"storage{query}", admin)

    assert (len(found["items"]), found["total"]) == (count, 60)
    file = found["items"][0]
    fields = {"id", "filename", "mimeType", "size", "visibility", "userId", "createdAt"}
    assert fields <= set(file)
    assert type(file["size"]) is int


def test_a_role_is_changed_and_a_user_deleted(client: Client, admin: Mapping[str, str]) -> None:
    """PATCH answers the user, DELETE nothing; both act at once."""
    registered = _register(client)
    path = f"/api/admin/users/{registered.json['user']['id']}"
    own = _bearer(registered)

    changed = client.request("PATCH", path, {"role": "admin"}, admin)
    assert (changed.status, changed.json["role"]) == (200, "admin")
    assert client.request("GET", "/api/admin/users", headers=own).status == 200
    client.request("PATCH", path, {"role": "public"}, admin)
    assert _error(client.request("GET", "/api/admin/users", headers=own)) == FORBIDDEN

    assert client.request("DELETE", path, headers=admin).status == 204
    assert _error(client.request("GET", "/api/auth/me", headers=own)) == UNAUTHORIZED
    again = client.request("PATCH", path, {"role": "admin"}, admin)
    assert _error(again) == (404, "not_found", "User not found")


@pytest.mark.parametrize("body", [{}, {"role": "king"}, {"role": None}, {"role": 1}])
def test_a_role_is_one_of_three(
    client: Client, admin: Mapping[str, str], body: Mapping[str, object]
) -> None:
    """With the text of the original."""
    path = f"/api/admin/users/{_register(client).json['user']['id']}"

    assert _error(client.request("PATCH", path, body, admin)) == (
        400,
        "bad_request",
        "role must be one of: admin, authenticated, public",
    )


def test_logs_are_listed_the_oldest_first(client: Client, admin: Mapping[str, str]) -> None:
    """Each line with time, level and message; a level is the least severe one."""
    items = _get(client, "logs?limit=5", admin)["items"]

    assert 1 <= len(items) <= 5
    assert all({"timestamp", "level", "message"} <= set(item) for item in items)
    times = [item["timestamp"] for item in items]
    assert times == sorted(times)
    for item in _get(client, "logs?level=WARN", admin)["items"]:
        assert item["level"] in ("WARN", "ERROR")
    for level in ("warn", "TRACE", ""):
        answer = client.request("GET", f"/api/admin/logs?level={level}", headers=admin)
        text = "level must be one of: DEBUG, INFO, WARN, ERROR"
        assert _error(answer) == (400, "bad_request", text)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "users"),
        ("PUT", "users/usr_none"),
        ("POST", "collections/posts"),
        ("POST", "logs"),
    ],
)
def test_another_method_is_refused(
    client: Client, admin: Mapping[str, str], method: str, path: str
) -> None:
    """405 for administrators, 401 for everybody else."""
    address = f"/api/admin/{path}"

    assert client.request(method, address, {}, NOTHING).status == 401
    assert _error(client.request(method, address, {}, admin)) == (
        405,
        "method_not_allowed",
        "Method not allowed",
    )


@pytest.mark.parametrize("name", ["functions", "jobs"])
def test_functions_and_jobs_are_lists(client: Client, admin: Mapping[str, str], name: str) -> None:
    """Empty, where there are none."""
    assert _get(client, name, admin)["items"] == []


def test_the_runs_of_a_job_that_is_none(client: Client, admin: Mapping[str, str]) -> None:
    """Named in the message."""
    answer = client.request("GET", "/api/admin/jobs/nothing/runs", headers=admin)

    assert _error(answer) == (404, "not_found", 'Job "nothing" does not exist')
