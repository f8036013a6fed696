"""How the server is, at one glance."""

from __future__ import annotations

from typing import Any

from people import Person

from bakend.testing import TestProject

PATH = "/api/admin/stats"


def test_an_overview_counts_what_there_is(ask: Any, project: TestProject) -> None:
    """Requests of applications, users, files, records, bytes; and no failure where nothing failed."""
    for number in range(3):
        assert (
            project.client.post("/api/everything", json={"an_integer": number}).status_code == 201
        )
    project.client.get("/api/everything/rec_none")

    stats = ask("GET", PATH).get_json()

    assert {each["name"]: each["count"] for each in stats["collections"]}["everything"] == 3
    assert not any(each["isMore"] for each in stats["collections"])
    assert (stats["users"], stats["files"], stats["failures"]) == (1, 0, [])
    assert stats["requests"]["total"] >= 4
    assert stats["requests"]["refused"] == 1
    assert stats["requests"]["errors"] == 0
    assert 0 < stats["disk"]["database"] < stats["disk"]["total"]
    assert stats["disk"]["files"] == 0


def test_what_has_failed_is_told(ask: Any, project: TestProject) -> None:
    """The last runs of functions, with their error."""
    project.write_file(
        "functions/one.py",
        "from bakend import on_register\n@on_register('users', attempts=1)\n"
        "def greet(ctx):\n    raise ValueError('no')\n",
    )
    project.load_programs()
    project.make_user("new@example.com")
    project.run_pending()

    (failure,) = ask("GET", PATH).get_json()["failures"]

    assert (failure["kind"], failure["status"], failure["error"]) == (
        "function",
        "failed",
        "ValueError: no",
    )


def test_a_large_collection_is_counted_up_to_a_limit(project: TestProject) -> None:
    """Counting on would go through all of it, each time somebody looks."""
    for number in range(4):
        project.client.post("/api/everything", json={"an_integer": number})

    assert dict(project.app.records.sizes(3, 50))["everything"] == 3
    assert len(project.app.records.sizes(3, 1)) == 1


def test_others_learn_nothing(ask: Any, user: Person) -> None:
    """As with all that is below /api/admin."""
    assert ask("GET", PATH, who=None).status_code == 401
    assert ask("GET", PATH, who=user).status_code == 403
    assert ask("POST", PATH).status_code == 405
