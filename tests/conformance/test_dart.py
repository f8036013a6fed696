"""The official Dart client's requests, byte for byte, and its casts over every answer."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import clients
import dart
from dart import BakendException, DartClient, Detail
from processes import CLOCK, ServerProcess, running_server, wait_until
from raw import Raw

pytestmark = pytest.mark.e2e

PASSWORD = "password123"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for all tests of this file."""
    folder = clients.make(tmp_path_factory.mktemp("dart"))
    with running_server(folder, environ=clients.ADMIN) as running:
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[DartClient]:
    """A client without tokens."""
    with DartClient(server.port) as opened:
        yield opened


@pytest.fixture
def email() -> str:
    """An address that nobody has."""
    return f"{uuid.uuid4().hex}@example.com"


def _posts(client: DartClient, **values: Any) -> dict[str, Any]:
    return client.create("posts", {"title": "Hello", **values})


# The list of the client's own tests


def test_register_login_me_refresh_logout(client: DartClient, email: str) -> None:
    """The way of an account, each answer with all that its class in Dart needs."""
    user = client.register(email, PASSWORD)
    assert user.email == email
    assert client.is_logged_in()
    assert client.me() == user

    client.clear()
    assert client.login(email, PASSWORD) == user
    before = client.refresh_token
    assert client.refresh() == user
    assert client.refresh_token != before

    client.logout()
    assert not client.is_logged_in()
    assert client.statuses == [201, 200, 200, 200, 204]


def test_collection_crud(client: DartClient) -> None:
    """Records of `posts`, with ids that begin with `rec_`."""
    created = client.create("posts", {"title": "Hello", "content": "World"})
    assert created["title"] == "Hello"
    assert dart.text(created, "id").startswith("rec_")
    assert client.get("posts", created["id"]) == created
    assert created in client.list("posts")

    updated = client.update("posts", created["id"], {"title": "Updated"})
    assert (updated["title"], updated["content"]) == ("Updated", "World")
    client.delete("posts", created["id"])

    with pytest.raises(BakendException) as raised:
        client.get("posts", created["id"])
    assert (raised.value.status, raised.value.code) == (404, "not_found")


def test_storage_upload_download_delete(client: DartClient, email: str) -> None:
    """A public text, its bytes back, and its end."""
    user = client.register(email, PASSWORD)
    content = b"hello dart sdk"

    file = client.upload(content, filename="test.txt", visibility="public")

    assert file.id.startswith("fil_")
    assert (file.filename, file.size, file.visibility) == ("test.txt", len(content), "public")
    assert file.user_id == user.id
    assert client.download(file.id) == content
    client.delete_file(file.id)
    with pytest.raises(BakendException) as raised:
        client.download(file.id)
    assert (raised.value.status, raised.value.message) == (404, "File not found")


def test_a_wrong_login_is_the_clients_exception(client: DartClient, email: str) -> None:
    """Code and message are texts, and there are no details."""
    with pytest.raises(BakendException) as raised:
        client.login(email, "wrong")

    error = raised.value
    assert (error.status, error.code, error.details) == (401, "unauthorized", None)
    assert error.message == "Invalid email or password"


# What its casts and its library need beside that


def test_a_refused_record_has_its_details(client: DartClient) -> None:
    """Each detail has field, rule and message, all of them texts."""
    with pytest.raises(BakendException) as raised:
        client.create("posts", {"views": -1})

    error = raised.value
    assert (error.status, error.code, error.message) == (
        400,
        "validation_error",
        "Validation failed",
    )
    assert error.details == [
        Detail("title", "required", 'Field "title" is required'),
        Detail("views", "min", 'Field "views" must be at least 0'),
    ]


def test_text_in_any_script_is_read_as_it_was_written(client: DartClient) -> None:
    """JSON says its charset: without it, older releases would read Latin-1."""
    text = "Zoë schrieb „Grüße“ ☃ 😀"

    assert _posts(client, title=text)["title"] == text
    with pytest.raises(BakendException) as raised:
        client.get("posts", "größe")
    assert raised.value.status == 404


@pytest.mark.parametrize(
    "due",
    ["2026-11-23T16:05:48.347123", "2026-11-23T16:05:48.347", "2026-11-23T16:05:48.347Z"],
)
def test_dates_of_dart_come_back_as_they_were(client: DartClient, due: str) -> None:
    """`toIso8601String()` gives microseconds, and no zone for local time."""
    assert _posts(client, due=due)["due"] == due


def test_integers_stay_integers(client: DartClient) -> None:
    """Dart reads `3.0` as a double, which its casts to int refuse."""
    record = client.get("posts", _posts(client, views=3.0, score=2)["id"])

    assert dart.an_int(record, "views") == 3
    assert record["score"] == 2


def test_an_expired_token_is_renewed_and_the_call_repeated(client: DartClient, email: str) -> None:
    """401 makes the client renew its tokens once; what follows is answered."""
    user = client.register(email, PASSWORD)
    client.token = "a.b.c"

    assert client.me() == user
    assert client.statuses == [201, 401, 200, 200]


def test_a_client_without_a_session_gets_the_error_of_its_call(client: DartClient) -> None:
    """A refresh that is refused leaves the first error, and no tokens."""
    client.token, client.refresh_token = "a.b.c", "rt_nobody"

    with pytest.raises(BakendException) as raised:
        client.me()

    assert raised.value.message == "Authentication required"
    assert client.statuses == [401, 401]
    assert not client.is_logged_in()


def test_what_is_forbidden_renews_nothing(client: DartClient, email: str) -> None:
    """403 is for good."""
    client.register(email, PASSWORD)

    with pytest.raises(BakendException) as raised:
        client.list("admin_notes")

    assert (raised.value.status, raised.value.code) == (403, "forbidden")
    assert client.statuses == [201, 403]


def test_a_list_of_what_has_owners_is_the_callers(client: DartClient, email: str) -> None:
    """200 with the caller's own records."""
    client.register(email, PASSWORD)
    note = client.create("owner_notes", {"text": "mine"})

    assert client.list("owner_notes") == [note]


def test_a_head_may_come_in_any_pieces(server: ServerProcess) -> None:
    """dart:io writes head and body apart, and its connection may be slow."""
    body = json.dumps({"title": "In pieces"}).encode()
    start = dart.head(
        server.port,
        "POST",
        "/api/posts",
        length=len(body),
        kind="application/json; charset=utf-8",
        token=None,
    ).encode()
    with Raw(server.port) as connection:
        for piece in (start[:9], start[9:60], start[60:], body[:3], body[3:]):
            connection.send(piece)
            CLOCK.pause(0.02)
        answer = connection.answer("POST")

    assert (answer.status, answer.json["title"]) == (201, "In pieces")


# Files


@pytest.mark.parametrize(
    ("filename", "kind"),
    [
        ("Grüße ☃.png", "image/png"),
        ('say "hi".txt', "text/plain;charset=utf-8"),
        ("file", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
        ("data.json", "application/json;charset=utf-8"),
    ],
)
def test_a_type_follows_from_the_name(
    client: DartClient, email: str, filename: str, kind: str
) -> None:
    """Dart calls every file `application/octet-stream`, and writes names as UTF-8."""
    client.register(email, PASSWORD)

    file = client.upload(b"{}", filename=filename)

    assert (file.filename, file.mime_type.replace("; ", ";")) == (filename, kind)
    assert client.download(file.id) == b"{}"


def test_bytes_come_back_as_they_were(client: DartClient, email: str) -> None:
    """A boundary of Dart is no end, where it only looks like one."""
    client.register(email, PASSWORD)
    content = bytes(range(256)) * 400 + f"\r\n--{dart.BOUNDARY[:-1]}\r\n".encode()

    file = client.upload(content)

    assert (file.visibility, file.filename, file.size) == ("protected", "file", len(content))
    assert client.download(file.id) == content


def test_protected_files_are_for_their_owner(
    client: DartClient, server: ServerProcess, email: str
) -> None:
    """Nobody is 401, somebody else 403."""
    client.register(email, PASSWORD)
    file = client.upload(b"mine")

    with DartClient(server.port) as other:
        with pytest.raises(BakendException) as raised:
            other.download(file.id)
        assert (raised.value.status, raised.value.code) == (401, "unauthorized")
        other.register(f"other-{email}", PASSWORD)
        with pytest.raises(BakendException) as raised:
            other.download(file.id)
        assert (raised.value.status, raised.value.code) == (403, "forbidden")


def test_an_upload_that_is_refused_says_why(client: DartClient, email: str) -> None:
    """Without a token, without content."""
    with pytest.raises(BakendException) as raised:
        client.upload(b"x")
    assert (raised.value.status, raised.value.message) == (401, "Unauthorized")

    client.register(email, PASSWORD)
    with pytest.raises(BakendException) as raised:
        client.upload(b"")
    assert (raised.value.status, raised.value.message) == (400, "File cannot be empty")


def test_the_largest_file_and_one_byte_more(client: DartClient, email: str) -> None:
    """10 485 760 bytes are taken; one more is 400 with the limit."""
    client.register(email, PASSWORD)
    largest = bytes(10_485_760)

    assert client.upload(largest, filename="large.bin").size == len(largest)
    with pytest.raises(BakendException) as raised:
        client.upload(largest + b"x", filename="large.bin")

    error = raised.value
    assert (error.status, error.code) == (400, "bad_request")
    assert error.message == "File exceeds maximum size of 10 MB"


def test_a_record_holds_a_file(client: DartClient, email: str) -> None:
    """By its id."""
    client.register(email, PASSWORD)
    file = client.upload(b"x", filename="cover.png", visibility="public")

    assert client.get("posts", _posts(client, cover=file.id)["id"])["cover"] == file.id


@pytest.mark.slow
def test_calls_at_once_with_an_expired_token_all_succeed(tmp_path: Path) -> None:
    """Clients of one user that renew with the same token are all given tokens that work."""
    clients.make(tmp_path, auth={"accessTokenTtl": "3s"})
    with running_server(tmp_path) as server, DartClient(server.port) as first:
        first.register("ada@example.com", PASSWORD)
        with DartClient(server.port) as second, DartClient(server.port) as third:
            for other in (second, third):
                other.token, other.refresh_token = first.token, first.refresh_token
            with DartClient(server.port, auto_refresh=False) as probe:
                probe.token = first.token
                wait_until(lambda: _is_refused(probe), 10, what="the token has expired")
            for each in (first, second, third):
                assert each.me().email == "ada@example.com"
                assert each.statuses[-3:] == [401, 200, 200]


def _is_refused(client: DartClient) -> bool:
    try:
        client.me()
    except BakendException:
        return True
    return False
