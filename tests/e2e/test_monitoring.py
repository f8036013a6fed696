"""A running server as monitoring sees it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from guides import commands, follow
from websocket import WebSocket

from processes import NOTHING, bak, make_project, running_server
from samples import LISTS

pytestmark = pytest.mark.e2e

TOKEN: Final = "a token of tests, long enough for all"


def test_health_metrics_and_the_log_of_a_server(tmp_path: Path) -> None:
    """What a scraper gets, what the log says as JSON, and what `bak` says on the host."""
    project = make_project(tmp_path, [LISTS], log={"format": "json"}, metrics={"token": TOKEN})
    with running_server(project) as server, server.client() as client:
        with WebSocket(server.port) as opened:
            opened.subscribe("lists.*")
            for number in range(3):
                assert client.post("/api/lists", {"name": str(number)}).status == 201
            headers = {"Authorization": f"Bearer {TOKEN}"}
            text = client.request("GET", "/metrics", headers=headers).body.decode()
        refused = client.request("GET", "/metrics", headers=NOTHING)
        deep = client.get("/health?deep=true")
        config = json.loads((project / "bakend.json").read_text())
        (project / "bakend.json").write_text(json.dumps({**config, "port": server.port}))
        told = bak(project, "health", "--deep")
        doctor = bak(project, "doctor", "--offline", "--json")
        for line in commands("monitoring.md"):
            done = follow(line, project, tmp_path)
            assert done.returncode == 0, (line, done.stderr)

    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    created = 'bakend_http_requests_total{route="/api/<collection>",method="POST",status="201"}'
    assert values.get(created) == "3", text
    assert values['bakend_connections{kind="websocket"}'] == "1"
    assert float(values["bakend_events_last"]) >= 3
    assert float(values["process_resident_memory_bytes"]) > 1_000_000
    assert refused.status == 401
    assert (deep.status, set(deep.json["checks"].values())) == (200, {True})
    assert told.returncode == 0
    assert any(
        each["what"] == "port" and "A Bakend answers" in each["text"]
        for each in json.loads(doctor.stdout)["findings"]
    )
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    posts = [line for line in lines if line["message"].startswith("POST /api/lists 201")]
    assert len(posts) == 3
    assert all(line["requestId"] in line["message"] for line in posts)
    assert posts[0]["logger"] == "bakend.access"
