"""Forms with files, well-formed and otherwise."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from flask import Request
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from bakend.api.uploads import BOUNDARY_MAX, FIELDS_BYTES, PARTS_MAX, received
from bakend.errors import InvalidInputError, StorageFullError
from bakend.storage.incoming import Incoming

MAX_BYTES: Final = 300_000
PIECE_BYTES: Final = 64 * 1024
"""So much the parser reads at once."""
TYPE: Final = "multipart/form-data; boundary=bound"


@pytest.fixture
def receive(tmp_path: Path) -> Iterator[Callable[[], Incoming]]:
    """Makes new files; at the end of the test none is left."""
    yield lambda: Incoming(tmp_path, max_bytes=MAX_BYTES)
    assert list(tmp_path.iterdir()) == []


def part(name: str, content: bytes, filename: str | None = None, *more: str) -> bytes:
    """Write one part of a form."""
    file = "" if filename is None else f'; filename="{filename}"'
    head = "".join(f"{line}\r\n" for line in more)
    return (
        f'--bound\r\nContent-Disposition: form-data; name="{name}"{file}\r\n{head}\r\n'.encode()
        + content
        + b"\r\n"
    )


def form(*parts: bytes) -> bytes:
    """Write a whole form."""
    return b"".join(parts) + b"--bound--\r\n"


def request(body: bytes, content_type: str = TYPE) -> Request:
    builder = EnvironBuilder("/", method="POST", content_type=content_type)
    builder.input_stream = io.BytesIO(body)
    builder.content_length = len(body)
    return Request(builder.get_environ())


def refused(receive: Callable[[], Incoming], body: bytes, content_type: str = TYPE) -> str:
    """Return the message of the refusal."""
    with pytest.raises(InvalidInputError) as error, received(request(body, content_type), receive):
        pass
    return error.value.message


@pytest.mark.parametrize("is_first", [True, False])
def test_fields_come_in_any_order(receive: Callable[[], Incoming], is_first: bool) -> None:
    """JavaScript sends the file first, Dart the fields."""
    parts = [part("file", b"hello", "a.png"), part("visibility", b"public")]

    with received(request(form(*(parts if is_first else parts[::-1]))), receive) as upload:
        assert upload.content.path.read_bytes() == b"hello"
        assert (upload.filename, upload.mime_type) == ("a.png", "image/png")
        assert upload.visibility == "public"


def test_the_first_file_wins(receive: Callable[[], Incoming]) -> None:
    """Of several, and whatever else is in the form."""
    body = form(
        part("other", b"x", "x.png"),
        part("file", b"text"),
        part("file", b"first", "1.png"),
        part("file", b"second", "2.png"),
    )

    with received(request(body), receive) as upload:
        assert (upload.filename, upload.content.path.read_bytes()) == ("1.png", b"first")


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('filename="a.txt"', "a.txt"),
        ('filename=""', "unnamed"),
        ("filename=a.txt", "a.txt"),
        ('filename="☃.txt"', "☃.txt"),
        ('filename="a%22b.txt"', 'a"b.txt'),
        ('filename="a\\"b.txt"', 'a"b.txt'),
        ('filename="C:/fakepath/a.txt"', "a.txt"),
        ('filename="../../etc/passwd"', "passwd"),
        ("filename=\"x\"; filename*=UTF-8''%E2%98%83.txt", "☃.txt"),
        ("filename*=UTF-8''..%2F..%2Fpasswd", "passwd"),
    ],
)
def test_names_as_clients_write_them(receive: Callable[[], Incoming], head: str, name: str) -> None:
    """Browsers and clients quote in several ways."""
    body = f'--bound\r\nContent-Disposition: form-data; name="file"; {head}\r\n\r\nx\r\n'.encode()

    with received(request(form(body)), receive) as upload:
        assert upload.filename == name


def test_the_parts_type_counts_where_the_name_says_nothing(
    receive: Callable[[], Incoming],
) -> None:
    """And only there."""
    body = form(part("file", b"x", "drawing", "Content-Type: application/x-drawing"))

    with received(request(body), receive) as upload:
        assert upload.mime_type == "application/x-drawing"


# Contents


@pytest.mark.parametrize("shift", range(-20, 4))
@pytest.mark.parametrize("line", [b"x", b"\r", b"\n", b"-", b"\r\n--bound"[:-1]])
def test_content_is_kept_to_the_byte_wherever_a_piece_ends(
    receive: Callable[[], Incoming], shift: int, line: bytes
) -> None:
    """The parser reads pieces, and one may end inside the last boundary."""
    empty = len(form(part("file", b"", "a"))) - len(b"\r\n--bound--\r\n")
    length = PIECE_BYTES - empty + shift
    content = (line * length)[:length]

    with received(request(form(part("file", content, "a"))), receive) as upload:
        assert upload.content.path.read_bytes() == content


@settings(max_examples=50)
@given(st.lists(st.sampled_from([b"\r\n", b"\n", b"\r", b"-", b"--", b"--boun", b"\x00", b"a"])))
def test_content_that_looks_like_a_boundary_is_kept(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    """Line ends and dashes are content like any other."""
    content = b"x".join(pieces)
    folder = tmp_path_factory.getbasetemp()

    def receive() -> Incoming:
        return Incoming(folder, max_bytes=MAX_BYTES)

    with received(request(form(part("file", content, "a"))), receive) as upload:
        assert upload.content.path.read_bytes() == content
        assert upload.content.finish() == hashlib.sha256(content).hexdigest()


def test_too_much_is_said_after_the_form_is_known_to_be_one(
    receive: Callable[[], Incoming],
) -> None:
    """The size is the last of the checks; the file is not written beyond it."""
    body = form(part("file", bytes(MAX_BYTES + 1), "a"))

    with received(request(body), receive) as upload:
        assert upload.content.path.stat().st_size <= MAX_BYTES
        with pytest.raises(InvalidInputError, match="exceeds maximum size of 300 KB"):
            upload.content.require_fit()


# Refusals


@pytest.mark.parametrize(
    "body",
    [
        form(),
        form(part("file", b"x")),
        form(part("visibility", b"public")),
        form(part("File", b"x", "a")),
        form(b'--bound\r\nContent-Disposition: form-data; filename="a"\r\n\r\nx\r\n'),
    ],
)
def test_a_form_without_a_file_is_refused(receive: Callable[[], Incoming], body: bytes) -> None:
    """A text of that name is no file."""
    assert refused(receive, body) == "Field 'file' is required"


WHOLE: Final = form(part("file", b"x", "a"))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", TYPE),
        (b"--bound", TYPE),
        (b"--bound--", "multipart/form-data"),
        (WHOLE, "multipart/form-data; boundary="),
        (WHOLE, f"multipart/form-data; boundary={'b' * (BOUNDARY_MAX + 1)}"),
        (WHOLE, "multipart/form-data; boundary=böund"),
        (WHOLE, "multipart/mixed; boundary=bound"),
        (WHOLE, "application/x-www-form-urlencoded"),
        (WHOLE, "application/json"),
        (WHOLE, ""),
        (WHOLE[:-10], TYPE),
        (b"--bound\r\nContent-Type: text/plain\r\n\r\nx\r\n--bound--", TYPE),
        (b"--bound\r\nContent-Disposition: \xff\xfe\r\n\r\nx\r\n--bound--", TYPE),
        (form(*[part(f"f{n}", b"") for n in range(PARTS_MAX + 1)]), TYPE),
        (form(*[part(f"f{n}", b"x", "a") for n in range(PARTS_MAX + 1)]), TYPE),
        (form(part("note", b"x" * (FIELDS_BYTES + 1)), part("file", b"x", "a")), TYPE),
        (form(part("file", b"x", "a", f"X-Long: {'x' * FIELDS_BYTES}")), TYPE),
        (b"x" * (FIELDS_BYTES + 1) + WHOLE, TYPE),
    ],
)
def test_what_is_no_form_is_refused(
    receive: Callable[[], Incoming], body: bytes, content_type: str
) -> None:
    """Broken, cut off, or more than a form of one file needs; in one sentence, and nothing is left."""
    assert refused(receive, body, content_type) == "Invalid multipart form data"


@settings(max_examples=50)
@given(st.data())
def test_no_form_breaks_the_server(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Any bytes are a form or are refused."""
    words = [b"--bound", b"--", b"\r\n", b"\n", b"\r", b":", b'"', b";", b"=", b"name", b"file"]
    heads = [b"Content-Disposition: form-data", b"filename", b"*=UTF-8''%", b"Content-Length: x"]
    whole = form(part("file", b"x", "a"))
    body = b"".join(
        data.draw(
            st.lists(st.one_of(st.sampled_from([*words, *heads, whole]), st.binary(max_size=8)))
        )
    )
    folder = tmp_path_factory.getbasetemp()
    before = sorted(folder.iterdir())

    try:
        with received(request(body), lambda: Incoming(folder, max_bytes=9)) as upload:
            assert upload.filename
    except InvalidInputError:
        pass

    assert sorted(folder.iterdir()) == before


def test_a_disk_without_room_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As such, not as a broken form."""

    def full(_data: bytes) -> int:
        raise StorageFullError("No space is left on the disk")

    def receive() -> Incoming:
        incoming = Incoming(tmp_path, max_bytes=9)
        monkeypatch.setattr(incoming, "write", full)
        return incoming

    with pytest.raises(StorageFullError), received(request(WHOLE), receive):
        pass

    assert list(tmp_path.iterdir()) == []


def test_the_parser_still_needs_whole_lines() -> None:
    """Without them it adds a byte; once it does not, reading whole lines can go."""
    from werkzeug.formparser import MultiPartParser

    class Cut(io.BytesIO):
        is_first = True

        def read(self, size: int | None = -1) -> bytes:
            first, self.is_first = self.is_first, False
            return super().read(len(WHOLE) - 3 if first else size)

    kept = io.BytesIO()
    MultiPartParser(lambda *_given, **_named: kept).parse(Cut(WHOLE), b"bound", None)

    assert kept.getvalue() == b"x\r"
