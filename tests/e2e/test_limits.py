"""Clients that send too much, too many, or nonsense are told so, and nobody else notices."""

from __future__ import annotations

import contextlib
import http.client
import json
import resource
import shutil
import subprocess
from collections.abc import Iterator

import pytest

import raw
from processes import SLOWNESS, Answer, ServerProcess, make_project, running_server, wait_until
from raw import Raw
from samples import LISTS

pytestmark = pytest.mark.e2e

KIB, MIB = 1 << 10, 1 << 20
TOO_MUCH = 200 * MIB
PIECE = b"x" * (64 * KIB)
ENVELOPE_413 = {
    "error": {"code": "payload_too_large", "message": "Request body is larger than 1 MiB"}
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all: after each test it has to answer as before."""
    folder = make_project(tmp_path_factory.mktemp("limits"), [LISTS])
    with running_server(folder) as running:
        yield running


@pytest.fixture(autouse=True)
def _still_serves(server: ServerProcess) -> Iterator[None]:
    """Fail the test after which the server is not as well as before."""
    yield
    with server.client(timeout_s=20) as client:
        assert client.get("/health").status == 200
    assert " ERROR " not in server.log
    assert "Traceback" not in server.log


def _pieces(total: int) -> Iterator[bytes]:
    for _ in range(total // len(PIECE)):
        yield PIECE


def _chunks(total: int) -> Iterator[bytes]:
    for piece in _pieces(total):
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _assert_too_large(answer: Answer) -> None:
    assert answer.status == 413
    assert answer.json == ENVELOPE_413
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Connection"] == "close"
    assert answer.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize("length", [TOO_MUCH, None], ids=["with a length", "in chunks"])
def test_a_client_that_looks_up_gets_its_413(server: ServerProcess, length: int | None) -> None:
    """A client that sends 200 MB and reads when its sending fails reads the envelope."""
    with Raw(server.port) as connection:
        connection.send(raw.post_head("/api/lists", length))
        connection.pour(_pieces(TOO_MUCH) if length else _chunks(TOO_MUCH))

        _assert_too_large(connection.answer("POST"))
        assert connection.is_closed()


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "in chunks"])
def test_a_library_gets_its_413(server: ServerProcess, is_chunked: bool) -> None:
    """So does Python's own client, which sends 200 MB in one go."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60 * SLOWNESS)
    headers = {"Content-Type": "application/json"}
    if not is_chunked:
        headers["Content-Length"] = str(TOO_MUCH)
    with contextlib.closing(connection):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(
                "POST", "/api/lists", _pieces(TOO_MUCH), headers, encode_chunked=is_chunked
            )
        response = connection.getresponse()
        _assert_too_large(Answer(response.status, response.headers, response.read()))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("framing", ["Content-Length", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("expect", ["Expect:", "Expect: 100-continue"])
def test_curl_gets_its_413(server: ServerProcess, framing: str, expect: str) -> None:
    """So does curl, with and without waiting for a 100 Continue."""
    headers = ["-H", "Content-Type: application/json", "-H", expect]
    if framing != "Content-Length":
        headers += ["-H", framing]
    command = ["curl", "-sS", "-X", "POST", *headers, "--data-binary", "@/dev/stdin"]
    command += ["-w", "\n%{http_code}", f"{server.url}/api/lists"]

    done = subprocess.run(
        command, input=bytes(TOO_MUCH), capture_output=True, timeout=100 * SLOWNESS, check=False
    )

    text, _, status = done.stdout.decode().rpartition("\n")
    assert (status, json.loads(text)) == ("413", ENVELOPE_413), done.stderr


@pytest.mark.parametrize("surplus", [0, 1])
def test_the_limit_is_exact(server: ServerProcess, surplus: int) -> None:
    """A body of the whole limit is read, one of a byte more is not."""
    body = json.dumps({"name": "x" * (MIB - len('{"name": ""}') + surplus)}).encode()
    with server.client() as client:
        answer = client.send("POST", "/api/lists", body)

    assert len(body) == MIB + surplus
    assert answer.status == (413 if surplus else 201)


@pytest.mark.parametrize("path", ["/", "/health", "/nowhere", "/api/nowhere", "/api/lists/rec_1"])
def test_the_limit_holds_on_every_route(server: ServerProcess, path: str) -> None:
    """No route reads a large body, not even one that would not look at it."""
    with Raw(server.port) as connection:
        connection.send(raw.post_head(path, TOO_MUCH))

        _assert_too_large(connection.answer("POST"))


MALFORMED = {
    "noise": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a header without a colon": b"GET /health HTTP/1.1\r\nHost test\r\n\r\n",
    "a header with a blank before its colon": b"GET /health HTTP/1.1\r\nHost : test\r\n\r\n",
    "a bare line feed": b"GET /health HTTP/1.1\nHost: test\r\n\r\n",
    "a length that is none": b"POST /health HTTP/1.1\r\nHost: t\r\nContent-Length: ten\r\n\r\n",
    "a negative length": b"POST /health HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n",
    "a length with a sign": b"POST /health HTTP/1.1\r\nHost: t\r\nContent-Length: +1\r\n\r\n",
    "a length of thousands of digits": (
        b"POST /health HTTP/1.1\r\nHost: t\r\nContent-Length: " + b"9" * 5_000 + b"\r\n\r\n"
    ),
    "two lengths": (
        b"POST /health HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
    ),
    "another coding": b"POST /health HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n",
    "a broken chunk": (
        b"POST /health HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
    ),
    "a head without end": b"GET /health HTTP/1.1\r\nHost: t\r\nX: "
    + b"x" * (300 * KIB)
    + b"\r\n\r\n",
    "a host in half a bracket": b"GET http://[::1 HTTP/1.1\r\nHost: t\r\n\r\n",
}


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_gets_an_envelope(server: ServerProcess, request_: bytes) -> None:
    """What is no HTTP is answered in the one shape of errors, with an id, and closed."""
    with Raw(server.port) as connection:
        connection.pour([request_])

        answer = connection.answer()
        assert 400 <= answer.status < 600
        assert answer.status not in (500, 503)
        assert answer.code == "bad_request"
        assert answer.headers["X-Request-Id"].startswith("req_")
        assert answer.headers["Connection"] == "close"
        assert connection.is_closed()


ANSWERED = [
    ("GET", "/health", None, 200),
    ("GET", "/", None, 200),
    ("HEAD", "/health", None, 200),
    ("OPTIONS", "/api/lists", None, 204),
    ("GET", "/api/lists", None, 200),
    ("POST", "/api/lists", b'{"name": "an id"}', 201),
    ("POST", "/api/lists", b"{}", 400),
    ("POST", "/api/lists", b"{", 400),
    ("DELETE", "/api/lists", None, 405),
    ("GET", "/api/lists/rec_none", None, 404),
    ("GET", "/api/nowhere", None, 404),
    ("GET", "/nowhere", None, 404),
    ("GET", "/api/lists?limit=many", None, 400),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), ANSWERED)
def test_every_answer_has_an_id_that_the_log_has_too(
    server: ServerProcess, method: str, path: str, body: bytes | None, status: int
) -> None:
    """Each answer carries its own X-Request-Id, and a line of the log has it with the status."""
    with server.client() as client:
        answer = client.send(method, path, body)

    request_id = answer.headers["X-Request-Id"]
    assert answer.status == status
    assert request_id.startswith("req_")
    lines = [line for line in server.log.splitlines() if request_id in line]
    assert len(lines) == 1
    assert f" {status} " in lines[0]


def test_no_two_answers_have_the_same_id(server: ServerProcess) -> None:
    """A client cannot choose the id, and it is never used twice."""
    with server.client() as client:
        chosen = {"X-Request-Id": "req_mine"}
        ids = [
            client.send("GET", "/health", None, chosen).headers["X-Request-Id"] for _ in range(50)
        ]

    assert len(set(ids)) == 50
    assert "req_mine" not in ids


@pytest.fixture
def _many_descriptors() -> Iterator[None]:
    """Let this process open as many files as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4_000
    if hard not in (-1, resource.RLIM_INFINITY) and hard < wanted:
        pytest.skip(f"only {hard} files may be open here, {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize(
    "has_asked",
    [
        pytest.param(False, id="silent"),
        pytest.param(True, id="answered once", marks=pytest.mark.slow),
    ],
)
@pytest.mark.usefixtures("_many_descriptors")
def test_idle_connections_stop_nobody(server: ServerProcess, has_asked: bool) -> None:
    """1,100 idle connections, more than the 1,000 that are kept, leave the server answering."""
    with contextlib.ExitStack() as stack:
        idle = []
        for _ in range(1_100):
            connection = stack.enter_context(Raw(server.port))
            if has_asked:
                assert connection.get("/health").answer().status == 200
            idle.append(connection)

        for number in range(20):
            with server.client(timeout_s=20) as client:
                assert client.post("/api/lists", {"name": f"{has_asked} {number}"}).status == 201
        # Those that were idle for the longest made room.
        assert idle[0].is_closed()
        assert idle[-1].get("/health").answer().status == 200
    wait_until(lambda: _answers(server), 20, what="the server answers")


def _answers(server: ServerProcess) -> bool:
    with server.client(timeout_s=20) as client:
        return client.get("/health").status == 200
