"""A file as an answer: headers, conditions, parts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final
from urllib.parse import unquote

import pytest
from flask import Request
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import Headers
from werkzeug.http import http_date, parse_options_header
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from bakend.api.downloads import answer, disposition
from bakend.errors import NotFoundError, RangeNotSatisfiableError
from bakend.storage.file import StoredFile
from bakend.storage.names import UNNAMED

CONTENT: Final = bytes(range(100))
MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)
FILE: Final[dict[str, Any]] = {
    "id": "fil_00000000-0000-4000-8000-000000000001",
    "filename": "a.png",
    "mime_type": "image/png",
    "size_bytes": len(CONTENT),
    "visibility": "protected",
    "user_id": "usr_1",
    "created_at": "2026-01-01T00:00:00.999Z",
    "sha256": "0123456789abcdef" * 4,
}
ETAG: Final = '"0123456789abcdef0123456789abcdef"'


def stored(**changed: Any) -> StoredFile:
    return StoredFile(**(FILE | changed))


class Opener:
    """Opens the content, and knows whether it was closed."""

    def __init__(self) -> None:
        self.stream: BinaryIO | None = None

    def __call__(self, _file: StoredFile) -> BinaryIO:
        self.stream = io.BytesIO(CONTENT)
        return self.stream


def ask(
    headers: Mapping[str, str] = {},
    *,
    method: str = "GET",
    opener: Opener | None = None,
    **changed: Any,
) -> tuple[Response, bytes]:
    """Return the answer and what a client reads of it."""
    environ = EnvironBuilder("/", method=method, headers=Headers(dict(headers))).get_environ()
    response = answer(Request(environ), stored(**changed), opener or Opener())
    body, _status, _headers = response.get_wsgi_response(environ)
    try:
        return response, b"".join(body)
    finally:
        body.close()  # type: ignore[attr-defined]  # a server closes what it was given


# Headers


def test_a_whole_file() -> None:
    """What it is, how large, from when, and that parts can be asked for."""
    response, body = ask()

    assert (response.status_code, body) == (200, CONTENT)
    headers = response.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["Content-Length"] == "100"
    assert headers["Content-Disposition"] == 'inline; filename="a.png"'
    assert headers["ETag"] == ETAG
    assert headers["Last-Modified"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    assert headers["Accept-Ranges"] == "bytes"


def test_files_of_the_original_have_a_tag_as_well() -> None:
    """Without a checksum their id will do, as bytes never change under one."""
    response, _body = ask(sha256=None)

    assert response.headers["ETag"] == f'"{FILE["id"]}-100"'


@pytest.mark.parametrize(
    ("visibility", "kept"),
    [("public", "public, max-age=3600, immutable"), ("protected", "private, no-cache")],
)
def test_how_long_an_answer_is_kept(visibility: str, kept: str) -> None:
    """A public one for an hour, as it may be deleted; a protected one is asked for each time."""
    assert ask(visibility=visibility)[0].headers["Cache-Control"] == kept


@pytest.mark.parametrize(
    "kind", ["text/html;charset=utf-8", "image/svg+xml", "application/xml", "x"]
)
def test_what_could_run_is_saved_and_sandboxed(kind: str) -> None:
    """A page of somebody else must not run with the rights of ours."""
    headers = ask(mime_type=kind)[0].headers

    assert headers["Content-Disposition"].startswith("attachment;")
    assert headers["Content-Security-Policy"].startswith("sandbox; default-src 'none';")


def test_a_pdf_is_shown() -> None:
    """Browsers show none in a sandbox; everything else holds for it, too."""
    headers = ask(mime_type="application/pdf", filename="a.pdf")[0].headers

    assert headers["Content-Disposition"].startswith("inline;")
    assert "sandbox" not in headers["Content-Security-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a b.png", 'inline; filename="a b.png"'),
        ("☃.png", "inline; filename=\"unnamed.png\"; filename*=UTF-8''%E2%98%83.png"),
        ("é.png", "inline; filename=\"e.png\"; filename*=UTF-8''%C3%A9.png"),
        ('a"b.png', "inline; filename=\"a_b.png\"; filename*=UTF-8''a%22b.png"),
        ("a\\b.png", "inline; filename=\"a_b.png\"; filename*=UTF-8''a%5Cb.png"),
        ("50%.png", "inline; filename=\"50_.png\"; filename*=UTF-8''50%25.png"),
        (
            "../etc/passwd",
            "inline; filename=\"unnamed._etc_passwd\"; filename*=UTF-8''..%2Fetc%2Fpasswd",
        ),
        ("a\r\nX: y", "inline; filename=\"a__X: y\"; filename*=UTF-8''a%0D%0AX%3A%20y"),
        ("日本", "inline; filename=\"unnamed\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC"),
    ],
)
def test_names_are_understood_by_old_and_new_readers(name: str, expected: str) -> None:
    """Plain ASCII for the old, the exact name beside it where that differs."""
    assert disposition(stored(filename=name)) == expected


@given(st.text(max_size=300))
def test_any_name_can_be_sent(name: str) -> None:
    """Whatever a database holds, the header is one line of ASCII, and carries the name."""
    text = disposition(stored(filename=name))

    assert text.isascii()
    assert text.isprintable()
    exact = text.partition("filename*=UTF-8''")[2]
    if exact:
        assert unquote(exact, errors="replace") == (name or UNNAMED)
    else:
        assert parse_options_header(text)[1]["filename"] == (name or UNNAMED)


# Conditions


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": ETAG},
        {"If-None-Match": f'"x", W/{ETAG}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": http_date(MOMENT)},
        {"If-None-Match": ETAG, "Range": "bytes=0-1"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_the_file_does_not_get_it_again(headers: dict[str, str], method: str) -> None:
    """304, by tag or by time."""
    opener = Opener()

    response, body = ask(headers, method=method, opener=opener)

    assert (response.status_code, body) == (304, b"")
    assert response.headers["ETag"] == ETAG
    assert "Cache-Control" in response.headers
    assert opener.stream is None


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": http_date(MOMENT)},
        {"If-Modified-Since": http_date(MOMENT - timedelta(seconds=1))},
        {"If-Modified-Since": "nonsense"},
    ],
)
def test_who_has_another_version_gets_the_file(headers: dict[str, str]) -> None:
    """A tag counts more than a time; what can't be understood counts for nothing."""
    assert ask(headers)[0].status_code == 200


# Parts


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        *(("bytes=0-0", 0, 1), ("bytes=0-99", 0, 100), ("bytes=10-", 10, 100)),
        *(("bytes=-1", 99, 100), ("bytes=-1000", 0, 100), ("bytes=90-1000", 90, 100)),
    ],
)
def test_a_part_is_that_part(asked: str, start: int, stop: int) -> None:
    """With where it stands and how long it is."""
    response, body = ask({"Range": asked})

    assert (response.status_code, body) == (206, CONTENT[start:stop])
    assert response.headers["Content-Range"] == f"bytes {start}-{stop - 1}/100"
    assert response.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=1000-"])
def test_a_part_that_is_not_there_is_refused(asked: str) -> None:
    """And the file is closed."""
    opener = Opener()

    with pytest.raises(RangeNotSatisfiableError) as refused:
        ask({"Range": asked}, opener=opener)

    assert refused.value.size_bytes == 100
    assert opener.stream is not None
    assert opener.stream.closed


@pytest.mark.parametrize(
    "asked",
    [
        *(
            "bytes=0-1,5-6",
            "lines=0-1",
            "bytes",
            "bytes=",
            "bytes=a-b",
            "bytes=5-1",
            "bytes=--1",
            "bytes=-0",
        ),
        *("0-1", f"bytes={'0-1,' * 5_000}0-1", "bytes=٣-"),
    ],
)
def test_what_is_no_single_part_gets_the_whole(asked: str) -> None:
    """Several parts, other units, and nonsense."""
    response, body = ask({"Range": asked})

    assert (response.status_code, body) == (200, CONTENT)


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        *((ETAG, 206), ('"other"', 200), (http_date(MOMENT), 206), ("nonsense", 200)),
        (http_date(MOMENT + timedelta(days=1)), 200),
        (http_date(MOMENT - timedelta(days=1)), 200),
    ],
)
def test_a_part_of_another_version_is_not_given(condition: str, status: int) -> None:
    """Who goes on with a file that has changed gets the whole."""
    assert ask({"Range": "bytes=0-1", "If-Range": condition})[0].status_code == status


def test_a_head_request_opens_and_closes() -> None:
    """The head of the whole, as `Range` means nothing for it; nothing stays open."""
    opener = Opener()

    response, body = ask({"Range": "bytes=0-1"}, method="HEAD", opener=opener)

    assert (response.status_code, body) == (200, b"")
    assert response.headers["Content-Length"] == "100"
    assert opener.stream is not None
    assert opener.stream.closed


def test_missing_bytes_are_told() -> None:
    """By who opens them."""

    def fails(_file: StoredFile) -> BinaryIO:
        raise NotFoundError("File not found")

    with pytest.raises(NotFoundError):
        answer(Request(EnvironBuilder("/").get_environ()), stored(), fails)


def test_the_server_gets_the_file_itself() -> None:
    """Where there is a `wsgi.file_wrapper`, no thread copies."""
    environ = EnvironBuilder("/", headers=Headers({"Range": "bytes=5-9"})).get_environ()
    wrapped: list[BinaryIO] = []

    def wrapper(stream: BinaryIO) -> list[BinaryIO]:
        wrapped.append(stream)
        return wrapped

    environ["wsgi.file_wrapper"] = wrapper

    response = answer(Request(environ), stored(), Opener())

    body: object = response.get_wsgi_response(environ)[0]
    assert body is wrapped
    assert wrapped[0].tell() == 5
    assert response.headers["Content-Length"] == "5"
