"""The table of rules, by HTTP: who may do what, and what an answer gives away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from bakend.events.event import OPERATOR
from bakend.testing import TestProject, temporary_project

RULES: Final = ("public", "authenticated", "owner", "admin", "bogus", "ownerless")
CALLERS: Final = ("anonymous", "other", "owner", "admin")
OPERATIONS: Final = ("list", "get", "update", "delete", "create")

MATRIX: Final[dict[tuple[str, str], tuple[int, int, int, int]]] = {
    # rule and operation: anonymous, another user, the owner, an administrator
    ("public", "list"): (200, 200, 200, 200),
    ("public", "get"): (200, 200, 200, 200),
    ("public", "update"): (200, 200, 200, 200),
    ("public", "delete"): (204, 204, 204, 204),
    ("public", "create"): (201, 201, 201, 201),
    ("authenticated", "list"): (401, 200, 200, 200),
    ("authenticated", "get"): (401, 200, 200, 200),
    ("authenticated", "update"): (401, 200, 200, 200),
    ("authenticated", "delete"): (401, 204, 204, 204),
    ("authenticated", "create"): (401, 201, 201, 201),
    ("owner", "list"): (401, 200, 200, 200),
    ("owner", "get"): (401, 404, 200, 200),
    ("owner", "update"): (401, 404, 200, 200),
    ("owner", "delete"): (401, 404, 204, 204),
    ("owner", "create"): (401, 201, 201, 201),
    **{(rule, "list"): (401, 403, 403, 200) for rule in ("admin", "ownerless")},
    **{(rule, "get"): (401, 403, 403, 200) for rule in ("admin", "ownerless")},
    **{(rule, "update"): (401, 403, 403, 200) for rule in ("admin", "ownerless")},
    **{(rule, "delete"): (401, 403, 403, 204) for rule in ("admin", "ownerless")},
    **{(rule, "create"): (401, 403, 403, 201) for rule in ("admin", "ownerless")},
    ("bogus", "list"): (403, 403, 403, 200),
    ("bogus", "get"): (403, 403, 403, 200),
    ("bogus", "update"): (403, 403, 403, 200),
    ("bogus", "delete"): (403, 403, 403, 204),
    ("bogus", "create"): (403, 403, 403, 201),
}
METHODS: Final = {
    "list": "GET",
    "get": "GET",
    "update": "PUT",
    "delete": "DELETE",
    "create": "POST",
}


def definition(name: str, rule: str, *, read: str | None = None) -> dict[str, Any]:
    fields = [{"name": "text", "type": "string", "required": True}]
    if name != "ownerless":
        fields.append({"name": "user_id", "type": "string"})
    rules = dict.fromkeys(("create", "read", "update", "delete"), rule)
    return {"name": name, "fields": fields, "permissions": {**rules, "read": read or rule}}


@pytest.fixture
def project() -> Iterator[TestProject]:
    """One collection for each rule; `bogus` as only a database of the original may have it."""
    collections = [definition(rule, rule) for rule in ("public", "authenticated", "owner")]
    collections += [definition("admins", "admin"), definition("bogus", "admin")]
    collections += [definition("ownerless", "owner"), definition("shown", "owner", read="public")]
    with temporary_project(collections) as opened:
        with opened.app.database.write() as tx:
            tx.execute(
                "UPDATE _collections SET definition = replace(definition, '\"admin\"', '\"bogus\"')"
                " WHERE name = 'bogus'"
            )
            tx.execute("PRAGMA user_version = 1000")
        yield opened


@pytest.fixture
def callers(project: TestProject) -> dict[str, dict[str, str]]:
    return {
        "anonymous": {},
        "other": project.sign_up("other@example.com"),
        "owner": project.sign_up("owner@example.com"),
        "admin": project.sign_up("admin@example.com", role="admin"),
    }


def path_of(rule: str) -> str:
    return f"/api/{'admins' if rule == 'admin' else rule}"


def make(project: TestProject, callers: dict[str, dict[str, str]], path: str) -> str:
    """Create a record that `owner` owns; return its id."""
    me: Any = project.client.get("/api/auth/me", headers=callers["owner"]).json
    body = {"text": "secret", "user_id": me["user"]["id"]}
    answer: Any = project.client.post(path, json=body, headers=callers["admin"])
    assert answer.status_code == 201
    return str(answer.json["id"])


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("rule", RULES)
def test_the_table_of_rules(
    project: TestProject, callers: dict[str, dict[str, str]], rule: str, operation: str
) -> None:
    """Each rule, operation and caller as decided."""
    seen = []
    for caller in CALLERS:
        path = path_of(rule)
        if operation in ("get", "update", "delete"):
            path = f"{path}/{make(project, callers, path)}"
        answer = project.client.open(
            path,
            method=METHODS[operation],
            json={"text": "new"} if operation in ("create", "update") else None,
            headers=callers[caller],
        )
        seen.append(answer.status_code)

    assert tuple(seen) == MATRIX[rule, operation]


@pytest.mark.parametrize("operation", ["get", "update", "delete"])
@pytest.mark.parametrize("caller", ["anonymous", "other"])
@pytest.mark.parametrize("rule", ["authenticated", "owner", "admin", "bogus"])
def test_a_refusal_does_not_tell_whether_the_record_exists(
    project: TestProject,
    callers: dict[str, dict[str, str]],
    rule: str,
    caller: str,
    operation: str,
) -> None:
    """The same status and words for an id that exists and for one that does not."""
    if MATRIX[rule, operation][CALLERS.index(caller)] in (200, 204):
        return  # he may; then 404 is the truth
    path = path_of(rule)
    real = make(project, callers, path)
    answers = []
    for record_id in (real, "rec_00000000-0000-4000-8000-000000000000"):
        answer = project.client.open(
            f"{path}/{record_id}",
            method=METHODS[operation],
            json={"text": "new"} if operation == "update" else None,
            headers=callers[caller],
        )
        answers.append((answer.status_code, answer.text.replace(record_id, "ID")))

    assert answers[0] == answers[1]


@pytest.mark.parametrize("operation", ["update", "delete"])
def test_who_may_see_a_record_is_told_that_it_is_not_his(
    project: TestProject, callers: dict[str, dict[str, str]], operation: str
) -> None:
    """Where reading is free, 403 gives nothing away."""
    record_id = make(project, callers, "/api/shown")

    answer = project.client.open(
        f"/api/shown/{record_id}",
        method=METHODS[operation],
        json={"text": "new"} if operation == "update" else None,
        headers=callers["other"],
    )

    assert answer.status_code == 403


def test_a_list_of_one_s_own(project: TestProject, callers: dict[str, dict[str, str]]) -> None:
    """Everybody sees his own records, an administrator all; so does the count."""
    with temporary_project([definition("owner", "owner")]) as fresh:
        ada, bob = fresh.sign_up("ada@example.com"), fresh.sign_up("bob@example.com")
        admin = fresh.sign_up("root@example.com", role="admin")
        for headers, count in ((ada, 2), (bob, 3)):
            for _ in range(count):
                fresh.client.post("/api/owner", json={"text": "x"}, headers=headers)
        totals = []
        for headers in (ada, bob, admin):
            answer: Any = fresh.client.get("/api/owner?count=true", headers=headers).json
            totals.append((len(answer["items"]), answer["total"]))

    assert totals == [(2, 2), (3, 3), (5, 5)]


def test_nobody_creates_or_gives_away_in_another_s_name(
    project: TestProject, callers: dict[str, dict[str, str]]
) -> None:
    """`user_id` of anybody but an administrator is his own, at first and for ever."""
    me: Any = project.client.get("/api/auth/me", headers=callers["other"]).json
    body = {"text": "x", "user_id": "usr_victim"}

    made: Any = project.client.post("/api/owner", json=body, headers=callers["other"]).json
    assert made["user_id"] == me["user"]["id"]
    changed: Any = project.client.put(
        f"/api/owner/{made['id']}", json={"user_id": "usr_victim"}, headers=callers["other"]
    ).json
    assert changed["user_id"] == me["user"]["id"]
    anonymous: Any = project.client.post("/api/public", json=body).json
    assert anonymous["user_id"] is None
    by_admin: Any = project.client.post("/api/owner", json=body, headers=callers["admin"]).json
    assert by_admin["user_id"] == "usr_victim"


def test_a_role_counts_from_the_next_request_on(project: TestProject) -> None:
    """Neither the token nor a cache remembers what somebody was."""
    headers = project.sign_up("riser@example.com")
    project.make_user("root@example.com", role="admin")
    user = project.app.accounts.find_by_email("riser@example.com")

    statuses = []
    for role in ("admin", "authenticated", "public", "admin"):
        project.app.accounts.set_role(user.id, role, OPERATOR)
        statuses.append(project.client.get("/api/admins", headers=headers).status_code)

    assert statuses == [200, 403, 403, 200]


def test_who_changed_something_stands_in_the_event(
    project: TestProject, callers: dict[str, dict[str, str]]
) -> None:
    """The event of a record names the user, and whether it was an administrator's right."""
    after = project.last_event()
    for caller in ("anonymous", "other", "admin"):
        project.client.post("/api/public", json={"text": "x"}, headers=callers[caller])

    seen = [(event.actor is not None, event.by_admin) for event in project.events(after=after)]
    assert seen == [(False, False), (True, False), (True, True)]


def test_a_file_of_another_cannot_be_put_into_a_record() -> None:
    """Only a file that its writer may read; the answer does not tell that it exists."""
    attachments = {
        "name": "notes",
        "fields": [{"name": "file", "type": "file"}],
        "permissions": dict.fromkeys(("create", "read", "update", "delete"), "authenticated"),
    }
    with temporary_project([attachments]) as project:
        ada, bob = project.sign_up("ada@example.com"), project.sign_up("bob@example.com")
        owner = project.app.accounts.find_by_email("ada@example.com")
        with project.app.database.write() as tx:
            for file_id, visibility in (("fil_mine", "protected"), ("fil_open", "public")):
                tx.execute(
                    "INSERT INTO _files (id, filename, mime_type, size, visibility, user_id,"
                    " created_at) VALUES (?, 'a.txt', 'text/plain', 1, ?, ?, '2026')",
                    (file_id, visibility, owner.id),
                )

        def create(file_id: str, headers: dict[str, str]) -> tuple[int, str]:
            answer = project.client.post("/api/notes", json={"file": file_id}, headers=headers)
            return answer.status_code, answer.text.replace(file_id, "ID")

        assert create("fil_mine", ada)[0] == 201
        assert create("fil_open", bob)[0] == 201
        assert create("fil_mine", bob) == create("fil_none", bob)
        assert create("fil_mine", bob)[0] == 400
