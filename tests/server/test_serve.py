"""The server as a whole: its life, its end, and how many it takes."""

from __future__ import annotations

import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bakend.clock import SystemClock
from bakend.errors import AddressInUseError, NotWritableError
from bakend.server.serve import FIRST_WORD_S, REFUSED_MAX, Server, Supervisor

Serve = Callable[..., Any]
KIB = 1 << 10


def _refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False  # in the middle of closing
    return False


def _names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


# Life


def test_threads_are_named_and_end(serve: Serve) -> None:
    """Each thread of the server has a name, and none outlives run()."""
    running = serve(threads=3)
    running.connect().get("/").answer()
    assert {"waitress-0", "waitress-1", "waitress-2"} <= _names()

    running.server.stop()
    running.join()

    assert not [name for name in _names() if name.startswith("waitress-")]


def test_a_server_may_be_stopped_before_it_runs(serve: Serve, app: Any, tmp_path: Path) -> None:
    """A stop that comes too early is not lost."""
    running = serve()
    running.server.stop()
    running.server.stop()

    running.join()

    assert _refused(running.port)


def test_a_server_that_never_ran_can_be_closed(app: Any, tmp_path: Path) -> None:
    """close() gives the port back, once or twice."""
    server = _server(app, tmp_path)
    port = server.addresses[0][1]

    server.close()
    server.close()

    assert _refused(port)


def _server(app: Any, temporary: Path, **changed: Any) -> Server:
    options: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": 0,
        "threads": 1,
        "max_connections": 10,
        "stop_timeout_s": 1,
        "body_limits": {"/": 1},
        "temporary": temporary,
        "error_response": lambda _error, status: (status, [], b""),
        "clock": SystemClock(),
    }
    return Server(app, **(options | changed))


def test_a_taken_port_leaves_nothing_open(serve: Serve, app: Any, tmp_path: Path) -> None:
    """A second server on the same port says so."""
    running = serve()

    with pytest.raises(AddressInUseError):
        _server(app, tmp_path / "other", port=running.port)


def test_the_temporary_folder_is_emptied_at_start(serve: Serve, app: Any, tmp_path: Path) -> None:
    """Plain files that a killed process left are removed; nothing else is."""
    folder = tmp_path / "tmp"
    (folder / "kept").mkdir(parents=True)
    (folder / "left").write_bytes(b"x")
    (tmp_path / "target").write_bytes(b"x")
    (folder / "link").symlink_to(tmp_path / "target")

    _server(app, folder).close()

    assert sorted(path.name for path in folder.iterdir()) == ["kept", "link"]


def test_a_temporary_folder_that_cannot_be_made_is_one_sentence(app: Any, tmp_path: Path) -> None:
    """A storage folder that is a file is named, with what to do."""
    (tmp_path / "storage").write_bytes(b"")

    with pytest.raises(NotWritableError, match="temporary files") as caught:
        _server(app, tmp_path / "storage" / "tmp")

    assert caught.value.hint


def test_tempfile_uses_the_folder_while_the_server_runs(serve: Serve) -> None:
    """Whoever spools while a request runs does it in our folder; afterwards all is as before."""
    before = tempfile.gettempdir()
    running = serve()
    running.connect().get("/").answer()
    during = tempfile.gettempdir()

    running.server.stop()
    running.join()

    assert (during, tempfile.gettempdir()) == (str(running.temporary), before)


# The end


def test_stopping_with_nothing_to_do_is_immediate(serve: Serve, clock: Any) -> None:
    """Idle connections are closed, and nobody waits for time to pass."""
    running = serve(clock=clock)
    fresh, used = running.connect(), running.connect()
    used.get("/").answer()

    running.server.stop()
    running.join()

    assert fresh.is_closed()
    assert used.is_closed()
    assert _refused(running.port)


def test_every_request_that_began_is_answered(serve: Serve) -> None:
    """After stop(), each connection with a request gets its whole answer, which says that it closes.

    A hundred keep-alive connections, each answered once before, each with a request whose head was
    sent before the stop: slow in the application, in the middle of the body, and in the queue.
    """
    running = serve(threads=8)
    clients = [running.connect() for _ in range(100)]
    for client in clients:
        assert "connection" not in client.get("/").answer().headers
    slow, halves, queued = clients[:25], clients[25:50], clients[50:]
    for client in slow:
        client.get("/wait")
    for _ in range(8):
        assert running.app.entered.acquire(timeout=20)
    for client in halves:
        client.send("POST / HTTP/1.1\r\nContent-Length: 200000\r\n\r\n", b"x" * 100_000)
    for client in queued:
        client.get("/")

    running.server.stop()
    running.until(lambda: _refused(running.port))
    running.server.stop()
    for client in halves:
        client.send(b"x" * 100_000)
    running.app.gate.set()

    for client in clients:
        answer = client.answer()
        expected = b"waited" if client in slow else b"hello"
        assert answer.body == (b"200000 bytes" if client in halves else expected)
        assert answer.headers["connection"] == "close"
        assert client.is_closed()
    running.join()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("G", "ET / HTTP/1.1\r\n\r\n", id="a byte of the head"),
        pytest.param("GET / HTTP/1.1\r\nA: b", "\r\n\r\n", id="part of the head"),
        pytest.param("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "12345", id="the head"),
        pytest.param("GET / HTTP/1.0\r\nConnection: keep-alive\r\n", "\r\n", id="HTTP/1.0"),
        pytest.param(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n",
            "x\r\n0\r\n\r\n",
            id="part of a chunk",
        ),
    ],
)
def test_a_request_that_is_arriving_is_waited_for(serve: Serve, before: str, after: str) -> None:
    """Whatever has arrived of a request when the server stops, the rest may follow."""
    running = serve()
    client = running.connect().send(before)

    running.server.stop()
    running.until(lambda: _refused(running.port))
    client.send(after)

    answer = client.answer()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    running.join()


def test_a_client_waiting_to_send_its_body_is_served(serve: Serve) -> None:
    """`100 Continue` is still said after stop()."""
    running = serve()
    client = running.connect()
    client.send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    running.server.stop()

    assert client.answer().status == 100
    assert client.send("abc").answer().body == b"3 bytes"
    running.join()


def test_blank_lines_are_no_request(serve: Serve, clock: Any) -> None:
    """A client that sent nothing but line ends is not waited for."""
    running = serve(clock=clock)
    client = running.connect().get("/")
    client.answer()
    client.send("\r\n")

    running.server.stop()
    running.join()

    assert client.is_closed()


def test_pipelined_requests_are_answered_and_the_last_one_closes(serve: Serve) -> None:
    """Of several requests that were read before the stop, only the last answer says close."""
    running = serve(threads=1)
    client = running.connect()
    client.send("GET /wait HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\nContent-")
    assert running.app.entered.acquire(timeout=20)

    running.server.stop()
    running.until(lambda: _refused(running.port))
    running.app.gate.set()
    first, second = client.answer(), client.answer()
    last = client.send("Length: 1\r\n\r\nx").answer()

    assert [first.body, second.body, last.body] == [b"waited", b"hello", b"1 bytes"]
    assert [("connection" in answer.headers) for answer in (first, second, last)] == [
        False,
        False,
        True,
    ]
    assert client.is_closed()
    running.join()


def test_an_answer_still_being_read_is_sent_whole(serve: Serve) -> None:
    """A slow reader gets the rest of its answer after stop()."""
    running = serve()
    client = running.connect().get("/large")
    running.until(lambda: any(channel.total_outbufs_len for channel in running.channels()))

    running.server.stop()
    running.until(lambda: _refused(running.port))

    assert len(client.answer().body) == 32 * KIB * KIB
    assert client.is_closed()
    running.join()


def test_who_connected_is_served_though_not_accepted_yet(app: Any, tmp_path: Path) -> None:
    """A connection that waits in the kernel with its request is in time."""
    server = _server(app, tmp_path)
    with ExitStack() as stack:
        waiting = [
            stack.enter_context(socket.create_connection(server.addresses[0])) for _ in range(5)
        ]
        for sock in waiting:
            sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        server.stop()

        server.run()

        for sock in waiting:
            assert b"Connection: close" in sock.recv(4096)


def test_what_takes_too_long_is_closed(
    serve: Serve, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """After the time to stop, what is left is closed, and a WARN says how many."""
    running = serve(clock=clock, stop_timeout_s=25)
    halves = [running.connect().send("POST / HTTP/1.1\r\nContent-Len") for _ in range(3)]
    done = running.connect().get("/wait")
    assert running.app.entered.acquire(timeout=20)
    running.server.stop()
    running.until(lambda: _refused(running.port))
    running.advance(clock, 24)
    running.app.gate.set()
    assert done.answer().body == b"waited"
    running.until(lambda: len(running.channels()) == 3)

    with caplog.at_level(logging.WARNING, "bakend.server"):
        running.advance(clock, 1)
        running.join()

    assert all(client.is_closed() for client in halves)
    assert [record.getMessage().endswith("count=3") for record in caplog.records] == [True]


def test_a_thread_that_hangs_is_given_up_by_name(
    serve: Serve, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An application that does not return cannot keep run() from returning."""
    running = serve(clock=clock, threads=1)
    client = running.connect().get("/wait")
    assert running.app.entered.acquire(timeout=20)
    running.server.stop()
    running.until(lambda: _refused(running.port))
    hanging = [thread for thread in threading.enumerate() if thread.name == "waitress-0"]

    with caplog.at_level(logging.WARNING, "bakend.server"):
        running.advance(clock, 60)
        running.join()

    assert client.is_closed()
    assert "threads=waitress-0" in caplog.text
    running.app.gate.set()
    hanging[0].join(20)
    assert not hanging[0].is_alive()


# Whoever supervises


class Watch:
    """A supervisor that keeps what it hears."""

    def __init__(self, every_s: float) -> None:
        self.threads: list[str] = []
        self.stops = 0
        self.supervisor = Supervisor(
            answers=lambda: self.threads.append(threading.current_thread().name),
            every_s=every_s,
            stops=self._stop,
        )

    def _stop(self) -> None:
        self.stops += 1


def test_a_supervisor_hears_of_a_server_that_answers(serve: Serve, clock: Any) -> None:
    """At once, then each time the clock says so, from a thread that answers requests; then of the stop."""
    watch = Watch(10)
    running = serve(clock=clock, threads=1, supervisor=watch.supervisor)
    running.until(lambda: watch.threads == ["waitress-0"])

    running.tick(clock, 9)
    assert len(watch.threads) == 1
    running.tick(clock, 1)
    running.until(lambda: len(watch.threads) == 2)
    assert watch.stops == 0

    running.server.stop()
    running.join()
    assert watch.stops == 1


def test_a_supervisor_hears_nothing_while_all_threads_are_stuck(serve: Serve, clock: Any) -> None:
    """That the loop still turns is no sign of life: nobody is answered."""
    watch = Watch(10)
    running = serve(clock=clock, threads=2, supervisor=watch.supervisor)
    running.until(lambda: len(watch.threads) == 1)
    clients = [running.connect().get("/wait") for _ in range(2)]
    for _ in clients:
        assert running.app.entered.acquire(timeout=20)

    for _ in range(3):
        running.advance(clock, 10)
        running.until(lambda: running.server._next_tick > clock.seconds)
    assert len(watch.threads) == 1

    running.app.gate.set()
    assert [client.answer().body for client in clients] == [b"waited"] * 2
    running.until(lambda: len(watch.threads) == 2)


# Sockets that somebody else holds, too


def test_who_is_in_the_queue_of_a_shared_socket_is_left_to_the_next(
    app: Any, tmp_path: Path
) -> None:
    """A stop takes nobody from it and closes nobody in it; the next server answers them."""
    with socket.create_server(("127.0.0.1", 0)) as held, ExitStack() as stack:
        first = _server(app, tmp_path / "first", sockets=[held.dup()])
        assert first.addresses == [held.getsockname()]
        waiting = [stack.enter_context(socket.create_connection(held.getsockname())) for _ in "abc"]
        for sock in waiting:
            sock.sendall(b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n")
        first.stop()
        first.run()

        second = _server(app, tmp_path / "second", sockets=[held.dup()])
        serving = threading.Thread(target=second.run)
        serving.start()
        answers = [sock.recv(4096) for sock in waiting]
        second.stop()
        serving.join(20)

    assert [answer[:12] for answer in answers] == [b"HTTP/1.1 200"] * 3


def test_who_came_to_a_shared_socket_just_before_the_stop_is_answered(
    serve: Serve, clock: Any
) -> None:
    """It was accepted, so no next process will have it; who says nothing is closed after a moment."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        running = serve(clock=clock, sockets=[held.dup()])
        asks, silent = running.connect(), running.connect()
        running.until(lambda: len(running.channels()) == 2)

        running.server.stop()
        answer = asks.get("/").answer()
        assert asks.is_closed()
        assert [len(running.channels())] == [1]
        running.advance(clock, FIRST_WORD_S)
        running.join()

    assert (answer.body, answer.headers["connection"]) == (b"hello", "close")
    assert silent.is_closed()


PROGRAM = """
    import signal, sys, threading
    from pathlib import Path
    from bakend.clock import SystemClock
    from bakend.server.serve import Server

    def app(environ, start):
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    server = Server(
        app, host="127.0.0.1", port=0, threads=2, max_connections=1000, stop_timeout_s=20,
        body_limits={"/": 1000}, temporary=Path(sys.argv[1]), clock=SystemClock(),
        error_response=lambda error, status: (status, [], b""),
    )
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    print(server.addresses[0][1], server._max_connections, flush=True)
    server.run()
    print([t.name for t in threading.enumerate()])
"""


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Start a server as a process of its own."""
    with ExitStack() as stack:

        def start(prelude: str = "") -> Any:
            program = textwrap.dedent(prelude) + textwrap.dedent(PROGRAM)
            command = [sys.executable, "-W", "error", "-c", program, str(tmp_path / "tmp")]
            pipe = subprocess.PIPE
            env = {"PYTHONPATH": os.pathsep.join(sys.path)}
            one = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env)
            stack.callback(one.communicate)
            stack.callback(one.kill)
            return one

        yield start


def test_a_signal_ends_the_process_after_the_answer(process: Callable[..., Any]) -> None:
    """SIGTERM, twice, in the middle of a request: it is answered, and the process ends with 0."""
    one = process()
    port = int(one.stdout.readline().split()[0])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na")
        one.send_signal(signal.SIGTERM)
        while not _refused(port):
            pass
        one.send_signal(signal.SIGTERM)
        sock.sendall(b"b")
        answer = sock.recv(4096)
    out, err = one.communicate(timeout=20)

    assert b"Connection: close" in answer
    assert (one.returncode, out, err) == (0, "['MainThread']\n", "")


def test_few_descriptors_are_said_and_lived_with(process: Callable[..., Any]) -> None:
    """The soft limit is raised to the hard one; where that is too low, fewer are served."""
    one = process("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))")

    assert int(one.stdout.readline().split()[1]) == 256
    one.terminate()
    assert "only 512 files may be open" in one.communicate(timeout=20)[1]


# How many


def test_the_longest_idle_connection_makes_room(serve: Serve, clock: Any) -> None:
    """At the limit, a new client takes the place of the one that was idle for the longest."""
    running = serve(clock=clock, max_connections=3)
    clients = [running.connect() for _ in range(3)]
    for client in (clients[1], clients[0], clients[2]):
        client.get("/").answer()
        running.until_idle(3)
        clock.seconds += 1

    assert running.connect().get("/").answer().status == 200

    assert clients[1].is_closed()
    assert [clients[n].get("/").answer().status for n in (0, 2)] == [200, 200]


def test_a_request_in_progress_is_not_closed_for_another(serve: Serve, clock: Any) -> None:
    """A client that has begun a request keeps its place, however long ago that was."""
    running = serve(clock=clock, max_connections=2)
    busy = running.connect().send("GET / HTTP/1.1\r\n")
    running.until(lambda: running.channels() and running.channels()[0].request)
    clock.seconds += 1
    idle = running.connect().get("/")
    idle.answer()
    running.until_idle(1)

    assert running.connect().get("/").answer().status == 200

    assert idle.is_closed()
    assert busy.send("\r\n").answer().status == 200


def test_when_all_are_busy_a_new_client_is_told(serve: Serve) -> None:
    """Nobody is left hanging: 503 in the envelope, with when to come back."""
    running = serve(max_connections=2, threads=1)
    busy = [running.connect().get("/wait") for _ in range(2)]
    running.until(lambda: sum(bool(channel.requests) for channel in running.channels()) == 2)

    client = running.connect()
    answer = client.get("/").answer()

    assert (answer.status, answer.code) == (503, "unavailable")
    assert (answer.headers["retry-after"], answer.headers["connection"]) == ("1", "close")
    assert client.is_closed()
    running.app.gate.set()
    assert [one.answer().body for one in busy] == [b"waited"] * 2


def test_there_is_an_end_to_telling(serve: Serve) -> None:
    """Refused clients that stay are kept up to a number, and the server goes on."""
    running = serve(max_connections=1, threads=1)
    busy = running.connect().get("/wait")
    running.until(lambda: running.channels() and running.channels()[0].requests)

    refused = [running.connect() for _ in range(REFUSED_MAX)]
    assert {client.answer().status for client in refused} == {503}
    beyond = running.connect()
    assert beyond.is_closed()

    running.app.gate.set()
    assert busy.answer().status == 200


def _idle_connections_do_not_stop_the_server(running: Any, count: int) -> None:
    idle = [running.connect() for _ in range(count)]

    assert running.connect().get("/").answer().status == 200

    assert idle[0].is_closed()
    assert idle[-1].get("/").answer().status == 200


def test_more_idle_connections_than_the_limit_do_not_stop_the_server(serve: Serve) -> None:
    """Sixty idle connections where fifty are allowed: a new one is still served."""
    _idle_connections_do_not_stop_the_server(serve(max_connections=50), 60)


@pytest.mark.slow
def test_1100_idle_connections_do_not_stop_the_server(serve: Serve) -> None:
    """The same with the numbers of a real server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 3_000:
        pytest.skip("too few descriptors for both ends of the connections")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        running = serve(max_connections=1_000)
        _idle_connections_do_not_stop_the_server(running, 1_100)
        running.end()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
