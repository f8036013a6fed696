"""Who may come below `/api/admin`, and how uniformly it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from bakend.events.event import OPERATOR
from bakend.testing import TestProject

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

UNKNOWN = ("/api/admin", "/api/admin/", "/api/admin/nothing", "/api/admin/collections/lists/more")


def paths(project: TestProject) -> Iterator[str]:
    """Yield a path of each route below the prefix, and some that are none."""
    wsgi_app = project.client.application
    assert isinstance(wsgi_app, Flask)
    for rule in wsgi_app.url_map.iter_rules():
        if rule.rule.startswith("/api/admin"):
            yield re.sub(r"<[^>]+>", "lists", rule.rule)
    yield from UNKNOWN


def test_only_administrators_learn_what_there_is(project: TestProject, ask: Any, user: Any) -> None:
    """Every path and method below the prefix is refused alike, those that do not exist as well."""
    for who, status, error in (
        (None, 401, {"code": "unauthorized", "message": "Authentication required"}),
        (user, 403, {"code": "forbidden", "message": "Admin access required"}),
    ):
        for path in paths(project):
            for method in METHODS:
                answer = ask(method, path, who=who, json={})

                assert (method, path, answer.status_code) == (method, path, status)
                assert method == "HEAD" or answer.get_json() == {"error": error}


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_path_is_not_found(ask: Any, path: str) -> None:
    """Whatever the method; `admin` is no collection either."""
    for method in METHODS:
        answer = ask(method, path, json={})

        assert answer.status_code == 404
        assert method == "HEAD" or answer.get_json() == {
            "error": {"code": "not_found", "message": "Not found"}
        }


def test_a_wrong_method_names_the_right_ones(project: TestProject, ask: Any) -> None:
    """405 in the envelope, with `Allow`, on every route."""
    wsgi_app = project.client.application
    assert isinstance(wsgi_app, Flask)
    for path in set(paths(project)) - set(UNKNOWN):
        allowed = set(ask("OPTIONS", path).headers["Allow"].split(", "))
        for method in set(METHODS) - allowed:
            answer = ask(method, path, json={})

            assert (method, path, answer.status_code) == (method, path, 405)
            assert set(answer.headers["Allow"].split(", ")) == allowed
            assert method == "HEAD" or answer.get_json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    [
        "/api/admin/collections/",
        "/api//admin///collections",
        "/api/x/../admin/collections",
        "/api/%61dmin/collections",
        "/api/admin%2Fcollections",
    ],
)
def test_another_spelling_of_a_path_is_the_same_path(ask: Any, path: str) -> None:
    """For who may come as well as for what is answered."""
    assert ask("GET", path, who=None).status_code == 401
    assert ask("GET", path).status_code == 200


def test_names_are_compared_exactly(ask: Any) -> None:
    """`Admin` is another word, which no collection has."""
    assert ask("GET", "/api/Admin/collections").status_code == 404
    assert ask("GET", "/api/administrators").status_code == 404


def test_a_preflight_needs_no_token(project: TestProject) -> None:
    """Browsers send none with it."""
    answer = project.client.options("/api/admin/collections")

    assert (answer.status_code, answer.data) == (204, b"")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_a_role_counts_from_the_moment_it_changes(
    project: TestProject, ask: Any, admin: Any
) -> None:
    """Whoever is demoted is refused with the very next request, with the token he had."""
    project.make_user("another@example.com", role="admin")
    assert ask("GET", "/api/admin/collections").status_code == 200

    project.app.accounts.set_role(admin.id, "authenticated", OPERATOR)
    assert ask("GET", "/api/admin/collections").status_code == 403

    project.app.accounts.set_role(admin.id, "admin", OPERATOR)
    assert ask("GET", "/api/admin/collections").status_code == 200

    project.app.accounts.end_sessions(admin.id, OPERATOR)
    assert ask("GET", "/api/admin/collections").status_code == 401
