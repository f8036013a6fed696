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


def test_older_ones_are_read_backwards_to_the_first(
    project: TestProject, ask: Any, lists: list[str]
) -> None:
    """Each page is the last ones below a number, of the wanted type; the first one is not full."""
    seen: list[str] = []
    before = project.last_event() + 1
    sizes = []
    while items := ask("GET", f"{PATH}?before={before}&limit=2&type=lists.*").get_json()["items"]:
        seen = [item["subject"] for item in items] + seen
        before = items[0]["seq"]
        sizes.append(len(items))

    assert (seen, sizes) == (lists, [2, 2, 1])


def test_whoever_goes_on_from_an_older_page_misses_nothing(ask: Any, lists: list[str]) -> None:
    """`next` leads from it to what stands behind it."""
    newest = ask("GET", f"{PATH}?limit=1").get_json()
    older = ask("GET", f"{PATH}?limit=2&before={newest['items'][0]['seq']}").get_json()
    behind = ask("GET", f"{PATH}?after={older['next']}").get_json()

    assert [item["subject"] for item in older["items"]] == lists[2:4]
    assert behind["items"] == newest["items"]


def test_a_number_that_is_still_to_come_is_no_place_to_go_on_from(
    project: TestProject, ask: Any
) -> None:
    """What comes meanwhile would be passed over."""
    end = project.last_event()

    assert ask("GET", f"{PATH}?before={end + 100}").get_json()["next"] == end


@pytest.mark.parametrize("path", [PATH, "/api/admin/audit"])
def test_a_list_is_read_in_one_direction(ask: Any, path: str) -> None:
    """To ask for both is refused, rather than one of them not heard."""
    answer = ask("GET", f"{path}?after=1&before=5")

    assert answer.status_code == 400
    assert answer.get_json()["error"]["code"] == "bad_request"
    assert answer.get_json()["error"]["message"].startswith("Say after or before, not both")


@pytest.mark.parametrize(
    "query", ["after=x", "after=99999999999999999", "before=x", "before=0", "before=-1", "limit=x"]
)
def test_what_is_no_number_is_refused(ask: Any, query: str) -> None:
    """And named."""
    answer = ask("GET", f"{PATH}?{query}")

    assert answer.status_code == 400
    assert answer.get_json()["error"]["message"].startswith(query.partition("=")[0])
