"""Records over HTTP, as tables: a request, its answer, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from bakend.testing import TestProject


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One request against a project with one list (`{list}`) and one todo (`{todo}`)."""

    name: str
    method: str = "GET"
    path: str
    json: object = None
    body: bytes | None = None
    content_type: str | None = None
    status: int
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    events: tuple[str, ...] = ()


def faults(*pairs: tuple[str, str]) -> tuple[str, ...]:
    return tuple(f'"field":"{name}","rule":"{rule}"' for name, rule in pairs)


SCENARIOS = [
    Scenario(
        name="a record is created with its defaults as null",
        method="POST",
        path="/api/todos",
        json={"title": "Milk"},
        status=201,
        has=('"id":"rec_', '"title":"Milk"', '"priority":null', '"done":null'),
        events=("todos.created",),
    ),
    Scenario(
        name="unknown keys and system fields of a body are dropped",
        method="POST",
        path="/api/todos",
        json={"title": "Milk", "id": "rec_mine", "createdAt": "x", "nope": 1},
        status=201,
        lacks=("rec_mine", "nope"),
        events=("todos.created",),
    ),
    Scenario(
        name="every fault is told at once, in the order of the fields",
        method="POST",
        path="/api/todos",
        json={"title": "M", "priority": 9, "code": "ab", "list": "rec_none", "done": 1},
        status=400,
        has=(
            '"code":"validation_error","message":"Validation failed"',
            *faults(
                ("title", "min"),
                ("priority", "max"),
                ("code", "regex"),
                ("list", "exists"),
                ("done", "type"),
            ),
            'Field \\"title\\" must be at least 2 characters',
            'Field \\"list\\" references unknown record \\"rec_none\\"',
        ),
    ),
    Scenario(
        name="a required field must be there",
        method="POST",
        path="/api/todos",
        json={},
        status=400,
        has=faults(("title", "required")),
    ),
    Scenario(
        name="a required field must not be cleared",
        method="PUT",
        path="/api/todos/{todo}",
        json={"title": None},
        status=400,
        has=faults(("title", "required")),
    ),
    Scenario(
        name="a unique value is unique",
        method="POST",
        path="/api/todos",
        json={"title": "Copy", "code": "ABC"},
        status=400,
        has=faults(("code", "unique")),
    ),
    Scenario(
        name="a record may keep its own unique value",
        method="PUT",
        path="/api/todos/{todo}",
        json={"code": "ABC"},
        status=200,
        events=("todos.updated",),
    ),
    Scenario(
        name="a relation may point at a record that exists",
        method="POST",
        path="/api/todos",
        json={"title": "Milk", "list": "{list}"},
        status=201,
        has=('"list":"{list}"',),
        events=("todos.created",),
    ),
    Scenario(
        name="an update changes what it names",
        method="PUT",
        path="/api/todos/{todo}",
        json={"done": True},
        status=200,
        has=('"title":"First"', '"done":true', '"code":"ABC"'),
        events=("todos.updated",),
    ),
    Scenario(
        name="null clears an optional field",
        method="PUT",
        path="/api/todos/{todo}",
        json={"code": None},
        status=200,
        has=('"code":null',),
        events=("todos.updated",),
    ),
    Scenario(
        name="a body without a known field changes nothing",
        method="PUT",
        path="/api/todos/{todo}",
        json={"nope": 1, "updatedAt": "x"},
        status=200,
        has=('"title":"First"',),
    ),
    Scenario(
        name="a record that is not there is not changed, whatever the body",
        method="PUT",
        path="/api/todos/rec_none",
        body=b"rubbish",
        status=404,
        has=('Record \\"rec_none\\" not found',),
    ),
    Scenario(
        name="a record is deleted",
        method="DELETE",
        path="/api/todos/{todo}",
        status=204,
        events=("todos.deleted",),
    ),
    Scenario(
        name="what is not there cannot be deleted",
        method="DELETE",
        path="/api/todos/rec_none",
        status=404,
    ),
    Scenario(name="a record is read", path="/api/todos/{todo}", status=200, has=('"First"',)),
    Scenario(
        name="a list is read", path="/api/todos", status=200, has=('{"items":[{"id":"{todo}"',)
    ),
    Scenario(
        name="a list counts when asked",
        path="/api/todos?count=true&limit=1",
        status=200,
        has=('"total":1',),
    ),
    Scenario(name="a list can be left empty by its offset", path="/api/todos?offset=1", status=200),
    Scenario(
        name="unknown parameters are ignored",
        path="/api/todos?foo=1",
        status=200,
        has=("First",),
    ),
    *(
        Scenario(
            name=f"{query} is refused",
            path=f"/api/todos?{query}",
            status=400,
            has=('"code":"bad_request"', query.partition("=")[0]),
        )
        for query in (
            "limit=0",
            "limit=1001",
            "limit=x",
            "limit=",
            "limit=-1",
            "limit=1e3",
            "limit=%D9%A3",
            "limit=" + "9" * 5_000,
            "offset=-1",
            "offset=9999999999999999999999",
            "count=maybe",
        )
    ),
    Scenario(
        name="a collection that is not there",
        path="/api/nothing",
        status=404,
        has=('"message":"Collection \\"nothing\\" does not exist"',),
    ),
    Scenario(
        name="a method that no collection has, before the collection is looked for",
        method="PATCH",
        path="/api/nothing",
        status=405,
        has=('"code":"method_not_allowed","message":"Method not allowed"',),
        headers={"Allow": "GET, HEAD, OPTIONS, POST"},
    ),
    Scenario(
        name="a method that no record has",
        method="PATCH",
        path="/api/todos/{todo}",
        status=405,
        headers={"Allow": "DELETE, GET, HEAD, OPTIONS, PUT"},
    ),
    Scenario(name="a reserved word is no collection", path="/api/auth", status=404),
    Scenario(name="a reserved word has no records", method="POST", path="/api/auth/x", status=404),
    Scenario(
        name="a path that is nothing",
        path="/nothing/here",
        status=404,
        has=('{"error":{"code":"not_found","message":"Not found"}}',),
    ),
    Scenario(
        name="a rule that needs a user asks for one",
        path="/api/secrets",
        status=401,
        has=('"code":"unauthorized","message":"Authentication required"',),
        headers={"WWW-Authenticate": "Bearer"},
    ),
    Scenario(
        name="who may not create is told before the body is looked at",
        method="POST",
        path="/api/secrets",
        body=b"rubbish",
        status=401,
    ),
    Scenario(
        name="nobody learns whether a record exists that he may not touch",
        method="DELETE",
        path="/api/secrets/rec_none",
        status=401,
    ),
    Scenario(
        name="a body without a JSON type is refused",
        method="POST",
        path="/api/todos",
        body=b'{"title":"Milk"}',
        content_type="text/plain",
        status=400,
        has=("Content-Type must be application/json",),
    ),
    Scenario(
        name="a JSON type with parameters and capitals is one",
        method="POST",
        path="/api/todos",
        body=b'\xef\xbb\xbf{"title":"Milk"}',
        content_type="Application/JSON; charset=utf-8",
        status=201,
        events=("todos.created",),
    ),
    *(
        Scenario(
            name=f"no record is made of {body[:30]!r}",
            method="POST",
            path="/api/todos",
            body=body,
            status=400,
            has=('"code":"bad_request"', message),
        )
        for body, message in (
            (b"", "Invalid JSON body"),
            (b"{", "Invalid JSON body"),
            (b'{"title":"Milk"} x', "Invalid JSON body"),
            (b'{"title":NaN}', "Invalid JSON body"),
            (b'{"title":1e400}', "Invalid JSON body"),
            (b'{"title":-Infinity}', "Invalid JSON body"),
            (b'{"title":' + b"9" * 5_000 + b"}", "Invalid JSON body"),
            (b'{"title":"\\ud800"}', "Invalid JSON body"),
            (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "Invalid JSON body"),
            (b'{"a":' + b"[" * 65 + b"]" * 65 + b"}", "Invalid JSON body"),
            (b"[]", "Request body must be a JSON object"),
            (b"null", "Request body must be a JSON object"),
        )
    ),
    Scenario(name="slashes are folded", path="/api//todos/", status=200, has=("First",)),
    Scenario(name="dots are folded", path="/x/../api/./todos", status=200, has=("First",)),
    Scenario(name="names are decoded", path="/api/%74odos", status=200, has=("First",)),
    Scenario(name="names have capitals or not", path="/api/Todos", status=404),
    Scenario(
        name="a malformed token is no identity and no failure",
        path="/api/todos",
        headers={},
        status=200,
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_records_over_http(scenario: Scenario, project: TestProject) -> None:
    """Each scenario answers, and changes, exactly what it says."""
    client = project.client
    a_list = client.post("/api/lists", json={"name": "Home"}).get_json()
    todo = client.post("/api/todos", json={"title": "First", "code": "ABC"}).get_json()

    def fill(text: str) -> str:
        return text.replace("{list}", a_list["id"]).replace("{todo}", todo["id"])

    before = project.last_event()
    content: dict[str, Any] = {}
    if scenario.body is not None:
        content = {
            "data": scenario.body,
            "content_type": scenario.content_type or "application/json",
        }
    elif scenario.json is not None:
        filled = {
            key: fill(value) if isinstance(value, str) else value
            for key, value in dict(scenario.json).items()  # type: ignore[call-overload]
        }
        content = {"json": filled}

    answer = client.open(
        fill(scenario.path),
        method=scenario.method,
        headers={"Authorization": "Bearer a.b.!!!"},
        **content,
    )

    text = answer.get_data(as_text=True)
    assert (answer.status_code, text) == (scenario.status, text)
    for part in scenario.has:
        assert fill(part) in text
    for part in scenario.lacks:
        assert part not in text
    for name, value in scenario.headers.items():
        assert answer.headers[name] == value
    assert tuple(event.type for event in project.events(after=before)) == scenario.events
    if text:
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["X-Request-Id"].startswith("req_")


def test_null_zero_blank_and_false_are_four_things(project: TestProject) -> None:
    """Each comes back as it went in."""
    sent = {"a_string": "", "an_integer": 0, "a_boolean": False, "a_float": 0, "a_text": None}

    created = project.client.post("/api/everything", json=sent).get_json()
    read = project.client.get(f"/api/everything/{created['id']}").get_json()

    assert created == read
    assert {name: read[name] for name in sent} == sent
    assert read["a_boolean"] is False
    assert read["an_integer"] is not False


def test_a_record_lists_its_fields_in_the_order_of_the_definition(project: TestProject) -> None:
    """System fields first, then every field, absent ones as null."""
    created = project.client.post("/api/todos", json={"done": True, "title": "Milk"}).get_json()

    assert list(created) == [
        "id",
        "createdAt",
        "updatedAt",
        "title",
        "priority",
        "code",
        "list",
        "done",
    ]
    assert created["createdAt"] == created["updatedAt"]


def test_a_list_is_newest_first_and_pages_without_gaps(project: TestProject) -> None:
    """Pages of a list, one behind the other, are the whole list."""
    made = [
        project.client.post("/api/lists", json={"name": f"{number}"}).get_json()["id"]
        for number in range(25)
    ]

    whole = project.client.get("/api/lists").get_json()["items"]
    pages = [
        item["id"]
        for offset in range(0, 30, 10)
        for item in project.client.get(f"/api/lists?limit=10&offset={offset}").get_json()["items"]
    ]

    assert sorted(pages) == sorted(made)
    assert pages == [item["id"] for item in whole]
    assert [item["createdAt"] for item in whole] == sorted(
        (item["createdAt"] for item in whole), reverse=True
    )


def test_head_answers_like_get_without_a_body(project: TestProject) -> None:
    """HEAD has the headers of GET and nothing else."""
    get = project.client.get("/api/todos")
    head = project.client.head("/api/todos")

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_options_says_what_is_allowed(project: TestProject) -> None:
    """OPTIONS answers 204 with the methods of the route."""
    answer = project.client.options("/api/todos")

    assert (answer.status_code, answer.data) == (204, b"")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}
