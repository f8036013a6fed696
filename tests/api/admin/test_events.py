"""The event log for administrators."""

from __future__ import annotations

from typing import Any

import pytest

from bakend.testing import TestProject

PATH = "/api/admin/events"


@pytest.fixture
def lists(project: TestProject, ask: Any) -> list[str]:
    """Ids of five records that an administrator made."""
    return [ask("POST", "/api/lists", json={"name": f"{n}"}).get_json()["id"] for n in range(5)]


def subjects(answer: Any) -> list[str]:
    assert answer.status_code == 200
    return [item["subject"] for item in answer.get_json()["items"]]


def test_an_event_is_shown_as_on_the_wire_with_its_number_and_actor(
    project: TestProject, ask: Any, admin: Any, lists: list[str]
) -> None:
    """What was before is not shown."""
    ask("PUT", f"/api/lists/{lists[0]}", json={"name": "new"})

    answer = ask("GET", f"{PATH}?limit=1").get_json()

    (event,) = project.events(after=project.last_event() - 1)
    assert event.before is not None
    assert answer == {
        "items": [
            {**event.to_wire(), "seq": event.seq, "subject": lists[0], "actor": admin.id},
        ],
        "next": event.seq,
    }


def test_the_last_ones_come_oldest_first(ask: Any, lists: list[str]) -> None:
    """Without a number to begin after."""
    assert subjects(ask("GET", f"{PATH}?limit=2")) == lists[-2:]


def test_whoever_follows_misses_nothing(ask: Any, lists: list[str]) -> None:
    """Page by page from the first event on, to the end, and from there on."""
    seen: list[str] = []
    after = 0
    while items := (page := ask("GET", f"{PATH}?after={after}&limit=2").get_json())["items"]:
        seen += [item["subject"] for item in items]
        after = page["next"]

    assert seen[-5:] == lists
    assert page["next"] == after


@pytest.mark.parametrize(
    ("kind", "number"),
    [("lists.created", 5), ("lists.*", 5), ("lists.deleted", 0), ("system.collection.*", 4)],
)
def test_a_type_or_its_beginning_is_asked_for(
    project: TestProject, ask: Any, lists: list[str], kind: str, number: int
) -> None:
    """`next` is the end of the log all the same, so that nothing is looked through twice."""
    answer = ask("GET", f"{PATH}?after=0&type={kind}").get_json()

    assert (len(answer["items"]), answer["next"]) == (number, project.last_event())


@pytest.mark.parametrize("kind", ["", "*", "*.created", "lists.", "lists.cre*", "%", "A.b", "a..b"])
def test_what_is_no_type_is_refused(ask: Any, kind: str) -> None:
    """Rather than to find nothing."""
    answer = ask("GET", PATH, query_string={"type": kind})

    assert answer.status_code == 400
    assert answer.get_json()["error"]["message"].startswith("type must be")


@pytest.mark.parametrize("query", ["after=x", "after=99999999999999999", "limit=x"])
def test_what_is_no_number_is_refused(ask: Any, query: str) -> None:
    """And named."""
    answer = ask("GET", f"{PATH}?{query}")

    assert answer.status_code == 400
    assert answer.get_json()["error"]["message"].startswith(query.partition("=")[0])
