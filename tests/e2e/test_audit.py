"""The audit of a real server: killed and started again, it has each change of an administrator once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from processes import CLOCK, Client, make_project, running_server, start_server, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e]

ADMIN = {"BAKEND_ADMIN_EMAIL": "admin@example.com", "BAKEND_ADMIN_PASSWORD": "correct horse"}
COLLECTIONS = "/api/admin/collections"


def log_in(client: Client) -> dict[str, str]:
    login = {"email": ADMIN["BAKEND_ADMIN_EMAIL"], "password": ADMIN["BAKEND_ADMIN_PASSWORD"]}
    return {"Authorization": f"Bearer {client.post('/api/auth/login', login).json['token']}"}


def subjects(client: Client, headers: Mapping[str, str]) -> list[str]:
    """Return the names of the collections whose creation the audit has."""
    answer = client.request("GET", "/api/admin/audit?after=0&limit=500", headers=headers)
    assert answer.status == 200
    items: list[dict[str, Any]] = answer.json["items"]
    return [item["subject"] for item in items if item["type"] == "system.collection.created"]


def test_a_kill_loses_no_entry_and_repeats_none(tmp_path: Path) -> None:
    """Whether the thread has looked at the log by then or not."""
    project = make_project(tmp_path / "project")
    made: list[str] = []
    for after_s in (0, 1.0):
        with start_server(project, environ=ADMIN) as server:
            server.wait_healthy()
            with server.client() as client:
                headers = log_in(client)
                for _ in range(5):
                    made.append(f"c{len(made)}")
                    body = {"name": made[-1], "fields": []}
                    assert client.request("POST", COLLECTIONS, body, headers).status == 201
                CLOCK.pause(after_s)
            server.kill()

    with running_server(project, environ=ADMIN) as server, server.client() as client:
        headers = log_in(client)
        wait_until(lambda: subjects(client, headers) == made, 20, what="the audit has caught up")
