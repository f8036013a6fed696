"""Reading requests, byte by byte where that matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from waitress.adjustments import Adjustments  # type: ignore[import-untyped]

from bakend.server.limits import BodyLimits
from bakend.server.parser import RequestParser
from bakend.server.upgrades import Upgrades

Parse = Callable[..., RequestParser]


@pytest.fixture
def parse() -> Iterator[Parse]:
    """Feed bytes to a new parser, all at once or in pieces."""
    with ExitStack() as stack:

        def run(data: bytes, *, step: int | None = None) -> RequestParser:
            adj = Adjustments(inbuf_overflow=64)
            parser = RequestParser(adj, BodyLimits({"/": 10, "/upload": 1000}), Upgrades({}))
            stack.callback(parser.close)
            while data and not parser.completed:
                data = data[parser.received(data[:step]) :]
            return parser

        yield run


def _post(headers: str, body: bytes = b"", path: str = "/", version: str = "1.1") -> bytes:
    return f"POST {path} HTTP/{version}\r\n{headers}\r\n\r\n".encode() + body


@pytest.mark.parametrize("step", [1, 7, None])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_post("Content-Length: 10", b"0123456789"), id="length"),
        pytest.param(
            _post("Transfer-Encoding: chunked", b"4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n"),
            id="chunked",
        ),
        pytest.param(
            _post(
                "Transfer-Encoding: chunked",
                b"".join(b"1\r\n%d\r\n" % digit for digit in range(10)) + b"0\r\n\r\n",
            ),
            id="framing does not count",
        ),
    ],
)
def test_a_body_as_large_as_its_limit_is_taken(parse: Parse, data: bytes, step: int | None) -> None:
    """The limit itself is allowed, however the body arrives."""
    parser = parse(data, step=step)

    assert (parser.completed, parser.error) == (True, None)
    assert parser.get_body_stream().read() == b"0123456789"


@pytest.mark.parametrize("step", [1, 7, None])
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(_post("Content-Length: 11"), id="length, on the head alone"),
        pytest.param(_post("Content-Length: 11\r\nExpect: 100-continue"), id="before 100-continue"),
        pytest.param(_post("Transfer-Encoding: chunked", b"B\r\n"), id="an announced chunk"),
        pytest.param(_post("Transfer-Encoding: chunked", b"9\r\n012345678\r\n2\r\n"), id="the sum"),
        pytest.param(_post("Content-Length: 11", path="/%75pload/../x"), id="decoded path"),
    ],
)
def test_a_larger_body_is_refused_at_once(parse: Parse, data: bytes, step: int | None) -> None:
    """A body over its limit is refused as soon as that is known, before it is sent."""
    parser = parse(data, step=step)

    assert parser.completed
    assert (parser.error.status, parser.error.error.code) == (413, "payload_too_large")
    assert parser.error.error.message == "Request body is larger than 10 bytes"
    assert not parser.expect_continue


def test_the_limit_is_that_of_the_decoded_path(parse: Parse) -> None:
    """Percent escapes and doubled slashes do not change the limit."""
    parser = parse(_post("Content-Length: 1000", b"x" * 1000, path="//%75pload/"))

    assert parser.error is None
    assert len(parser.get_body_stream().read()) == 1000


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="no request line"),
        pytest.param(b"get / HTTP/1.1\r\n\r\n", 400, id="a method in lower case"),
        pytest.param(b"GET http://[::1 HTTP/1.1\r\n\r\n", 400, id="half a bracket"),
        pytest.param(b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, id="a header without a colon"),
        pytest.param(_post("Content-Length: x\r\nExpect: 100-continue"), 400, id="no length"),
        pytest.param(_post("Content-Length: " + "9" * 5000), 400, id="thousands of digits"),
        pytest.param(_post("Content-Length: 1\r\nContent-Length: 2"), 400, id="two lengths"),
        pytest.param(_post("Transfer-Encoding: chunked", b"xyz\r\n"), 400, id="no chunk size"),
        pytest.param(_post("Transfer-Encoding: chunked", b"1" * 9000), 400, id="an endless line"),
        pytest.param(
            _post("Transfer-Encoding: chunked", b"0\r\n" + b"a: b\r\n" * 20_000),
            400,
            id="an endless trailer",
        ),
        pytest.param(_post("Transfer-Encoding: gzip"), 501, id="another encoding"),
        pytest.param(_post("Transfer-Encoding: chunked", version="1.0"), 400, id="too old for it"),
        pytest.param(b"GET / HTTP/1.1\r\nA: " + b"x" * 300_000, 431, id="a head too large"),
    ],
)
def test_what_cannot_be_read_is_refused(parse: Parse, data: bytes, status: int) -> None:
    """Whatever is wrong with a request ends as a refusal with a sentence."""
    parser = parse(data, step=4096)

    assert parser.completed
    assert not parser.expect_continue
    assert (parser.error.status, parser.error.error.code) == (status, "bad_request")
    assert parser.error.error.message


def test_a_refused_request_takes_all_that_follows(parse: Parse) -> None:
    """The rest of a refused body is never taken for the next request."""
    parser = parse(b"")
    data = _post("Content-Length: 5000", b"GET / HTTP/1.1\r\n\r\n")

    assert parser.received(data) == len(data)


def test_a_request_without_a_body_waits_for_none(parse: Parse) -> None:
    """`Expect: 100-continue` without a body is answered, not waited for."""
    parser = parse(b"GET / HTTP/1.1\r\nExpect: 100-continue\r\n\r\n")

    assert parser.completed
    assert not parser.expect_continue
