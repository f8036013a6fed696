"""Everybody's files for administrators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from bakend.events.event import OPERATOR
from bakend.testing import FakeClock, TestProject, temporary_project


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project(clock=FakeClock()) as opened:
        yield opened


@pytest.fixture
def admin(project: TestProject) -> Mapping[str, str]:
    return project.sign_up("root@example.com", role="admin")


@pytest.fixture
def ids(project: TestProject) -> list[str]:
    """Some files of somebody, from the newest on."""
    user, files, made = project.make_user("ada@example.com"), project.app.files, []
    for number in range(3):
        with files.receive() as incoming:
            incoming.write(b"x")
            file = files.add(
                incoming,
                filename=f"{number}.txt",
                mime_type="text/plain",
                visibility="protected",
                user_id=user.id,
                actor=OPERATOR,
            )
        made.append(file)
        assert isinstance(project.app._clock, FakeClock)
        project.app._clock.advance(1)
    return [file.id for file in reversed(made)]


def test_all_files_are_listed(
    project: TestProject, admin: Mapping[str, str], ids: list[str]
) -> None:
    """From the newest on, as clients know them, with how many there are."""
    answer = project.client.get("/api/admin/storage", headers=admin).json

    assert answer is not None
    assert [file["id"] for file in answer["items"]] == ids
    assert answer["total"] == 3
    assert set(answer["items"][0]) == {
        *("id", "filename", "mimeType", "size", "visibility", "userId", "createdAt")
    }


@pytest.mark.parametrize(
    ("query", "first", "count"),
    [
        *(("limit=2", 0, 2), ("limit=2&offset=2", 2, 1), ("offset=3", 3, 0)),
        *(("limit=0", 0, 3), ("limit=-0", 0, 3), ("limit=-5", 0, 1)),
        *(("limit=9999", 0, 3), (f"limit={'9' * 5_000}", 0, 3), ("offset=-1", 0, 3)),
        (f"offset={'9' * 5_000}", 3, 0),
    ],
)
def test_parameters_are_brought_into_their_range(
    project: TestProject,
    admin: Mapping[str, str],
    ids: list[str],
    query: str,
    first: int,
    count: int,
) -> None:
    """0 is the default, as in the original."""
    answer = project.client.get(f"/api/admin/storage?{query}", headers=admin).json

    assert answer is not None
    assert [file["id"] for file in answer["items"]] == ids[first : first + count]
    assert answer["total"] == 3


@pytest.mark.parametrize("query", ["limit=x", "limit=", "limit=٣", "offset=x", "offset=1.5"])
def test_what_is_no_number_is_refused(
    project: TestProject, admin: Mapping[str, str], query: str
) -> None:
    """As everywhere: a known parameter with a wrong value is told, not guessed."""
    answer = project.client.get(f"/api/admin/storage?{query}", headers=admin)

    assert answer.status_code == 400
    assert "must be an integer" in answer.text


def test_any_file_can_be_deleted(
    project: TestProject, admin: Mapping[str, str], ids: list[str]
) -> None:
    """The event says that it was an administrator."""
    path = f"/api/admin/storage/{ids[0]}"

    assert project.client.delete(path, headers=admin).status_code == 204
    assert project.client.delete(path, headers=admin).status_code == 404
    assert (project.events()[-1].type, project.events()[-1].by_admin) == ("storage.deleted", True)


def test_who_names_a_file_is_told(
    project: TestProject, admin: Mapping[str, str], ids: list[str]
) -> None:
    """With the field, in pages; nobody is an answer, too."""
    fields = [{"name": "cover", "type": "file"}, {"name": "text", "type": "text"}]
    definition = {"name": "posts", "fields": fields}
    project.client.post("/api/admin/collections", headers=admin, json=definition)
    posts: list[str] = []
    for _ in range(3):
        body = {"cover": ids[0], "text": ids[1]}
        answer = project.client.post("/api/posts", headers=admin, json=body)
        assert answer.json is not None
        posts.insert(0, answer.json["id"])
        assert isinstance(project.app._clock, FakeClock)
        project.app._clock.advance(1)

    def ask(file_id: str, query: str = "") -> object:
        path = f"/api/admin/storage/{file_id}/uses{query}"
        return project.client.get(path, headers=admin).json

    uses = [{"collection": "posts", "field": "cover", "id": each} for each in posts]
    assert ask(ids[0]) == {"items": uses, "total": 3, "broken": []}
    assert ask(ids[0], "?limit=1&offset=1") == {"items": uses[1:2], "total": 3, "broken": []}
    assert ask(ids[1]) == {"items": [], "total": 0, "broken": []}


def test_who_names_a_file_that_is_not_there_is_not_asked(
    project: TestProject, admin: Mapping[str, str]
) -> None:
    """Rather than to answer that nobody does."""
    answer = project.client.get("/api/admin/storage/fil_none/uses", headers=admin)

    assert (answer.status_code, answer.json and answer.json["error"]["message"]) == (
        404,
        "File not found",
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", "/fil_1"), ("GET", "/fil_1/uses"), ("PUT", "/x/y")],
)
def test_others_are_refused_before_anything_else(
    project: TestProject, method: str, path: str
) -> None:
    """Whether the route exists or not."""
    user = project.sign_up("bob@example.com")

    for headers, status in (({}, 401), (user, 403)):
        answer = project.client.open(f"/api/admin/storage{path}", method=method, headers=headers)
        assert answer.status_code == status
