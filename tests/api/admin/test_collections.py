"""Collections for administrators: shown, created, changed, deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from bakend.structs import Struct
from bakend.testing import TestProject

PATH = "/api/admin/collections"

OPEN = {"create": "public", "read": "public", "update": "public", "delete": "public"}
NO_DEFINITIONS: tuple[dict[str, Any], ...] = (
    {},
    {"name": "notes"},
    {"fields": []},
    {"name": 1, "fields": []},
    {"name": "notes", "fields": {}},
    {"name": "notes", "fields": None},
)
NO_BODIES: tuple[dict[str, Any], ...] = (
    {
        "name": "with another content type",
        "body": b"{}",
        "content_type": "text/plain",
        "message": "Content-Type must be application/json",
    },
    {"name": "with no JSON", "body": b"{", "message": "Invalid JSON body"},
    {
        "name": "with JSON that is no object",
        "body": b"[]",
        "message": "Request body must be a JSON object",
    },
    {"name": "with JSON that is nested too deeply", "body": b"[" * 99 + b"]" * 99},
)
CHANGES = (("POST", PATH), ("PUT", f"{PATH}/notes"))
CLOSED = {"create": "admin", "read": "admin", "update": "admin", "delete": "admin"}
TITLE = {"name": "title", "type": "string"}
NOTES = {"name": "notes", "fields": [TITLE], "permissions": OPEN}
"""Of the collection that every scenario finds, with one record."""


class Scenario(Struct, kw_only=True):
    """One request, what it answers and which events it leaves."""

    name: str
    method: str = "GET"
    path: str = PATH
    json: object = None
    body: bytes | None = None
    content_type: str = "application/json"
    status: int
    message: str | None = None
    has: tuple[str, ...] = ()
    events: tuple[str, ...] = ()


def notes(*fields: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"name": "notes", "fields": [*fields], "permissions": OPEN, **more}


SCENARIOS = [
    Scenario(name="all are listed", status=200, has=('"name":"lists"', '"name":"notes"')),
    Scenario(
        name="one is shown as it was written",
        path=f"{PATH}/notes",
        status=200,
        has=(
            '{"name":"notes","definition":' + json.dumps(NOTES, separators=(",", ":")),
            '"status":"db_only","warnings":[]}',
        ),
    ),
    Scenario(
        name="one that is not there",
        path=f"{PATH}/none",
        status=404,
        message='Collection "none" does not exist',
    ),
    # create
    Scenario(
        name="one is created",
        method="POST",
        json={"name": "pages", "fields": [TITLE], "permissions": OPEN, "icon": "📄"},
        status=201,
        has=('"definition":{"name":"pages",', '"icon":"📄"'),
        events=("system.collection.created",),
    ),
    Scenario(
        name="a name that is taken",
        method="POST",
        json=NOTES,
        status=400,
        message='Collection "notes" already exists',
    ),
    Scenario(
        name="a reserved name",
        method="POST",
        json={"name": "admin", "fields": []},
        status=400,
        message='Collection name "admin" is reserved',
    ),
    Scenario(
        name="every fault is told at once, in the words of the original",
        method="POST",
        json={
            "name": "Pages",
            "fields": [{"name": "id", "type": "string"}, {"name": "a", "type": "blob"}],
        },
        status=400,
        message='collection name "Pages" must match ^[a-z][a-z0-9_]*$;'
        ' Field name "id" is reserved; Unsupported field type "blob"',
    ),
    Scenario(
        name="a relation to nowhere",
        method="POST",
        json={
            "name": "pages",
            "fields": [{"name": "a", "type": "relation", "collection": "nowhere"}],
        },
        status=400,
        message='Relation field "a" references unknown collection "nowhere"',
    ),
    Scenario(
        name="permissions that are no object",
        method="POST",
        json={"name": "pages", "fields": [], "permissions": "public"},
        status=400,
        message='"permissions" must be an object',
    ),
    *(
        Scenario(
            name=f"{method} of what is no definition: {body}",
            method=method,
            path=path,
            json=body,
            status=400,
            message="Request body must include name and fields",
        )
        for method, path in CHANGES
        for body in NO_DEFINITIONS
    ),
    *(
        Scenario(
            method=method, path=path, status=400, **{**body, "name": f"{method} {body['name']}"}
        )
        for method, path in CHANGES
        for body in NO_BODIES
    ),
    Scenario(
        name="a rehearsal creates nothing",
        method="POST",
        path=f"{PATH}?dryRun=true",
        json={"name": "pages", "fields": []},
        status=200,
        has=(
            '{"name":"pages","steps":[{"kind":"create_collection","field":null,'
            '"text":"The collection is created","destructive":false}]}',
        ),
    ),
    Scenario(
        name="a rehearsal tells faults as well",
        method="POST",
        path=f"{PATH}?dryRun=1",
        json=NOTES,
        status=400,
        message='Collection "notes" already exists',
    ),
    # change
    Scenario(
        name="a field is added",
        method="PUT",
        path=f"{PATH}/notes",
        json=notes(TITLE, {"name": "stars", "type": "integer", "required": True, "backfill": 3}),
        status=200,
        has=('"stars"',),
        events=("system.collection.updated",),
    ),
    Scenario(
        name="a field is renamed",
        method="PUT",
        path=f"{PATH}/notes",
        json=notes({"name": "headline", "type": "string", "renamedFrom": "title"}),
        status=200,
        events=("system.collection.updated",),
    ),
    Scenario(
        name="the same definition changes nothing",
        method="PUT",
        path=f"{PATH}/notes",
        json=NOTES,
        status=200,
    ),
    Scenario(
        name="a required field needs values for what is there",
        method="PUT",
        path=f"{PATH}/notes",
        json=notes(TITLE, {"name": "stars", "type": "integer", "required": True}),
        status=400,
        has=("stars",),
    ),
    Scenario(
        name="a field that goes is named, with what would do it all the same",
        method="PUT",
        path=f"{PATH}/notes",
        json=notes({"name": "headline", "type": "string"}),
        status=400,
        message='Would lose stored values: Field "title" and its values are deleted;'
        " Nothing was changed; with destructive=true it is done all the same",
    ),
    Scenario(
        name="a field goes when that is said",
        method="PUT",
        path=f"{PATH}/notes?destructive=true",
        json=notes({"name": "headline", "type": "string"}),
        status=200,
        has=('"headline"',),
        events=("system.collection.updated",),
    ),
    Scenario(
        name="a rehearsal of a change changes nothing",
        method="PUT",
        path=f"{PATH}/notes?dryRun=true",
        json=notes(),
        status=200,
        has=('"kind":"drop_field","field":"title"', '"destructive":true'),
    ),
    Scenario(
        name="a rehearsal of nothing has no steps",
        method="PUT",
        path=f"{PATH}/notes?dryRun=true",
        json=NOTES,
        status=200,
        has=('{"name":"notes","steps":[]}',),
    ),
    Scenario(
        name="a type that cannot hold every value",
        method="PUT",
        path=f"{PATH}/notes",
        json=notes({"name": "title", "type": "integer"}),
        status=400,
        has=('"Cannot change type or constraints on existing field \\"title\\"',),
    ),
    Scenario(
        name="another name",
        method="PUT",
        path=f"{PATH}/notes",
        json={"name": "pages", "fields": [TITLE]},
        status=400,
        message="Collection name cannot be changed",
    ),
    *(
        Scenario(
            name=f"{method} of what is not there, whatever the rest",
            method=method,
            path=f"{PATH}/none?dryRun=maybe",
            body=b"rubbish",
            status=404,
            message='Collection "none" does not exist',
        )
        for method in ("PUT", "DELETE")
    ),
    *(
        Scenario(
            name=f"{method} with a parameter that is neither true nor false",
            method=method,
            path=f"{path}?{parameter}=maybe",
            json=NOTES,
            status=400,
            message=f'{parameter} must be true or false, got "maybe"',
        )
        for method, path, parameter in (
            ("POST", PATH, "dryRun"),
            ("PUT", f"{PATH}/notes", "dryRun"),
            ("PUT", f"{PATH}/notes", "destructive"),
            ("DELETE", f"{PATH}/notes", "dryRun"),
        )
    ),
    # delete
    Scenario(
        name="one is deleted with its records",
        method="DELETE",
        path=f"{PATH}/notes",
        status=204,
        events=("system.collection.deleted",),
    ),
    Scenario(
        name="one that others point at stays",
        method="DELETE",
        path=f"{PATH}/lists",
        status=400,
        message='Cannot delete collection "lists": referenced by relation fields in'
        " everything, todos",
    ),
    Scenario(
        name="a rehearsal of a deletion deletes nothing",
        method="DELETE",
        path=f"{PATH}/notes?dryRun=true",
        status=200,
        has=('"kind":"drop_collection"', '"destructive":true'),
    ),
    Scenario(
        name="a rehearsal of a deletion tells what is in its way",
        method="DELETE",
        path=f"{PATH}/lists?dryRun=true",
        status=400,
        has=("referenced by relation fields",),
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(project: TestProject, ask: Any, admin: Any, scenario: Scenario) -> None:
    """The answer has the status and the text, and the events are exactly those."""
    make_notes(project, ask)
    before, state = project.last_event(), ask("GET", PATH).get_json()
    body = json.dumps(scenario.json).encode() if scenario.body is None else scenario.body
    answer = ask(scenario.method, scenario.path, data=body, content_type=scenario.content_type)

    text = answer.get_data(as_text=True)
    assert (answer.status_code, text) == (scenario.status, text)
    if scenario.message is not None:
        assert answer.get_json()["error"]["message"] == scenario.message
    for part in scenario.has:
        assert part in text
    events = project.events(after=before)
    assert tuple(event.type for event in events) == scenario.events
    assert all(event.by_admin and event.actor == admin.id for event in events)
    assert scenario.events or ask("GET", PATH).get_json() == state
    if text:
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


def make_notes(project: TestProject, ask: Any) -> None:
    assert ask("POST", PATH, json=NOTES).status_code == 201
    assert ask("POST", "/api/notes", json={"title": "First"}).status_code == 201


def test_a_new_collection_is_closed_unless_it_says_otherwise(ask: Any) -> None:
    """For each operation that the body does not speak of there is the rule `admin`, written out."""
    cases: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({}, CLOSED),
        ({"permissions": None}, CLOSED),
        ({"permissions": {"read": "public"}}, {**CLOSED, "read": "public"}),
        ({"permissions": {**OPEN, "delete": None}}, {**OPEN, "delete": "admin"}),
    ]
    for number, (given, expected) in enumerate(cases):
        made = ask("POST", PATH, json={"name": f"pages_{number}", "fields": [], **given})

        assert (made.status_code, made.get_json()["definition"]["permissions"]) == (201, expected)
        assert made.get_json()["warnings"] == []
        stranger = ask("DELETE", f"/api/pages_{number}/rec_1", who=None)
        assert stranger.status_code == 401


def test_a_change_that_does_not_speak_of_rules_opens_nothing(ask: Any) -> None:
    """Each operation keeps the rule it had."""
    ask("POST", PATH, json={"name": "pages", "fields": []})

    cases: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({}, CLOSED),
        ({"permissions": {"read": "public"}}, {**CLOSED, "read": "public"}),
        ({"permissions": {}}, {**CLOSED, "read": "public"}),
    ]
    for given, expected in cases:
        changed = ask("PUT", f"{PATH}/pages", json={"name": "pages", "fields": [TITLE], **given})
        assert changed.get_json()["definition"]["permissions"] == expected


def test_an_open_collection_of_old_is_shown_with_a_warning(project: TestProject, ask: Any) -> None:
    """What was open stays so, as clients rely on it; what no rule says means administrators only."""
    with project.app.database.write() as tx:
        project.app.catalog.apply(tx, [{"name": "old", "fields": []}])
        tx.execute(
            "UPDATE _collections SET definition = json_set(definition, '$.permissions',"
            """ json('{"read":"bogus"}')) WHERE name = 'old'"""
        )
        tx.execute("PRAGMA user_version = 1000")
    shown = ask("GET", f"{PATH}/old").get_json()
    changed = ask("PUT", f"{PATH}/old", json={"name": "old", "fields": [TITLE]}).get_json()

    assert shown["warnings"] == [
        "no rule for create, update, delete: open to everyone",
        'the rule "bogus" for read is unknown: administrators only',
    ]
    assert changed["definition"]["permissions"] == {"read": "admin"}


def test_values_follow_a_change(project: TestProject, ask: Any) -> None:
    """A rename keeps them, a backfill fills them in, and what was said once may stay."""
    make_notes(project, ask)
    wanted = notes(
        {"name": "headline", "type": "text", "renamedFrom": "title"},
        {"name": "stars", "type": "integer", "required": True, "backfill": 3},
    )

    changed = ask("PUT", f"{PATH}/notes", json=wanted)
    again = ask("PUT", f"{PATH}/notes?dryRun=true", json=wanted)

    (record,) = ask("GET", "/api/notes").get_json()["items"]
    assert (record["headline"], record["stars"]) == ("First", 3)
    assert changed.get_json()["definition"] == wanted
    assert again.get_json()["steps"] == []


@pytest.mark.parametrize(
    ("definition", "is_shown"),
    [
        ('{"name":"lists","fields":[{"name":"lost","type":"string"}]}', True),
        ('{"name":"lists","fields":1}', True),
        ("{", False),
        ('{"name":"lists","fields":[],"n":NaN}', False),
        ('{"name":"lists","fields":[],"n":"\\ud800"}', False),
        ("[" * 5_000, False),
    ],
)
def test_a_broken_collection_is_shown_and_can_be_deleted(
    project: TestProject, ask: Any, definition: str, is_shown: bool
) -> None:
    """With the reason, beside the others; whatever stands in its place, the list can be read."""
    for name in ("everything", "todos"):  # which point at it
        assert ask("DELETE", f"{PATH}/{name}").status_code == 204
    with project.app.database.write() as tx:
        tx.execute("UPDATE _collections SET definition = ? WHERE name = 'lists'", (definition,))
        tx.execute("PRAGMA user_version = 1000")

    listed = {item["name"]: item for item in ask("GET", PATH).get_json()["items"]}
    refused = ask("PUT", f"{PATH}/lists", json={"name": "lists", "fields": []})
    taken = ask("POST", PATH, json={"name": "lists", "fields": []})
    deleted = ask("DELETE", f"{PATH}/lists")

    assert set(listed) == {"lists", "secrets"}
    assert (listed["lists"]["status"], "broken" in listed["secrets"]) == ("broken", False)
    assert listed["lists"]["broken"]
    assert (listed["lists"]["definition"] is not None) is is_shown
    assert "it is broken and has a table" in refused.get_json()["error"]["message"]
    assert taken.get_json()["error"]["message"] == 'Collection "lists" already exists'
    assert deleted.status_code == 204
    assert ask("POST", PATH, json={"name": "lists", "fields": []}).status_code == 201


def test_a_collection_that_differs_from_its_file_says_so(project: TestProject, ask: Any) -> None:
    """And nothing breaks when the server starts the next time: it warns, and keeps the database's."""
    assert ask("GET", f"{PATH}/secrets").get_json()["status"] == "synced"
    definition = ask("GET", f"{PATH}/secrets").get_json()["definition"]
    definition["fields"].append(TITLE)

    changed = ask("PUT", f"{PATH}/secrets", json=definition)
    project.app.collection_files.serve(changes=False)

    assert changed.get_json()["status"] == "drift"
    assert ask("GET", f"{PATH}/secrets").get_json()["definition"] == definition


def test_every_change_is_in_the_log(
    project: TestProject, ask: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """As those of files are."""
    make_notes(project, ask)
    with caplog.at_level("INFO", logger="bakend.collections"):
        ask("PUT", f"{PATH}/notes", json=notes(TITLE, {"name": "stars", "type": "integer"}))
        ask("DELETE", f"{PATH}/notes")

    assert 'Collection "notes": Field "stars" (integer) is added' in caplog.text
    assert 'Collection "notes": The collection and its records are deleted' in caplog.text
