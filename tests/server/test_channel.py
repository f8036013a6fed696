"""One connection: answers, refusals, and how it ends."""

from __future__ import annotations

import http.client
import logging
import os
import select
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bakend.server.channel import (
    BODY_TIMEOUT_S,
    FLUSH_TIMEOUT_S,
    HEAD_TIMEOUT_S,
    KEEP_ALIVE_S,
    LINGER_BYTES,
    LINGER_S,
    LINGER_STALLED_S,
    PIECE_BYTES,
    TURN_BYTES,
)
from bakend.server.spool import AnswerBuffer

Serve = Callable[..., Any]
MIB = 1 << 20
HUGE = 200 * MIB


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[logging.LogRecord]]:
    """Return what anybody logged as a warning or worse."""
    caplog.set_level(logging.WARNING)
    return lambda: list(caplog.records)


# Answers


def test_a_connection_serves_one_request_after_another(serve: Serve) -> None:
    """A connection stays open, and its head names no server."""
    client = serve().connect()

    answers = [client.get("/").answer() for _ in range(3)]

    assert [answer.body for answer in answers] == [b"hello"] * 3
    assert {"server", "connection"}.isdisjoint(answers[0].headers)


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    """Requests that arrive together are answered one after another."""
    client = serve().connect()
    post = "POST /%d HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
    client.send("".join(post % (n, n, "x" * n) for n in range(1, 6)))

    assert [client.answer().body for _ in range(5)] == [b"%d bytes" % n for n in range(1, 6)]


@pytest.mark.parametrize("size", [1, 64 * 1024, 64 * 1024 + 1, MIB])
def test_a_body_arrives_whole(serve: Serve, size: int) -> None:
    """A body reaches the application, from memory or from the temporary folder."""
    assert serve().connect().post("/", b"x" * size).answer().body == b"%d bytes" % size


def test_a_body_is_asked_for(serve: Serve) -> None:
    """A client that waits for `100 Continue` gets it, then its answer, and can go on."""
    client = serve().connect()
    client.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")

    assert client.answer().status == 100
    assert client.send("abc").answer().body == b"3 bytes"
    assert client.get("/").answer().status == 200


def test_an_answer_without_a_length_ends_the_connection(serve: Serve) -> None:
    """A streamed answer arrives whole, in chunks, and says that it closes."""
    client = serve().connect()

    answer = client.get("/stream").answer()

    assert answer.body == b"piece 0\npiece 1\npiece 2\n"
    assert answer.headers["connection"] == "close"
    assert client.is_closed()


@pytest.mark.parametrize("path", ["/", "/stream"])
def test_a_head_request_gets_no_body(serve: Serve, path: str) -> None:
    """HEAD has the head of the answer and nothing after it."""
    client = serve().connect()

    answer = client.get(path, method="HEAD").answer(has_body=False)

    assert answer.status == 200
    if path == "/":
        assert client.get("/").answer().body == b"hello"  # nothing was left on the connection
    else:
        assert client.is_closed()


def test_an_answer_larger_than_every_buffer_arrives(serve: Serve) -> None:
    """A reader slower than the application gets all of it."""
    assert len(serve().connect().get("/large").answer().body) == 32 * MIB


# Files


def test_a_file_arrives_from_where_it_stands(serve: Serve, app: Any) -> None:
    """As many bytes as the head says, and then the connection can go on and the file is closed."""
    app.file_start, app.file_bytes = 100, 3 * MIB + 1
    running = serve()
    client = running.connect()

    assert client.get("/file").answer().body == bytes(app.file_bytes)
    assert client.get("/").answer().body == b"hello"
    assert [file.closed for file in app.files] == [True]
    assert isinstance(running.only_channel().outbufs[-1], AnswerBuffer)


def test_who_reads_no_file_holds_no_thread(serve: Serve, app: Any) -> None:
    """One thread serves others while many wait for someone to read."""
    running = serve(threads=1)
    slow = [running.connect().get("/file") for _ in range(8)]

    assert running.connect().get("/").answer().body == b"hello"
    assert len(slow[0].answer().body) == app.file_bytes


def test_who_asks_for_more_than_he_reads_holds_no_thread(serve: Serve, app: Any) -> None:
    """Requests sent together are begun one after another as answers are read, and all are answered."""
    running = serve(threads=1)
    eager = running.connect()
    for _ in range(4):
        eager.get("/file")
    lazy = running.connect()
    for _ in range(20):
        lazy.get("/piece")

    assert running.connect().get("/").answer().body == b"hello"
    assert len([file for file in app.files if not file.closed]) == 1
    assert [len(eager.answer().body) for _ in range(4)] == [app.file_bytes] * 4
    assert eager.get("/").answer().body == b"hello"


def test_small_files_that_nobody_reads_are_not_all_opened(serve: Serve, app: Any) -> None:
    """Each is a descriptor: one client must not take them all."""
    app.file_bytes = 100_000
    running = serve()
    client = running.connect()
    client.send("GET /file HTTP/1.1\r\nHost: test\r\n\r\n" * 150)
    running.until(lambda: any(channel._is_waiting for channel in running.channels()))

    assert running.connect().get("/").answer().body == b"hello"
    assert len([file for file in app.files if not file.closed]) <= 2
    assert [len(client.answer().body) for _ in range(150)] == [100_000] * 150


def test_a_file_is_closed_when_its_reader_is_gone(serve: Serve, app: Any) -> None:
    """Whatever was left to send, and whatever else he had asked for."""
    running = serve()
    client = running.connect().get("/file").get("/file").get("/file")
    running.until(lambda: app.files)
    _reset(client)

    running.until(lambda: not running.channels())
    running.until(lambda: all(file.closed for file in app.files))


def test_a_file_that_is_cut_ends_the_connection(
    serve: Serve, app: Any, logged: Callable[[], list[logging.LogRecord]]
) -> None:
    """What the head promised can't be sent: the client sees that it is not whole, the log says why."""
    running = serve()
    client = running.connect().get("/file")
    running.until(lambda: app.files)
    os.truncate(app.files[0].fileno(), MIB)

    with pytest.raises(AssertionError, match="not whole"):
        client.answer()

    assert client.is_closed()
    assert "shorter than it was" in logged()[0].getMessage()
    running.until(lambda: app.files[0].closed)


def test_a_fast_reader_does_not_hold_up_others(serve: Serve, app: Any) -> None:
    """What is sent in one turn of the loop is limited."""
    sent: list[int] = []
    running = serve()
    client = running.connect().get("/file")
    channel = running.only_channel()
    flush, before = channel._flush_some, channel.total_outbufs_len

    def measured(do_close: bool = True) -> bool:
        nonlocal before
        before = channel.total_outbufs_len
        done = bool(flush(do_close=do_close))
        sent.append(before - channel.total_outbufs_len)
        return done

    channel._flush_some = measured

    assert len(client.answer().body) == app.file_bytes
    assert 0 < max(sent) < TURN_BYTES + PIECE_BYTES


# Failures of the application


@pytest.mark.parametrize("path", ["/fail", "/exit", "/gone"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_failing_application_answers_500(
    serve: Serve, path: str, method: str, logged: Callable[[], list[logging.LogRecord]]
) -> None:
    """What the application raises is logged, answered in the envelope, and not shown."""
    running = serve(threads=1)
    client = running.connect().get(path, method=method)

    answer = client.answer(has_body=method != "HEAD")

    assert answer.status == 500
    assert answer.headers["x-request-id"] == "req_test"
    assert answer.headers["connection"] == "close"
    if method != "HEAD":
        assert answer.code == "internal_error"
        assert b"secret" not in answer.body
    assert client.is_closed()
    assert [record.name for record in logged()] == ["bakend.server"]
    assert running.connect().get("/").answer().status == 200  # its only thread lives


def test_a_failure_after_the_head_cuts_the_answer(serve: Serve) -> None:
    """An answer that cannot be finished ends early, so that nobody takes it for whole."""
    client = serve().connect().get("/late")

    with pytest.raises(AssertionError, match="not whole"):
        client.answer()


# Refusals


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        pytest.param("nonsense\r\n\r\n", 400, id="bad request line"),
        pytest.param("GET / HTTP/1.1\r\nbad header\r\n\r\n", 400, id="bad header"),
        pytest.param("GET / HTTP/1.0\r\nbad header\r\n\r\n", 400, id="HTTP/1.0"),
        pytest.param("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, id="bad length"),
        pytest.param("GET / HTTP/1.1\r\nA: " + "x" * 300_000, 431, id="a head too large"),
        pytest.param("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501, id="encoding"),
        pytest.param(
            "POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 9999999\r\n\r\n",
            413,
            id="HTTP/1.0 with keep-alive",
        ),
    ],
)
def test_a_refusal_is_in_the_envelope(serve: Serve, request_text: str, status: int) -> None:
    """What never reaches the application is answered like everything else, and closes."""
    client = serve().connect().send(request_text)

    answer = client.answer()

    assert answer.status == status
    assert answer.code in ("bad_request", "payload_too_large")
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-request-id"] == "req_test"
    assert answer.headers["connection"] == "close"
    assert client.is_closed()


def test_a_refused_head_request_gets_no_body(serve: Serve) -> None:
    """HEAD has no body in a refusal either, and its length is that of the envelope."""
    client = serve().connect()
    client.send("HEAD / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n")

    answer = client.answer(has_body=False)

    assert (answer.status, client.is_closed()) == (413, True)
    assert int(answer.headers["content-length"]) > 0


def test_answers_before_a_refusal_arrive(serve: Serve) -> None:
    """A bad request does not take the answers of the good ones before it."""
    client = serve().connect().send("GET / HTTP/1.1\r\n\r\nnonsense\r\n\r\n")

    assert [client.answer().status, client.answer().status] == [200, 400]


def test_a_body_too_large_is_refused_before_it_is_sent(serve: Serve) -> None:
    """A client that asks first hears 413 instead of `100 Continue`."""
    client = serve().connect()
    client.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")

    assert client.answer().status == 413


def test_a_refused_client_may_finish_sending(serve: Serve) -> None:
    """What still comes after a 413 is read and dropped; no reset takes the answer away."""
    running = serve()
    client = running.connect().post("/", b"x" * (8 * MIB))

    assert client.answer().code == "payload_too_large"
    assert client.is_closed()
    assert running.app.bodies == []


def test_lingering_holds_no_thread(serve: Serve, clock: Any) -> None:
    """A refused client that keeps its connection does not keep a thread."""
    running = serve(threads=1, clock=clock)
    refused = [running.connect().send("nonsense\r\n\r\n") for _ in range(3)]
    assert [client.answer().status for client in refused] == [400, 400, 400]

    assert running.connect().get("/").answer().status == 200


def test_lingering_ends_after_some_seconds(serve: Serve, clock: Any) -> None:
    """A refused client that neither sends nor closes is closed."""
    running = serve(clock=clock)
    client = running.connect().send("nonsense\r\n\r\n")
    assert client.answer().status == 400
    assert client.is_closed()  # our sending side; the socket is still there
    assert len(running.channels()) == 1

    running.advance(clock, LINGER_S)

    running.until(lambda: not running.channels())


def test_lingering_ends_after_some_bytes(serve: Serve, clock: Any) -> None:
    """A refused client that sends and sends is not read any more, and cut off a moment later."""
    running = serve(clock=clock)
    client = running.connect().send("nonsense\r\n\r\n")
    assert client.answer().status == 400
    client.socket.setblocking(False)

    sent = _send_until_full(client.socket)

    assert sent > LINGER_BYTES
    assert len(running.channels()) == 1
    running.advance(clock, LINGER_STALLED_S)
    running.until(lambda: not running.channels())
    with pytest.raises(ConnectionError):
        client.socket.send(b"x")


def test_a_client_that_sends_without_looking_is_not_reset(serve: Serve, clock: Any) -> None:
    """Node looks for an answer only when it can't send any more; then the answer is all it finds."""
    running = serve(clock=clock)
    client = running.connect().send(f"POST / HTTP/1.1\r\nContent-Length: {HUGE}\r\n\r\n")
    client.socket.setblocking(False)

    sent = _send_until_full(client.socket)

    assert LINGER_BYTES < sent < HUGE
    client.socket.settimeout(20)
    assert client.answer().code == "payload_too_large"
    running.advance(clock, LINGER_STALLED_S)


def _send_until_full(sock: socket.socket) -> int:
    """Send until nothing was taken for a moment; return how much was."""
    sent, piece = 0, b"x" * MIB
    while select.select([], [sock], [], 0.2)[1]:
        sent += sock.send(piece)
    return sent


def _pieces() -> Iterator[bytes]:
    piece = b"x" * MIB
    for _ in range(HUGE // MIB):
        yield piece


@pytest.mark.slow
def test_200_mb_on_a_raw_socket_reads_a_413(serve: Serve) -> None:
    """A client that only sends, until it cannot, still finds the answer."""
    client = serve().connect().send(f"POST / HTTP/1.1\r\nContent-Length: {HUGE}\r\n\r\n")

    with pytest.raises(ConnectionError):
        client.send(*_pieces())

    assert client.answer().code == "payload_too_large"


@pytest.mark.slow
@pytest.mark.parametrize("headers", [{"Content-Length": str(HUGE)}, {}], ids=["length", "chunked"])
def test_200_mb_by_http_client_reads_a_413(serve: Serve, headers: dict[str, str]) -> None:
    """Python's client, which never looks before it has sent all, finds the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", serve().port, timeout=20)
    try:
        with pytest.raises(ConnectionError):
            connection.request("POST", "/", _pieces(), headers, encode_chunked=not headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()

    assert answer.status == 413
    assert b"payload_too_large" in body


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
@pytest.mark.parametrize("expect", ["Expect: 100-continue", "Expect:"])
def test_200_mb_by_curl_reads_a_413(serve: Serve, tmp_path: Path, expect: str) -> None:
    """curl prints the envelope and reports no error, whether it asks first or not."""
    body = tmp_path / "body"
    with body.open("wb") as file:
        file.truncate(HUGE)
    url = f"http://127.0.0.1:{serve().port}/"
    command = ["curl", "-sS", "-H", expect, "-T", str(body), "-X", "POST", "-w", "%{http_code}"]

    done = subprocess.run([*command, url], capture_output=True, text=True, timeout=60)

    assert done.stdout.endswith("413")
    assert "payload_too_large" in done.stdout


# Disks


def test_a_full_disk_answers_507_and_the_server_goes_on(
    serve: Serve, tmp_path: Path, logged: Callable[[], list[logging.LogRecord]]
) -> None:
    """A body for which there is no space gets 507; requests that need none go on; no traceback."""
    small = tmp_path / "tmp0"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    running = serve()
    try:
        client = running.connect().post("/", b"x" * MIB)
        answer = client.answer()

        assert (answer.status, answer.code) == (507, "insufficient_storage")
        assert client.is_closed()
        assert running.connect().post("/", b"x" * 10_000).answer().body == b"10000 bytes"
        assert running.connect().post("/", b"x" * 128_000).answer().body == b"128000 bytes"
    finally:
        running.end()
        subprocess.run(["umount", str(small)], check=True)
    assert [(record.levelname, record.exc_info) for record in logged()] == [("ERROR", None)]


def test_another_fault_of_the_folder_answers_500(
    serve: Serve, logged: Callable[[], list[logging.LogRecord]]
) -> None:
    """A temporary folder that is gone is our fault, and is logged."""
    running = serve()
    running.connect().get("/").answer()
    running.temporary.rmdir()
    try:
        answer = running.connect().post("/", b"x" * MIB).answer()
    finally:
        running.temporary.mkdir()

    assert (answer.status, answer.code) == (500, "internal_error")
    assert [record.levelname for record in logged()] == ["ERROR"]


# Clients that go away


def _reset(client: Any) -> None:
    """Close so that the other side gets a reset."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize("leave", [_reset, lambda client: client.close()], ids=["reset", "close"])
@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(lambda c: c.send("GET / HT"), id="in the head"),
        pytest.param(lambda c: c.post("/", b"").send(b""), id="after an answer"),
        pytest.param(
            lambda c: c.send(
                "POST /upload HTTP/1.1\r\nContent-Length: 900000\r\n\r\n", b"x" * 500000
            ),
            id="in the body",
        ),
        pytest.param(lambda c: c.get("/large").socket.recv(1000), id="in the answer"),
        pytest.param(lambda c: c.send("nonsense\r\n\r\n"), id="after a refusal"),
        pytest.param(lambda c: c.send("nonsense\r\n\r\n").socket.recv(1000), id="lingering"),
    ],
)
def test_a_client_that_leaves_is_no_news(
    serve: Serve,
    begin: Callable[[Any], object],
    leave: Callable[[Any], None],
    logged: Callable[[], list[logging.LogRecord]],
) -> None:
    """A client may leave at any point; nothing is logged and nothing is left."""
    running = serve(threads=1)
    client = running.connect()
    begin(client)

    leave(client)

    running.until(lambda: not running.channels())
    assert running.connect().get("/").answer().status == 200
    assert logged() == []


def test_a_client_that_leaves_frees_its_thread(serve: Serve) -> None:
    """An application in the middle of a large answer is interrupted."""
    running = serve(threads=1)
    client = running.connect().get("/large")
    client.socket.recv(1000)
    client.close()

    assert running.connect().get("/").answer().status == 200


def test_urgent_data_closes_the_connection(serve: Serve) -> None:
    """HTTP has no urgent data, and it must not keep the loop busy."""
    client = serve().connect()
    client.socket.send(b"!", socket.MSG_OOB)

    assert client.is_closed()


# Time


@pytest.mark.parametrize(
    ("sent", "timeout_s"),
    [
        pytest.param("", KEEP_ALIVE_S, id="nothing"),
        pytest.param("\r\n", KEEP_ALIVE_S, id="blank lines are nothing"),
        pytest.param("GET / HTTP/1.1\r\nA", HEAD_TIMEOUT_S, id="half a head"),
        pytest.param("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n1", BODY_TIMEOUT_S, id="a body"),
    ],
)
def test_a_client_that_waits_too_long_is_closed(
    serve: Serve, clock: Any, sent: str, timeout_s: int
) -> None:
    """Each state of a connection has a time, and none is closed before it."""
    running = serve(clock=clock)
    client = running.connect().send(sent)
    channel = running.only_channel()
    running.until(lambda: not sent or channel.request is not None)
    running.tick(clock, 1)  # a request's time counts from the first look at it

    for _ in range(3):
        running.tick(clock, (timeout_s - 2) / 3)
    assert channel.connected

    running.tick(clock, 2)
    assert client.is_closed()


def test_a_slow_body_that_makes_progress_is_kept(serve: Serve, clock: Any) -> None:
    """A body may take long, as long as enough of it comes."""
    running = serve(clock=clock)
    client = running.connect().send("POST / HTTP/1.1\r\nContent-Length: 10240\r\n\r\n")
    channel = running.only_channel()

    for part in range(10):
        client.send(b"x" * 1024)
        if part < 9:
            running.until(lambda so_far=1024 * (part + 1): _body_bytes(channel) == so_far)
        running.tick(clock, BODY_TIMEOUT_S - 1)
        running.tick(clock, 1)

    assert client.answer().body == b"10240 bytes"


def test_a_drip_is_no_progress(serve: Serve, clock: Any) -> None:
    """A byte now and then does not keep a connection."""
    running = serve(clock=clock)
    client = running.connect().send("POST / HTTP/1.1\r\nContent-Length: 10240\r\n\r\n")
    channel = running.only_channel()
    running.until(lambda: channel.request is not None)
    running.tick(clock, 1)

    for part in range(4):
        client.send(b"x")
        running.until(lambda so_far=part + 1: _body_bytes(channel) == so_far)
        running.tick(clock, BODY_TIMEOUT_S / 4 - 1)
    assert channel.connected
    running.tick(clock, 4)

    assert client.is_closed()


def _body_bytes(channel: Any) -> int:
    return 0 if channel.request is None else int(channel.request.body_bytes_received)


def test_a_client_that_does_not_read_is_closed(serve: Serve, clock: Any) -> None:
    """A client that takes nothing of its answer cannot hold a thread for ever."""
    running = serve(threads=1, clock=clock)
    running.connect().get("/large")
    large = running.only_channel()
    running.until(lambda: large.total_outbufs_len > MIB)
    other = running.connect().get("/")
    running.until(lambda: sum(bool(channel.requests) for channel in running.channels()) == 2)

    # In small steps: the one after the close must not make the other's answer overdue, too.
    running.until(lambda: running.advance(clock, FLUSH_TIMEOUT_S / 60) and not large.connected)

    assert other.answer().status == 200


def test_a_slow_application_is_waited_for(serve: Serve, clock: Any) -> None:
    """How long the application takes is its own affair."""
    running = serve(clock=clock)
    client = running.connect().get("/wait")
    assert running.app.entered.acquire(timeout=20)

    running.tick(clock, 3_600)
    running.app.gate.set()

    assert client.answer().body == b"waited"
