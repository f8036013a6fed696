"""Routes of the project's own, as clients meet them: `/api/_/…`."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any, Final

import pytest
from programs import POSTS, SEEN

from bakend.testing import TestProject, temporary_project
from bakend.usercode.runs import Run

ROUTES: Final = """
from bakend import ConflictError, Reject, Response, UnavailableError, route

@route("GET", "/hello/<name>")
def hello(name, auth):
    return {"hello": name, "who": None if auth.user is None else auth.user.email}

@route(["POST", "PUT"], "/sum/<int:start>")
def add(ctx, start):
    return {"sum": start + sum(ctx.request.json["numbers"])}, 201

@route("GET", "/asked/<path:rest>")
async def asked(c):
    request = c.request
    return {
        "method": request.method, "path": request.path, "rest": c.params["rest"],
        "first": request.query.get("a"), "all": request.query.all("a"),
        "agent": request.headers["x-agent"], "address": request.address,
    }

@route("GET", "/needs")
def needs(request):
    return request.query["a"]

@route("PATCH", "/bytes")
def raw(request):
    return Response(request.body[::-1], content_type="application/x-reversed", headers={"X-A": "b"})

@route("DELETE", "/nothing")
def nothing():
    pass

@route("GET", "/members", auth="user")
def members(auth):
    return auth.user.id

@route("GET", "/office", auth="admin")
def office(auth):
    return auth.user.role

@route("GET", "/conflict")
def conflict():
    raise ConflictError("Twice is too often")

@route("GET", "/reject")
def reject():
    raise Reject("Only 3 are left", field="stock")

@route("GET", "/later")
def later():
    raise UnavailableError("Not now", retry_after_s=7)

@route("POST", "/posts")
def post(ctx):
    return ctx.records.create("posts", ctx.request.json)

@route("GET", "/fails")
def fails(logger):
    logger.info("about to fail")
    raise ZeroDivisionError("secret detail")

@route("GET", "/leaves")
def leaves():
    raise SystemExit(3)

@route("GET", "/unfit")
def unfit():
    return {1, 2}
"""
UNFIT: Final = ROUTES.splitlines().index("def unfit():")
"""Where that is marked, counted from 1."""


@pytest.fixture
def project() -> Iterator[TestProject]:
    settings = {"cors_origins": ("https://app.example.com",)}
    with temporary_project([POSTS, SEEN], settings=settings) as opened:
        opened.write_file("functions/api.py", ROUTES)
        opened.load_programs()
        yield opened


def failed(project: TestProject) -> list[Run]:
    return project.app.programs().runs("function", limit=10)[0]


def test_a_route_gets_the_words_of_its_path(project: TestProject) -> None:
    """Decoded, and without a look at a slash at the end."""
    for path in ("/api/_/hello/Ada", "/api//_/hello/Ada/"):
        answer = project.client.get(path)
        assert (answer.status_code, answer.get_json()) == (200, {"hello": "Ada", "who": None})
    assert project.client.get("/api/_/hello/a%20%C3%BC").get_json()["hello"] == "a ü"


def test_a_route_knows_who_asks(project: TestProject) -> None:
    """A token that is not valid is no token, as everywhere."""
    ada = project.sign_up("ada@example.com")

    assert project.client.get("/api/_/hello/x", headers=ada).get_json()["who"] == "ada@example.com"
    wrong = {"Authorization": "Bearer nonsense"}
    assert project.client.get("/api/_/hello/x", headers=wrong).get_json()["who"] is None


def test_a_route_reads_json_and_answers_with_it(project: TestProject) -> None:
    """With a status of its own."""
    answer = project.client.post("/api/_/sum/5", json={"numbers": [1, 2]})

    assert (answer.status_code, answer.get_json()) == (201, {"sum": 8})
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        ("{}", "text/plain", "Content-Type must be application/json"),
        ("", "application/json", "Invalid JSON body"),
        ("{", "application/json", "Invalid JSON body"),
        ('{"numbers":NaN}', "application/json", "Invalid JSON body"),
        ("[]", "application/json", "Request body must be a JSON object"),
        (
            '{"numbers":' + "[" * 99 + "]" * 99 + "}",
            "application/json",
            "Invalid JSON body: nested",
        ),
    ],
)
def test_a_body_that_is_no_json_is_a_bad_request(
    project: TestProject, body: str, content_type: str, message: str
) -> None:
    """In the envelope, by the rules of all other routes, and nothing of it is a failed run."""
    answer = project.client.put("/api/_/sum/5", data=body, content_type=content_type)

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (400, "bad_request")
    assert answer.get_json()["error"]["message"].startswith(message)
    assert failed(project) == []


def test_a_route_sees_the_whole_request() -> None:
    """Also through a trusted proxy."""
    settings = {"server_trusted_proxies": (ip_network("127.0.0.1"),)}
    with temporary_project(settings=settings) as project:
        project.write_file("functions/api.py", ROUTES)
        project.load_programs()
        answer = project.client.get(
            "/api/_/asked/x/y?a=1&b=2&a=3",
            headers={"X-Agent": "007", "X-Forwarded-For": "203.0.113.9"},
        )

    assert answer.get_json() == {
        "method": "GET",
        "path": "/api/_/asked/x/y",
        "rest": "x/y",
        "first": "1",
        "all": ["1", "3"],
        "agent": "007",
        "address": "203.0.113.9",
    }


def test_what_a_route_takes_for_granted_may_be_missing(project: TestProject) -> None:
    """Then the client hears of it, and it is no fault of the server."""
    answer = project.client.get("/api/_/needs")

    assert answer.status_code == 400
    assert answer.get_json()["error"]["message"] == 'Query parameter "a" is missing'


def test_a_route_answers_with_bytes(project: TestProject) -> None:
    """Whatever they are, and with headers of its own beside the common ones."""
    answer = project.client.patch("/api/_/bytes", data=b"\x00\xff")

    assert (answer.status_code, answer.data) == (200, b"\xff\x00")
    assert answer.headers["Content-Type"] == "application/x-reversed"
    assert (answer.headers["X-A"], answer.headers["X-Frame-Options"]) == ("b", "DENY")


def test_nothing_is_no_content(project: TestProject) -> None:
    """204, without a type."""
    answer = project.client.delete("/api/_/nothing")

    assert (answer.status_code, answer.data) == (204, b"")
    assert "Content-Type" not in answer.headers


def test_head_is_get_without_its_body(project: TestProject) -> None:
    """And as long."""
    answer = project.client.head("/api/_/hello/Ada")

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "26"


def test_another_method_is_refused_and_another_path_unknown(project: TestProject) -> None:
    """405 names the methods of that path, 404 comes whatever the method."""
    wrong = project.client.get("/api/_/sum/5")
    unknown = project.client.post("/api/_/nowhere")
    no_numbers = [
        project.client.post(f"/api/_/sum/{each}") for each in ("five", "-5", "٥", "9" * 5_000)
    ]

    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "OPTIONS, POST, PUT")
    assert wrong.get_json()["error"]["code"] == "method_not_allowed"
    for answer in (unknown, *no_numbers):
        assert answer.status_code == 404
        assert answer.get_json()["error"] == {"code": "not_found", "message": "Not found"}


def test_pages_of_allowed_origins_may_call(project: TestProject) -> None:
    """The preflight is answered as for all routes."""
    asks = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    preflight = project.client.options("/api/_/sum/5", headers=asks)
    answer = project.client.get("/api/_/hello/x", headers={"Origin": "https://app.example.com"})

    assert (preflight.status_code, preflight.headers["Allow"]) == (204, "OPTIONS, POST, PUT")
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert project.client.options("/api/_/nowhere").status_code == 404


def test_a_route_may_be_for_some_only(project: TestProject) -> None:
    """Refused before the handler runs."""
    ada = project.sign_up("ada@example.com")
    admin = project.sign_up("admin@example.com", role="admin")

    def statuses(path: str) -> list[int]:
        return [project.client.get(path, headers=each).status_code for each in ({}, ada, admin)]

    assert statuses("/api/_/members") == [401, 200, 200]
    assert statuses("/api/_/office") == [401, 403, 200]
    assert project.client.get("/api/_/office", headers=ada).get_json()["error"] == {
        "code": "forbidden",
        "message": "Admin access required",
    }


def test_errors_of_bakend_become_their_answers(project: TestProject) -> None:
    """Raised by the handler or by what it calls."""
    conflict = project.client.get("/api/_/conflict")
    later = project.client.get("/api/_/later")
    invalid = project.client.post("/api/_/posts", json={"title": 7})

    assert (conflict.status_code, conflict.get_json()["error"]["code"]) == (409, "conflict")
    assert project.client.get("/api/_/reject").get_json()["error"]["details"] == [
        {"field": "stock", "rule": "rejected", "message": "Only 3 are left"}
    ]
    assert (later.status_code, later.headers["Retry-After"]) == (503, "7")
    assert (invalid.status_code, invalid.get_json()["error"]["code"]) == (400, "validation_error")
    assert invalid.get_json()["error"]["details"][0]["field"] == "title"
    assert failed(project) == []


def test_changes_are_made_in_the_name_of_who_asks(project: TestProject) -> None:
    """The event says who, for functions, realtime and the audit."""
    ada = project.make_user("ada@example.com")
    headers = project.log_in("ada@example.com")
    before = project.last_event()

    answer = project.client.post("/api/_/posts", json={"title": "x"}, headers=headers)

    assert answer.status_code == 200
    (event,) = project.events(after=before)
    assert (event.type, event.actor, event.subject) == (
        "posts.created",
        ada.id,
        answer.get_json()["id"],
    )


@pytest.mark.parametrize(
    ("path", "error", "logged"),
    [
        ("fails", "ZeroDivisionError: secret detail", "in fails"),
        ("leaves", "SystemExit: 3", "SystemExit: 3"),
        (
            "unfit",
            f"UserCodeError: functions/api.py:{UNFIT}: the route returned what cannot be JSON:"
            " Object of type set is not JSON serializable",
            f"functions/api.py:{UNFIT}: the route returned",
        ),
    ],
)
def test_a_route_that_fails_shows_only_where_to_look_it_up(
    project: TestProject,
    caplog: pytest.LogCaptureFixture,
    path: str,
    error: str,
    logged: str,
) -> None:
    """The client gets an id, the log what happened under it, and the run is kept."""
    with caplog.at_level(logging.ERROR):
        answer = project.client.get(f"/api/_/{path}")

    request_id = answer.headers["X-Request-Id"]
    told: dict[str, Any] = answer.get_json()["error"]
    assert (answer.status_code, told["code"]) == (500, "internal_error")
    assert request_id in told["message"]
    assert "secret" not in answer.get_data(as_text=True)
    assert request_id in caplog.text
    assert logged in caplog.text
    (run,) = failed(project)
    assert (run.kind, run.status, run.error) == ("route", "failed", error)
    assert request_id in run.log
    assert run.as_json()["eventType"] is None


def test_a_failed_request_cannot_be_tried_again(project: TestProject) -> None:
    """Nobody waits for its answer any more."""
    admin = project.sign_up("admin@example.com", role="admin")
    project.client.get("/api/_/fails")
    (run,) = failed(project)

    answer = project.client.post(f"/api/admin/functions/runs/{run.id}/retry", headers=admin)

    assert answer.status_code == 409
    listed = project.client.get("/api/admin/functions/runs", headers=admin).get_json()
    assert [each["kind"] for each in listed["items"]] == ["route"]


def test_a_load_swaps_all_routes(project: TestProject) -> None:
    """What is gone is unknown; what is new is there; a file that breaks keeps what it had."""
    project.write_file("functions/api.py", ROUTES.replace("/hello/<name>", "/hi/<name>"))
    project.app.programs().reload()
    assert project.client.get("/api/_/hello/Ada").status_code == 404
    assert project.client.get("/api/_/hi/Ada").status_code == 200

    project.write_file("functions/api.py", "broken(")
    project.app.programs().reload()
    assert project.client.get("/api/_/hi/Ada").status_code == 200


def test_without_routes_everything_below_is_unknown() -> None:
    """For all methods, and in a project without any Python."""
    with temporary_project() as project:
        for method in ("GET", "POST", "OPTIONS"):
            assert project.client.open("/api/_/x", method=method).status_code == 404
