"""`/health?deep=true` and `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from werkzeug.test import TestResponse

from bakend.database.transaction import Transaction
from bakend.settings import Secret
from bakend.testing import FakeClock, TestProject, temporary_project
from bakend.vitals import FRESH_S

TOKEN = "a token for the monitoring of tests"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project(clock=clock, settings={"metrics_token": Secret(TOKEN)}) as opened:
        yield opened


def deep(project: TestProject) -> TestResponse:
    return project.client.get("/health?deep=1")


def test_a_deep_look_reads_and_writes(project: TestProject) -> None:
    """Beside what the plain one says; no event and no change is left of it."""
    plain, answer = project.client.get("/health"), deep(project)

    assert set(plain.get_json()) == {"status", "version"}
    assert answer.status_code == 200
    assert answer.get_json() == {
        **plain.get_json(),
        "checks": {"read": True, "write": True, "disk": True, "functions": True},
    }
    assert project.events() == []


def test_what_fails_is_named_with_503(
    project: TestProject, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is well again when it is."""
    monkeypatch.setattr("shutil.disk_usage", lambda _path: _Full)
    answer = deep(project)
    assert (answer.status_code, answer.get_json()["status"]) == (503, "failing")
    assert answer.get_json()["checks"] == {
        "read": True,
        "write": True,
        "disk": False,
        "functions": True,
    }
    assert project.client.get("/health").get_json()["status"] == "ok"
    monkeypatch.undo()
    clock.advance(FRESH_S)
    assert deep(project).status_code == 200


class _Full:
    free = 1_000


def test_a_crowd_costs_no_more_than_one(
    project: TestProject, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is kept for a moment."""
    written: list[int] = []
    write = project.app.database.write

    def count() -> AbstractContextManager[Transaction]:
        written.append(1)
        return write()

    monkeypatch.setattr(project.app.database, "write", count)
    for _ in range(20):
        deep(project)
    assert len(written) == 1
    clock.advance(FRESH_S)
    deep(project)
    assert len(written) == 2


def test_deep_is_true_or_false(project: TestProject) -> None:
    """Anything else is a mistake of the caller."""
    assert project.client.get("/health?deep=false").get_json().keys() == {"status", "version"}
    assert project.client.get("/health?deep=x").status_code == 400


def test_metrics_are_for_administrators_and_the_token(project: TestProject) -> None:
    """Nobody else, also not by something like it."""
    admin = project.sign_up("root@example.com", role="admin")
    user = project.sign_up("ada@example.com")
    for headers, status in (
        (admin, 200),
        ({"Authorization": f"Bearer {TOKEN}"}, 200),
        (user, 403),
        ({}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": f"bearer {TOKEN}"}, 401),
        ({"Authorization": TOKEN}, 401),
        ({"Authorization": "Bearer \xff"}, 401),
    ):
        assert project.client.get("/metrics", headers=headers).status_code == status, headers


def test_without_a_token_only_administrators_may() -> None:
    """An empty one opens nothing."""
    with temporary_project() as project:
        admin = project.sign_up("root@example.com", role="admin")
        assert project.client.get("/metrics", headers=admin).status_code == 200
        for text in ("Bearer ", "Bearer None", "Bearer"):
            answer = project.client.get("/metrics", headers={"Authorization": text})
            assert answer.status_code == 401


def test_they_tell_of_requests_database_and_process(project: TestProject) -> None:
    """By route, never by path."""
    project.client.get("/health")
    project.client.get("/api/none/rec_1")
    project.client.get("/no/such/path")

    answer = project.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    text = answer.get_data(as_text=True)

    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    for line in (
        'bakend_http_requests_total{route="/health",method="GET",status="200"} 1',
        'bakend_http_requests_total{route="none",method="GET",status="404"} 1',
        "bakend_http_requests_in_flight 1",
        'bakend_connections{kind="websocket"} 0',
        "bakend_events_last 0",
    ):
        assert line in text.splitlines()
    assert "rec_1" not in text
    for name in (
        "bakend_database_bytes",
        "bakend_database_wal_bytes",
        "bakend_disk_free_bytes",
        "bakend_runs_given_up",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
    ):
        assert f"# TYPE {name} " in text


def test_runs_are_counted_by_their_result(project: TestProject) -> None:
    """One that works and one that does not."""
    project.write_file(
        "jobs/two.py",
        "from bakend import job\n\n"
        "@job('@yearly')\ndef works(ctx):\n    pass\n\n"
        "@job('@yearly', attempts=1)\ndef fails(ctx):\n    raise ValueError\n",
    )
    project.load_programs()
    for each in project.app.programs().jobs():
        project.app.programs().request(each["name"])
    project.run_pending()

    answer = project.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})

    lines = answer.get_data(as_text=True).splitlines()
    assert 'bakend_runs_total{kind="job",result="completed"} 1' in lines
    assert 'bakend_runs_total{kind="job",result="failed"} 1' in lines
