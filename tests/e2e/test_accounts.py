"""Accounts against a real server: what a restart must not forget, and the first administrator."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from processes import ServerProcess, bak, make_project, running_server, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PASSWORD = "correct horse battery"
ADA = {"email": "ada@example.com", "password": PASSWORD}


def post(
    server: ServerProcess, action: str, body: object, *, source: str = "127.0.0.1"
) -> tuple[int, Any, http.client.HTTPMessage]:
    """Send a request from one of this machine's own addresses."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=60, source_address=(source, 0)
    )
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", f"/api/auth/{action}", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null"), answer.headers
    finally:
        connection.close()


def saved_tries(folder: Path, address: str) -> int:
    """Return how many failed logins the database knows, to one account from one address."""
    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database:
        rows = database.execute(
            "SELECT hits FROM _throttle WHERE key GLOB ?", (f"login:{address},*",)
        )
        return sum(len(json.loads(hits)) for (hits,) in rows)


def at_once(count: int, act: Callable[[], object]) -> None:
    """Do the same from several threads."""
    threads = [threading.Thread(target=act) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_sixty_wrong_logins_are_throttled_also_after_a_restart(tmp_path: Path) -> None:
    """The right password from another address works all the while; `kill -9` forgives nothing."""
    folder = make_project(tmp_path)
    with running_server(folder) as server:
        assert post(server, "register", ADA)[0] == 201
        statuses = [
            post(server, "login", {**ADA, "password": f"wrong {number}"}, source="127.0.0.2")[0]
            for number in range(60)
        ]
        assert statuses == [401] * 10 + [429] * 50
        # Other accounts from there: the address as a whole has fifty more.
        for number in range(50):
            email = f"nobody{number}@example.com"
            body = {"email": email, "password": PASSWORD}
            assert post(server, "login", body, source="127.0.0.2")[0] == 401
        status, answer, headers = post(
            server, "login", {**ADA, "email": "x@example.com"}, source="127.0.0.2"
        )
        assert (status, answer["error"]["code"]) == (429, "rate_limited")
        assert 1 <= int(headers["Retry-After"]) <= 300
        assert post(server, "login", ADA)[0] == 200

    with running_server(folder) as server:  # after an orderly stop
        assert post(server, "login", ADA, source="127.0.0.2")[0] == 429
        assert post(server, "login", ADA)[0] == 200
        for number in range(10):
            post(server, "login", {**ADA, "password": f"wrong {number}"}, source="127.0.0.3")
        # What is counted is written within five seconds.
        wait_until(lambda: saved_tries(folder, "127.0.0.3") == 10, 20, what="the tries are saved")
        server.kill()

    with running_server(folder) as server:  # after kill -9
        assert post(server, "login", ADA, source="127.0.0.3")[0] == 429
        assert post(server, "login", ADA)[0] == 200


def test_the_printed_link_makes_the_first_administrator(tmp_path: Path) -> None:
    """It is in the log where nobody sits at a terminal, works once, and is not printed again."""
    folder = make_project(tmp_path)
    with running_server(folder) as server:
        found = re.search(rf"http://localhost:{server.port}/_/setup#(\S+)", server.log)
        assert found is not None
        body = {"token": found[1], "email": "root@example.com", "password": PASSWORD}
        status, answer, _headers = post(server, "setup", body)
        assert (status, answer["user"]["role"]) == (201, "admin")
        assert post(server, "setup", {**body, "email": "second@example.com"})[0] == 403

    with running_server(folder) as server:
        assert "/_/setup" not in server.log
        assert post(server, "setup", {**body, "email": "second@example.com"})[0] == 403


def test_a_start_makes_the_administrator_that_the_environment_names(tmp_path: Path) -> None:
    """Once; a wrong password there stops the start with a sentence."""
    folder = make_project(tmp_path)
    environ = {"BAKEND_ADMIN_EMAIL": "Root@example.com", "BAKEND_ADMIN_PASSWORD": PASSWORD}

    refused = bak(folder, "start", environ={**environ, "BAKEND_ADMIN_PASSWORD": "short"})
    assert refused.returncode == 78
    assert "Password must be at least 8 characters" in refused.stderr

    for _ in range(2):
        with running_server(folder, environ=environ) as server:
            body = {"email": "root@example.com", "password": PASSWORD}
            status, answer, _headers = post(server, "login", body)
            assert (status, answer["user"]["role"]) == (200, "admin")
            assert PASSWORD not in server.log
    assert bak(folder, "users", "list").stdout.count("\n") == 1


def test_many_at_once_register_one_address(tmp_path: Path) -> None:
    """One of them has it, the others are told."""
    with running_server(make_project(tmp_path)) as server:
        statuses: list[int] = []
        at_once(8, lambda: statuses.append(post(server, "register", ADA)[0]))

    assert sorted(statuses) == [201] + [409] * 7


def test_three_parallel_refreshes_succeed(tmp_path: Path) -> None:
    """As clients send them when their access token has ended."""
    with running_server(make_project(tmp_path)) as server:
        token = post(server, "register", ADA)[1]["refreshToken"]
        answers: list[tuple[int, Any]] = []
        body = {"refreshToken": token}
        at_once(3, lambda: answers.append(post(server, "refresh", body)[:2]))

    assert [status for status, _answer in answers] == [200] * 3
    assert len({answer["refreshToken"] for _status, answer in answers}) == 1
