"""What every client of the original may count on, and that neither official client sends by itself."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import clients
from processes import NOTHING, Answer, Client, ServerProcess, make_project, running_server

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"
UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the server."""
    return clients.make(tmp_path_factory.mktemp("checklist"))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    """A server for all tests of this file."""
    with running_server(folder, environ=clients.ADMIN) as running:
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A connection."""
    with server.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def user(server: ServerProcess) -> Mapping[str, str]:
    """The headers of a user."""
    with server.client() as client:
        body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
        return _bearer(client.post("/api/auth/register", body).json["token"])


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _error(answer: Answer) -> tuple[int, str, str]:
    """Return status, code and message of an answer in the envelope."""
    assert re.fullmatch(r"application/json; ?charset=utf-8", answer.headers["Content-Type"])
    error = answer.json["error"]
    assert list(answer.json) == ["error"]
    assert set(error) - {"details"} == {"code", "message"}
    return answer.status, error["code"], error["message"]


def _form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """Return a form: name, filename if any, content."""
    pieces = []
    for name, filename, content in parts:
        named = "" if filename is None else f'; filename="{filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
        pieces += [head.encode(), content, b"\r\n"]
    return b"".join((*pieces, f"--{BOUNDARY}--\r\n".encode()))


def _upload(client: Client, body: bytes, headers: Mapping[str, str]) -> Answer:
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return client.send("POST", "/api/storage/upload", body, {**kind, **headers})


# Tokens and routes


@pytest.mark.parametrize(
    "value",
    [
        "Bearer x",
        "Bearer a.b.c",
        "Bearer h.p.sig==",
        "Bearer ",
        "Bearer",
        "Basic YTpi",
        "bearer  x",
    ],
)
def test_a_wrong_header_is_a_stranger(client: Client, value: str) -> None:
    """What is public stays readable, and what needs somebody is 401: never another status."""
    header = {"Authorization": value}

    assert client.request("GET", "/api/posts", headers=header).status == 200
    assert client.request("GET", "/health", headers=header).status == 200
    me = client.request("GET", "/api/auth/me", headers=header)
    assert _error(me) == (401, "unauthorized", "Authentication required")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_has_no_case(client: Client, user: Mapping[str, str], scheme: str) -> None:
    """As in every other server."""
    token = user["Authorization"].split()[1]

    header = {"Authorization": f"{scheme} {token}"}

    assert client.request("GET", "/api/auth/me", headers=header).status == 200


@pytest.mark.parametrize("path", ["/api/posts/", "//api//posts", "/api/./posts"])
def test_slashes_make_no_difference(client: Client, path: str) -> None:
    """A path has one meaning, however it is written."""
    assert client.get(path).json.keys() == {"items"}


def test_query_strings_that_nobody_knows_are_ignored(client: Client) -> None:
    """Proxies and caches add some."""
    assert client.get("/api/posts?utm_source=x&_=1").status == 200


@pytest.mark.parametrize("path", ["/", "/health"])
def test_health_is_in_both_places(client: Client, path: str) -> None:
    """`/` is no redirect."""
    answer = client.get(path)

    assert (answer.status, answer.json["status"], set(answer.json)) == (
        200,
        "ok",
        {"status", "version"},
    )


def test_a_route_that_is_none_is_not_found(client: Client) -> None:
    """In the same envelope as everything else."""
    assert _error(client.get("/nothing")) == (404, "not_found", "Not found")
    assert _error(client.get("/api/posts/a/b")) == (404, "not_found", "Not found")


def test_the_method_comes_before_the_rest(client: Client) -> None:
    """405, also where the body is wrong or nobody is logged in."""
    for method, path in (
        ("PATCH", "/api/posts"),
        ("DELETE", "/api/nothing"),
        ("GET", "/api/auth/login"),
        ("PUT", "/api/auth/me"),
        ("GET", "/api/storage/upload"),
    ):
        expected = (405, "method_not_allowed", "Method not allowed")
        assert _error(client.request(method, path)) == expected


def test_the_dashboard_is_a_page(client: Client) -> None:
    """With and without the slash, and at addresses of its own."""
    for path in ("/_", "/_/", "/_/collections/posts"):
        answer = client.get(path)
        assert (answer.status, answer.headers.get_content_type()) == (200, "text/html")


def test_a_dashboard_that_is_off_is_not_found(tmp_path: Path) -> None:
    """As a route that is none."""
    make_project(tmp_path, dashboard={"enabled": False})
    with running_server(tmp_path) as server, server.client() as client:
        assert _error(client.get("/_/")) == (404, "not_found", "Not found")


# Bodies


@pytest.mark.parametrize("body", [b"", b"{", b"{} x", b'{"a": NaN}', b"nothing"])
def test_a_body_that_is_no_json_is_refused(client: Client, body: bytes) -> None:
    """With one text for all of them."""
    assert _error(client.send("POST", "/api/posts", body)) == (
        400,
        "bad_request",
        "Invalid JSON body",
    )


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"1", b"null"])
def test_a_body_is_an_object(client: Client, body: bytes) -> None:
    """Other JSON is another fault."""
    assert _error(client.send("POST", "/api/posts", body)) == (
        400,
        "bad_request",
        "Request body must be a JSON object",
    )


@pytest.mark.parametrize(
    ("kind", "is_taken"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("Application/JSON", True),
        ("text/plain", False),
        ("", False),
    ],
)
def test_json_is_called_json(client: Client, kind: str, is_taken: bool) -> None:
    """Parameters and case make no difference; another type is refused."""
    answer = client.send("POST", "/api/posts", b'{"title":"Hello"}', {"Content-Type": kind})

    if is_taken:
        assert answer.status == 201
    else:
        expected = (400, "bad_request", "Content-Type must be application/json")
        assert _error(answer) == expected


def test_odd_but_readable_json_is_taken(client: Client) -> None:
    """A mark at the start, bytes that are no UTF-8, a key twice."""
    body = b'\xef\xbb\xbf{"title":"first","title":"se\xffcond"}'

    assert client.send("POST", "/api/posts", body).json["title"] == "se�cond"


# Records


def test_only_what_changes_is_an_event(client: Client, folder: Path) -> None:
    """An update that names no field tells nobody, and leaves the time."""
    record = client.post("/api/posts", {"title": "Quiet"}).json
    path = f"/api/posts/{record['id']}"
    assert client.put(path, {"unknown": 1, "id": "rec_x", "updatedAt": "x"}).json == record
    client.put(path, {"title": "Loud"})
    client.delete(path)

    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database:
        types = [
            kind
            for (kind,) in database.execute(
                "SELECT type FROM _events WHERE json_extract(payload, '$.id') = ? ORDER BY seq",
                (record["id"],),
            )
        ]
    assert types == ["posts.created", "posts.updated", "posts.deleted"]


# Files


@pytest.mark.parametrize("first", ["file", "visibility"])
def test_the_parts_of_a_form_come_in_any_order(
    client: Client, user: Mapping[str, str], first: str
) -> None:
    """JavaScript sends the file first, Dart the field; the first of two files counts."""
    parts = [("file", "a.txt", b"one"), ("visibility", None, b"public"), ("file", "b.txt", b"two")]
    body = _form(*(parts if first == "file" else [parts[1], parts[0], parts[2]]))

    answer = _upload(client, body, user)

    assert answer.status == 201
    file: dict[str, Any] = answer.json
    assert re.fullmatch(f"fil_{UUID}", file["id"])
    assert (file["filename"], file["size"], file["visibility"]) == ("a.txt", 3, "public")
    assert client.get(f"/api/storage/{file['id']}").body == b"one"


@pytest.mark.parametrize("visibility", ["protected", "PUBLIC", "", "public "])
def test_only_public_is_public(client: Client, user: Mapping[str, str], visibility: str) -> None:
    """Every other word keeps the file for its owner."""
    body = _form(("file", "a.txt", b"x"), ("visibility", None, visibility.encode()))

    assert _upload(client, body, user).json["visibility"] == "protected"


def test_a_form_that_is_wrong_is_told_so(client: Client, user: Mapping[str, str]) -> None:
    """A text where the file should be, an empty file, none, and what is no form."""
    for body, message in (
        (_form(("file", None, b"text")), "Field 'file' is required"),
        (_form(("other", "a.txt", b"x")), "Field 'file' is required"),
        (_form(("file", "a.txt", b"")), "File cannot be empty"),
        (b"--nothing", "Invalid multipart form data"),
    ):
        assert _error(_upload(client, body, user)) == (400, "bad_request", message)
    plain = client.send("POST", "/api/storage/upload", b"{}", user)
    assert _error(plain) == (400, "bad_request", "Invalid multipart form data")


def test_who_may_not_upload_is_told_before_what_is_wrong(client: Client) -> None:
    """401 comes first, and a file that is not there is 404 for everybody."""
    assert _error(_upload(client, b"--nothing", NOTHING)) == (401, "unauthorized", "Unauthorized")
    assert _error(client.get("/api/storage/fil_none")) == (404, "not_found", "File not found")
    assert _error(client.delete("/api/storage/fil_none")) == (404, "not_found", "File not found")


# Answers


def test_times_and_ids_have_the_form_that_clients_sort_by(client: Client) -> None:
    """UTC with milliseconds and a Z."""
    record = client.post("/api/posts", {"title": "Hello"}).json

    assert re.fullmatch(f"rec_{UUID}", record["id"])
    for name in ("createdAt", "updatedAt"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record[name])


def test_json_is_not_escaped_beyond_need(client: Client) -> None:
    """Text leaves as UTF-8, in the charset that the type names."""
    answer = client.post("/api/posts", {"title": "Zoë ☃"})

    assert "Zoë ☃".encode() in answer.body
    assert json.loads(answer.body)["title"] == "Zoë ☃"
