"""Files over HTTP: who may, and what is answered."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from bakend.logs import masked
from bakend.testing import FakeClock, TestProject, temporary_project

Headers = Mapping[str, str]
NOBODY: Final[Headers] = {}
ABSENT: Final = "fil_00000000-0000-4000-8000-000000000001"
"""Well formed, and of no file."""

LETTERS: Final = {
    "name": "letters",
    "fields": [{"name": "text", "type": "file"}],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "authenticated"),
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project([LETTERS], clock=clock) as opened:
        yield opened


@pytest.fixture
def ada(project: TestProject) -> Headers:
    """Somebody with an account."""
    return project.sign_up("ada@example.com")


@pytest.fixture
def bob(project: TestProject) -> Headers:
    """Somebody else."""
    return project.sign_up("bob@example.com")


@pytest.fixture
def admin(project: TestProject) -> Headers:
    return project.sign_up("root@example.com", role="admin")


def upload(
    project: TestProject,
    headers: Headers,
    content: bytes = b"hello",
    name: str = "a.txt",
    **fields: Any,
) -> TestResponse:
    """Send a form with a file."""
    form = {"file": (io.BytesIO(content), name), **fields}
    return project.client.post(
        "/api/storage/upload", data=form, headers=headers, content_type="multipart/form-data"
    )


def path_of(file: TestResponse) -> str:
    """Return where an uploaded file is."""
    assert file.status_code == 201, file.text
    return f"/api/storage/{file.json['id']}"  # type: ignore[index]  # it is JSON


def refusal(answer: TestResponse) -> tuple[int, str, str]:
    """Return status, code and message of an error."""
    error = answer.json["error"]  # type: ignore[index]  # it is JSON
    return answer.status_code, error["code"], error["message"]


# Uploading


def test_an_upload_is_answered_with_the_file(project: TestProject, ada: Headers) -> None:
    """All that typed clients rely on, `size` as a number."""
    answer = upload(project, ada, b"hello", "brief.txt", visibility="public")

    assert answer.status_code == 201
    assert answer.content_type == "application/json; charset=utf-8"
    file = answer.json
    assert file is not None
    assert file.pop("id").startswith("fil_")
    assert file.pop("userId").startswith("usr_")
    assert file == {
        "filename": "brief.txt",
        "mimeType": "text/plain;charset=utf-8",
        "size": 5,
        "visibility": "public",
        "createdAt": "2026-01-01T00:00:00.000Z",
    }


@pytest.mark.parametrize(
    ("given", "kept"),
    [("public", "public"), ("protected", "protected"), ("Public", "protected"), ("", "protected")],
)
def test_only_the_exact_word_makes_a_file_public(
    project: TestProject, ada: Headers, given: str, kept: str
) -> None:
    """Anything else is protected."""
    assert upload(project, ada, visibility=given).json["visibility"] == kept  # type: ignore[index]


def test_who_has_no_account_cannot_upload(project: TestProject) -> None:
    """That is asked before the form is looked at."""
    answer = project.client.post("/api/storage/upload", data=b"nonsense")

    assert refusal(answer) == (401, "unauthorized", "Unauthorized")


# Who may do what


@pytest.mark.parametrize("visibility", ["public", "protected"])
@pytest.mark.parametrize(
    ("who", "protected", "delete"),
    [("nobody", 401, 401), ("bob", 403, 403), ("ada", 200, 204), ("admin", 200, 204)],
)
def test_who_may_read_and_delete(
    project: TestProject,
    ada: Headers,
    bob: Headers,
    admin: Headers,
    who: str,
    visibility: str,
    protected: int,
    delete: int,
) -> None:
    """Public files are everybody's to read; the rest is the owner's, and administrators'."""
    path = path_of(upload(project, ada, visibility=visibility))
    headers = {"nobody": NOBODY, "bob": bob, "ada": ada, "admin": admin}[who]
    may_read = 200 if visibility == "public" else protected

    for method in ("GET", "HEAD"):
        with project.client.open(path, method=method, headers=headers) as answer:
            assert answer.status_code == may_read
    assert project.client.post(f"{path}/url", headers=headers).status_code == may_read
    assert project.client.delete(path, headers=headers).status_code == delete


def test_refusals_have_the_texts_of_the_original(
    project: TestProject, ada: Headers, bob: Headers
) -> None:
    """Clients and scripts may compare them."""
    path = path_of(upload(project, ada))

    assert refusal(project.client.get(path)) == (401, "unauthorized", "Unauthorized")
    assert refusal(project.client.get(path, headers=bob)) == (403, "forbidden", "Forbidden")
    assert refusal(project.client.get(f"/api/storage/{ABSENT}")) == (
        404,
        "not_found",
        "File not found",
    )


@pytest.mark.parametrize(
    "file_id",
    [
        *("fil_", "fil_1", "..%2f..%2fbakend.db", "%2e%2e%2fbakend.db", "fil_%00"),
        *(ABSENT, "a" * 5_000),
    ],
)
def test_an_id_that_does_not_exist_is_not_found(
    project: TestProject, admin: Headers, file_id: str
) -> None:
    """Also one that is meant as a path."""
    for method in ("GET", "HEAD", "DELETE"):
        answer = project.client.open(f"/api/storage/{file_id}", method=method, headers=admin)
        assert answer.status_code in (404, 405)  # dots lead to other routes, which there are
    assert project.client.post(f"/api/storage/{file_id}/url", headers=admin).status_code in (
        404,
        405,
    )
    assert (project.folder / "bakend.db").exists()


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("upload", "OPTIONS, POST"),
        (ABSENT, "DELETE, GET, HEAD, OPTIONS"),
        (f"{ABSENT}/url", "OPTIONS, POST"),
    ],
)
def test_other_methods_are_refused(
    project: TestProject, admin: Headers, path: str, allowed: str
) -> None:
    """With the ones that there are."""
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - set(allowed.split(", ")):
        answer = project.client.open(f"/api/storage/{path}", method=method, headers=admin)
        assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)


def test_a_deleted_file_is_gone(project: TestProject, ada: Headers) -> None:
    """And cannot be deleted again."""
    path = path_of(upload(project, ada))

    assert project.client.delete(path, headers=ada).status_code == 204
    assert project.client.delete(path, headers=ada).status_code == 404
    assert project.client.get(path, headers=ada).status_code == 404


def test_a_record_takes_only_files_that_its_writer_may_read(
    project: TestProject, ada: Headers, bob: Headers
) -> None:
    """So that nobody finds out by it which ids there are."""
    mine, public = upload(project, ada), upload(project, ada, visibility="public")

    def create(headers: Headers, file: TestResponse) -> int:
        body = {"text": file.json["id"]}  # type: ignore[index]
        return project.client.post("/api/letters", json=body, headers=headers).status_code

    assert (create(ada, mine), create(bob, mine), create(bob, public)) == (201, 400, 201)


# Links


def test_a_link_opens_a_protected_file(
    project: TestProject, ada: Headers, clock: FakeClock
) -> None:
    """For ten minutes, to whoever holds it."""
    path = path_of(upload(project, ada))

    answer = project.client.post(f"{path}/url", headers=ada)

    assert answer.status_code == 200
    link = answer.json
    assert link is not None
    assert link["expiresAt"] == "2026-01-01T00:10:00.000Z"
    assert urlsplit(link["url"]).path == path
    assert project.client.get(link["url"]).data == b"hello"
    assert project.client.get(link["url"], headers={"Range": "bytes=1-2"}).data == b"el"
    clock.advance(600)
    assert project.client.get(link["url"]).status_code == 401
    assert project.client.get(link["url"], headers=ada).data == b"hello"


def test_a_link_opens_only_its_file_and_only_for_reading(
    project: TestProject, ada: Headers
) -> None:
    """A wrong link is none: the usual rules hold."""
    path, other = path_of(upload(project, ada)), path_of(upload(project, ada))
    link = project.client.post(f"{path}/url", headers=ada).json
    assert link is not None
    query = urlsplit(link["url"]).query

    assert project.client.get(f"{other}?{query}").status_code == 401
    assert project.client.get(f"{path}?{query}x").status_code == 401
    assert project.client.get(f"{path}?token=x&expires=%D9%A3").status_code == 401
    assert project.client.delete(link["url"]).status_code == 401
    assert project.client.post(f"{path}/url?{query}").status_code == 401


def test_a_link_reaches_no_log(
    project: TestProject, ada: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    """The log of requests has the path alone; whatever else names an address is masked."""
    path = path_of(upload(project, ada))
    link = project.client.post(f"{path}/url", headers=ada).json
    assert link is not None
    token = link["url"].rpartition("token=")[2]
    caplog.set_level(logging.DEBUG)

    assert project.client.get(link["url"]).data == b"hello"
    (project.folder / "storage" / "files" / path.rpartition("/")[2]).unlink()
    project.client.get(link["url"])

    assert f"GET {path} 200" in caplog.text
    assert token not in caplog.text
    assert token not in masked(f"GET {link['url']}")


# The rest of the API


def test_the_first_words_stay_reserved(project: TestProject) -> None:
    """`/api/storage` alone is no collection."""
    assert project.client.get("/api/storage").status_code == 404
