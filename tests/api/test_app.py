"""What every answer carries, and how failures leave."""

from __future__ import annotations

import logging
import sqlite3
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask

from bakend.api.cors import Origins
from bakend.testing import TestProject, temporary_project

from samples import COLLECTIONS

ORIGIN = "https://app.example.com"


def test_the_common_headers_are_on_every_answer(project: TestProject) -> None:
    """Success and failure, known and unknown paths: nothing may be sniffed, framed or kept."""
    for path in ("/health", "/api/todos", "/api/none", "/nothing"):
        headers = project.client.get(path).headers

        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Request-Id"].startswith("req_")


def test_health_answers_at_both_places(project: TestProject) -> None:
    """`/` and `/health` say the same."""
    for path in ("/", "/health", "/health/"):
        answer = project.client.get(path)
        assert (answer.status_code, answer.get_json()) == (
            200,
            {"status": "ok", "version": "0.1.0"},
        )
    assert project.client.post("/health").headers["Allow"] == "GET, HEAD, OPTIONS"


def test_a_fault_of_ours_shows_only_where_to_look_it_up(
    project: TestProject, caplog: pytest.LogCaptureFixture
) -> None:
    """The client gets an id, the log the traceback under it."""
    wsgi_app = project.client.application
    assert isinstance(wsgi_app, Flask)

    def fail(name: str) -> Any:
        raise ZeroDivisionError("secret detail")

    wsgi_app.view_functions["records.list_records"] = fail
    answer = project.client.get("/api/todos")

    error = answer.get_json()["error"]
    assert (answer.status_code, error["code"]) == (500, "internal_error")
    assert "secret" not in answer.get_data(as_text=True)
    assert answer.headers["X-Request-Id"] in error["message"]
    assert answer.headers["X-Request-Id"] in caplog.text
    assert "ZeroDivisionError: secret detail" in caplog.text


def test_a_busy_database_asks_to_come_back() -> None:
    """A writer that waited long enough answers 503 with a time; readers go on."""
    with temporary_project(COLLECTIONS, settings={"database_busy_timeout_s": 0.05}) as project:
        other = sqlite3.connect(project.app.database.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused = project.client.post("/api/lists", json={"name": "x"})
        read = project.client.get("/api/lists")
        other.execute("ROLLBACK")
        other.close()
        written = project.client.post("/api/lists", json={"name": "x"})

    assert (refused.status_code, refused.get_json()["error"]["code"]) == (503, "unavailable")
    assert refused.headers["Retry-After"] == "1"
    assert (read.status_code, written.status_code) == (200, 201)


@pytest.mark.parametrize(
    ("origins", "origin", "is_allowed"),
    [
        (Origins(), ORIGIN, False),
        (Origins(exact=frozenset({ORIGIN})), ORIGIN, True),
        (Origins(exact=frozenset({ORIGIN})), f"{ORIGIN}.evil.com", False),
        (Origins(exact=frozenset({ORIGIN})), "http://app.example.com", False),
        (Origins(everybody=True), ORIGIN, True),
        (Origins(localhost=True), "http://localhost:5173", True),
        (Origins(localhost=True), "http://127.0.0.1", True),
        (Origins(localhost=True), "https://[::1]:3000", True),
        (Origins(localhost=True), "http://localhost.evil.com", False),
        (Origins(localhost=True), "http://evil.com/http://localhost", False),
        (Origins(localhost=True), "null", False),
    ],
)
def test_which_origins_are_allowed(origins: Origins, origin: str, is_allowed: bool) -> None:
    """An origin is compared whole; this machine is this machine under each of its names."""
    assert origins.allow(origin) is is_allowed


def test_pages_of_an_allowed_origin_may_call() -> None:
    """A preflight is answered, the answer may be read, and caches keep origins apart."""
    with temporary_project(COLLECTIONS, settings={"cors_origins": (ORIGIN,)}) as project:
        preflight = project.client.options(
            "/api/todos",
            headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"},
        )
        answer = project.client.get("/api/todos", headers={"Origin": ORIGIN})
        failure = project.client.get("/api/none", headers={"Origin": ORIGIN})
        stranger = project.client.get("/api/todos", headers={"Origin": "https://evil.com"})

    assert preflight.status_code == 204
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    for each in (preflight, answer, failure):
        assert each.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert each.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in each.headers
    assert "Access-Control-Allow-Origin" not in stranger.headers


@pytest.mark.parametrize(
    ("proxies", "given", "is_kept"),
    [
        ((), "req_mine", False),
        (("127.0.0.0/8",), "req_mine", True),
        (("10.0.0.0/8",), "req_mine", False),
        (("127.0.0.0/8",), "x" * 129, False),
        (("127.0.0.0/8",), "bad\tid", False),
    ],
)
def test_a_request_id_is_kept_from_a_trusted_proxy_only(
    proxies: tuple[str, ...], given: str, is_kept: bool
) -> None:
    """Nobody else writes into our log."""
    networks = tuple(ip_network(each) for each in proxies)
    with temporary_project(settings={"server_trusted_proxies": networks}) as project:
        answer = project.client.get("/health", headers={"X-Request-Id": given})

    assert (answer.headers["X-Request-Id"] == given) is is_kept


def test_each_request_is_one_line_with_its_outcome(
    project: TestProject, caplog: pytest.LogCaptureFixture
) -> None:
    """Method, path, status, duration and id; nothing of the query or the body."""
    with caplog.at_level(logging.INFO, logger="bakend.access"):
        answer = project.client.get("/api/todos?token=secret")

    (line,) = [each.getMessage() for each in caplog.records if each.name == "bakend.access"]
    assert line.startswith("GET /api/todos 200 ")
    assert line.endswith(f"ms {answer.headers['X-Request-Id']}")
    assert "secret" not in line


def test_a_cut_list_says_so_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """A list without a limit ends at `records.listMax`, visibly."""
    with temporary_project(COLLECTIONS, settings={"records_list_max": 2}) as project:
        for number in range(3):
            project.client.post("/api/lists", json={"name": f"{number}"})
        first = project.client.get("/api/lists").get_json()
        project.client.get("/api/lists")
        limited = project.client.get("/api/lists?limit=2").get_json()

    assert (len(first["items"]), first["truncated"]) == (2, True)
    assert "truncated" not in limited
    assert caplog.text.count("was cut at 2 records") == 1
