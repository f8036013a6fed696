"""Realtime against real servers: handshakes, who is told what and until when, limits, the end."""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from websocket import BINARY, PING, PONG, ClosedError, RefusedError, WebSocket, handshake

import clients
from processes import CLOCK, Client, ServerProcess, bak, free_port, running_server, wait_until
from raw import Raw

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"
PRIVATE = ("auth.*", "job.*", "function.*", "storage.*", "system.*")


class Person:
    """Somebody with an account, on a connection of his own."""

    def __init__(self, server: ServerProcess, *, admin: bool = False) -> None:
        self.server = server
        self.client: Client = server.client()
        if admin:
            body = {"email": clients.ADMIN_EMAIL, "password": clients.ADMIN_PASSWORD}
            login = self.client.post("/api/auth/login", body)
        else:
            body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
            login = self.client.post("/api/auth/register", body)
        assert login.status in (200, 201), login.body
        self.email = body["email"]
        self.id: str = login.json["user"]["id"]
        self.token: str = login.json["token"]
        self.refresh_token: str = login.json["refreshToken"]

    def ask(self, method: str, path: str, content: object = None) -> Any:
        answer = self.client.request(
            method, path, content, {"Authorization": f"Bearer {self.token}"}
        )
        assert answer.status < 300, (answer.status, answer.body)
        return answer.json if answer.body else None

    def note(self, text: str, collection: str = "authenticated_notes") -> str:
        return str(self.ask("POST", f"/api/{collection}", {"text": text})["id"])

    def connect(self, *channels: str) -> WebSocket:
        opened = WebSocket(self.server.port, self.token)
        opened.subscribe(*channels)
        return opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clients.make(
        tmp_path_factory.mktemp("realtime"), **{"throttle.register": 0, "throttle.login": 0}
    )


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    """A server for the tests that do not end it."""
    with running_server(folder, environ=clients.ADMIN) as running:
        yield running


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    """Closes what a test opens."""
    with contextlib.ExitStack() as opened:
        yield opened


@pytest.fixture
def admin(server: ServerProcess, stack: contextlib.ExitStack) -> Person:
    return _person(server, stack, admin=True)


@pytest.fixture
def ada(server: ServerProcess, stack: contextlib.ExitStack) -> Person:
    return _person(server, stack)


def _person(server: ServerProcess, stack: contextlib.ExitStack, *, admin: bool = False) -> Person:
    made = Person(server, admin=admin)
    stack.enter_context(made.client)
    return made


def texts(messages: list[Any]) -> list[str]:
    """Return what the notes say that are told."""
    return [each["event"]["payload"].get("text") for each in messages]


# Handshake


def test_a_handshake_comes_in_pieces_and_with_frames_behind_it(server: ServerProcess) -> None:
    """Byte by byte, the last one with two messages: neither is lost, and `connected` comes first."""
    request = handshake()
    behind = b"".join(
        websocket.frame(json.dumps({"action": "subscribe", "channel": name}).encode())
        for name in ("posts.*", "notes.*")
    )
    opened = WebSocket.__new__(WebSocket)
    opened._unread = b""
    opened.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    with opened:
        for place in range(len(request) - 1):
            opened.socket.sendall(request[place : place + 1])
        opened.socket.sendall(request[-1:] + behind)
        opened.read_head()

        kinds = [opened.receive() for _ in range(3)]

    assert [each["type"] for each in kinds] == ["connected", "subscribed", "subscribed"]
    assert [each.get("channel") for each in kinds[1:]] == ["posts.*", "notes.*"]


def test_a_handshake_comes_after_requests(server: ServerProcess) -> None:
    """On a connection that was used before; behind requests that are not answered yet it is refused."""
    opened = WebSocket.__new__(WebSocket)
    opened._unread = b""
    opened.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    ask = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
    with opened:
        opened.socket.sendall(ask)
        while not opened._unread.endswith(b"}"):
            opened._more()
        opened._unread = b""
        opened.socket.sendall(handshake("//api/realtime/"))
        opened.read_head()
        opened.expect("connected")
    with Raw(server.port) as raw:
        raw.socket.sendall(ask + handshake())
        seen = b""
        while data := raw.socket.recv(65_536):
            seen += data
    assert re.findall(rb"HTTP/1.1 (\d+)", seen) == [b"200", b"400"]


def test_what_is_offered_is_answered(server: ServerProcess) -> None:
    """The first subprotocol, and no extension."""
    offered = {
        "Sec-WebSocket-Protocol": "one, two",
        "Sec-WebSocket-Extensions": "permessage-deflate",
    }
    with WebSocket(server.port, headers=offered) as opened:
        assert "Sec-WebSocket-Protocol: one\r\n" in opened.head + "\r\n"
        assert "Extensions" not in opened.head


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Key": "short"},
        {"Upgrade": "h2c"},
        {"Connection": "keep-alive"},
    ],
)
def test_what_is_no_handshake_is_told_so(server: ServerProcess, headers: dict[str, str]) -> None:
    """426, in the envelope, as for a request that asks for no upgrade."""
    with pytest.raises(RefusedError) as refused:
        WebSocket(server.port, headers=headers)
    assert refused.value.status == 426
    with server.client() as client:
        answer = client.get("/api/realtime")
        assert (answer.status, answer.code) == (426, "unsupported_upgrade")
        assert client.post("/api/realtime", {}).status == 405


def test_only_pages_that_may_call_may_connect(tmp_path: Path) -> None:
    """Those of the server itself, and of `cors.origins`; without an origin it is no page."""
    clients.make(tmp_path, **{"cors.origins": ["https://app.example.com"]})
    with running_server(tmp_path) as server:
        for origin in ("https://app.example.com", f"http://127.0.0.1:{server.port}"):
            headers = {"Origin": origin, "Host": f"127.0.0.1:{server.port}"}
            WebSocket(server.port, headers=headers).socket.close()
        for origin in ("https://evil.example.com", "null", ""):
            with pytest.raises(RefusedError) as refused:
                WebSocket(server.port, headers={"Origin": origin})
            assert refused.value.status == 403


def test_a_token_that_is_not_valid_makes_an_anonymous_client(
    server: ServerProcess, ada: Person, stack: contextlib.ExitStack
) -> None:
    """101 all the same; and the header comes before the query. No token is in the log."""
    header = {"Authorization": f"Bearer {ada.token}"}
    good = stack.enter_context(WebSocket(server.port, "garbage", headers=header))
    bad = stack.enter_context(WebSocket(server.port, f"{ada.token[:-3]}!!!"))
    for each in (good, bad):
        each.subscribe("authenticated_notes.*")

    ada.note("hello")

    assert texts(good.until_pong()) == ["hello"]
    assert bad.until_pong() == []
    assert ada.token[:40] not in server.log
    assert "token=" not in server.log


# Messages


def test_messages_are_answered_as_the_official_clients_expect(server: ServerProcess) -> None:
    """Subscribing again is answered again; what is no message leaves the socket open."""
    with WebSocket(server.port) as opened:
        opened.subscribe("posts.*", "posts.*")
        for data, kind in ((b"{", websocket.TEXT), (b"[]", websocket.TEXT), (b"\xff", BINARY)):
            opened.send_raw(data, kind)
            assert opened.expect("error")["code"] == "invalid_json"
        opened.send({"action": "subscribe", "channel": "*"})
        assert opened.expect("error")["message"] == "Channel name is invalid"
        opened.send_raw(b'{"action":"ping"}', BINARY)
        assert set(opened.expect("pong")) == {"type", "seq"}
        opened.send({"action": "unsubscribe", "channel": "never.*"})
        assert opened.receive() == {"type": "unsubscribed", "channel": "never.*"}
        opened.send_raw(b'{"action":', final=False)
        opened.send_raw(b"so", PING)
        opened.send_raw(b'"ping"}', 0)
        frames = dict([opened.frame(), opened.frame()])
        assert frames[PONG] == b"so"
        assert json.loads(frames[websocket.TEXT])["type"] == "pong"


def test_the_fifty_first_subscription_is_refused(server: ServerProcess) -> None:
    """Until one is given up."""
    with WebSocket(server.port) as opened:
        opened.subscribe(*(f"a.{number}" for number in range(50)))
        opened.send({"action": "subscribe", "channel": "b.*"})
        assert opened.receive() == {
            "type": "error",
            "code": "subscription_limit",
            "message": "Maximum 50 subscriptions per connection",
        }
        opened.subscribe("a.7")
        opened.send({"action": "unsubscribe", "channel": "a.7"})
        opened.expect("unsubscribed")
        opened.subscribe("b.*")


def test_broken_frames_end_the_connection(server: ServerProcess) -> None:
    """With the code that says why; too long a message is 1009, text that is no UTF-8 1007."""
    for data, code in (
        (websocket.frame(b"x" * 65_537), 1009),
        (websocket.frame(b"\xff\xfe"), 1007),
        (b"\x81\x00", 1002),  # not masked
    ):
        with WebSocket(server.port) as opened:
            opened.socket.sendall(data)
            assert opened.closes() == code
    with WebSocket(server.port) as opened:
        opened.send({"action": "ping", "more": "x" * 65_000})
        opened.expect("pong")
        opened.send_raw(b"\x03\xe8", websocket.CLOSE)
        assert opened.closes() == 1000


# Who is told


def test_anonymous_clients_get_nothing_that_is_not_public(
    server: ServerProcess, admin: Person, ada: Person, stack: contextlib.ExitStack
) -> None:
    """Whatever they subscribe to; administrators get all of it, users their own."""
    nobody = stack.enter_context(WebSocket(server.port))
    everything = (*PRIVATE, *(f"{rule}_notes.*" for rule in ("public", "owner", "admin")))
    nobody.subscribe(*everything)
    root = stack.enter_context(admin.connect(*everything))
    own = stack.enter_context(ada.connect(*everything))

    other = _person(server, stack)
    other.note("hers", "owner_notes")
    admin.note("secret", "admin_notes")
    other.note("for all", "public_notes")
    mine = ada.note("mine", "owner_notes")
    ada.ask("PUT", f"/api/owner_notes/{mine}", {"text": "still mine"})
    ada.ask("DELETE", f"/api/owner_notes/{mine}")
    name = f"c{uuid.uuid4().hex[:8]}"
    admin.ask("POST", "/api/admin/collections", {"name": name, "fields": []})

    types = [each["event"]["type"] for each in root.until_pong()]
    assert types == [
        "auth.register",
        "owner_notes.created",
        "admin_notes.created",
        "public_notes.created",
        "owner_notes.created",
        "owner_notes.updated",
        "owner_notes.deleted",
        "system.collection.created",
    ]
    assert [each["event"]["type"] for each in nobody.until_pong()] == ["public_notes.created"]
    seen = own.until_pong()
    assert [each["event"]["type"] for each in seen] == [
        "public_notes.created",
        "owner_notes.created",
        "owner_notes.updated",
        "owner_notes.deleted",
    ]
    assert seen[-1]["event"]["payload"] == {"id": mine}


def test_a_star_covers_any_depth(admin: Person, stack: contextlib.ExitStack) -> None:
    """And an event that several channels cover comes once."""
    opened = stack.enter_context(
        admin.connect("system.*", "system.collection.*", "system.collection.created", "system")
    )
    name = f"c{uuid.uuid4().hex[:8]}"

    admin.ask("POST", "/api/admin/collections", {"name": name, "fields": []})

    [message] = opened.until_pong()
    assert message["event"]["payload"] == {"name": name}


@pytest.mark.parametrize(
    "ends", ["logout", "demotion", "deletion", "session", "password", "another process"]
)
def test_a_client_is_told_up_to_the_event_that_ends_its_access(
    server: ServerProcess, folder: Path, admin: Person, stack: contextlib.ExitStack, ends: str
) -> None:
    """While somebody else writes: all before that event, and nothing behind it."""
    person = _person(server, stack)
    path = f"/api/admin/users/{person.id}"
    admin.ask("PATCH", path, {"role": "admin"})
    opened = stack.enter_context(person.connect("admin_notes.*", "auth.*"))
    stopped = threading.Event()

    def write() -> None:
        with server.client() as client:
            bearer = {"Authorization": f"Bearer {admin.token}"}
            while not stopped.is_set():
                client.request("POST", "/api/admin_notes", {"text": "x"}, bearer)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        first = opened.expect("event")["seq"]
        match ends:
            case "logout":
                person.ask("POST", "/api/auth/logout", {"refreshToken": person.refresh_token})
            case "demotion":
                admin.ask("PATCH", path, {"role": "authenticated"})
            case "deletion":
                admin.ask("DELETE", path)
            case "session":
                admin.ask("DELETE", f"{path}/sessions")
            case "password":
                admin.ask("POST", f"{path}/password", {"password": "another horse battery"})
            case _:
                done = bak(folder, "users", "set-role", person.email, "authenticated")
                assert done.returncode == 0, done.stderr
        with _database(folder) as database:
            wait_until(lambda: _end(database) > _last(database, person.id) + 20, 20, what="more")
    finally:
        stopped.set()
        writer.join()
    with _database(folder) as database:
        told = [first, *(each["seq"] for each in _all(opened, database))]
        ended = _last(database, person.id)
        wanted = database.execute(
            "SELECT seq FROM _events WHERE seq >= ? AND seq <= ? AND"
            " (type GLOB 'admin_notes.*' OR type GLOB 'auth.*')",
            (first, ended),
        )
        assert told == [seq for (seq,) in wanted]


@contextlib.contextmanager
def _database(folder: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as opened:
        yield opened


def _end(database: sqlite3.Connection) -> int:
    return int(database.execute("SELECT max(seq) FROM _events").fetchone()[0])


def _last(database: sqlite3.Connection, user: str) -> int:
    """Return the number of the last event about a user."""
    sql = "SELECT max(seq) FROM _events WHERE subject = ?"
    return int(database.execute(sql, (user,)).fetchone()[0])


def _all(opened: WebSocket, database: sqlite3.Connection) -> list[Any]:
    """Return what is told until the server has told all that is in the log by now."""
    end = _end(database)
    found = []
    while True:
        opened.send({"action": "ping"})
        while (message := opened.receive())["type"] != "pong":
            found.append(message)
        if message["seq"] >= end:
            return found
        CLOCK.pause(0.01)


def test_a_client_is_anonymous_when_its_token_ends(tmp_path: Path) -> None:
    """The connection stays, for what is public."""
    clients.make(tmp_path, **{"auth.accessTokenTtl": "2s"})
    with running_server(tmp_path, environ=clients.ADMIN) as server, contextlib.ExitStack() as stack:
        ada = _person(server, stack)
        opened = stack.enter_context(ada.connect("authenticated_notes.*", "public_notes.*"))
        ada.note("before")
        assert texts([opened.receive()]) == ["before"]
        wait_until(lambda: _status(ada) == 401, 10, what="the token has ended")
        fresh = _login(server, ada)

        fresh.note("secret")
        fresh.note("open", "public_notes")

        assert texts([opened.expect("event")]) == ["open"]


def _status(person: Person) -> int:
    bearer = {"Authorization": f"Bearer {person.token}"}
    return person.client.request("GET", "/api/auth/me", None, bearer).status


def _login(server: ServerProcess, person: Person) -> Person:
    body = {"refreshToken": person.refresh_token}
    person.token = person.client.post("/api/auth/refresh", body).json["token"]
    return person


# Replay


def test_what_was_missed_comes_first_and_then_what_is_new(
    ada: Person, stack: contextlib.ExitStack
) -> None:
    """`subscribed`, the events behind the number, `replayed`, and from there on live."""
    opened = stack.enter_context(ada.connect("authenticated_notes.*"))
    ada.note("one")
    seen = opened.receive()["seq"]
    opened.socket.close()
    for text in ("two", "three"):
        ada.note(text)

    again = stack.enter_context(WebSocket(ada.server.port, ada.token))
    again.send({"action": "subscribe", "channel": "authenticated_notes.*", "since": seen})
    assert again.receive() == {"type": "subscribed", "channel": "authenticated_notes.*"}
    assert texts([again.expect("event"), again.expect("event")]) == ["two", "three"]
    complete = again.expect("replayed")
    assert complete["seq"] >= seen + 2
    ada.note("four")
    live = again.expect("event")
    assert texts([live]) == ["four"]
    assert live["seq"] > complete["seq"]


def test_a_number_that_the_log_does_not_have_is_told_so(ada: Person) -> None:
    """`resync`: above its end, from another life of the database."""
    with WebSocket(ada.server.port, ada.token) as opened:
        opened.send({"action": "subscribe", "channel": "posts.*", "since": 2**52})
        opened.expect("subscribed")
        answer = opened.expect("resync")
        assert answer["channel"] == "posts.*"
        position = opened.subscribe("posts.*")
        assert answer["seq"] == position


def test_what_was_trimmed_cannot_be_replayed(tmp_path: Path) -> None:
    """`resync`: the event behind the number is no longer in the log."""
    clients.make(tmp_path, **{"events.maxRows": 100})
    with running_server(tmp_path) as server, server.client() as client:
        with WebSocket(server.port) as opened:
            first = opened.subscribe("public_notes.*")
        with _database(tmp_path) as database:
            oldest = "SELECT min(seq) FROM _events"
            while database.execute(oldest).fetchone()[0] <= first + 1:
                client.post("/api/public_notes", {"text": "x"})
        with WebSocket(server.port) as opened:
            opened.send({"action": "subscribe", "channel": "public_notes.*", "since": first})
            opened.expect("subscribed")
            opened.expect("resync")
            client.post("/api/public_notes", {"text": "live"})
            assert texts([opened.expect("event")]) == ["live"]


@pytest.mark.slow  # a proof by repetition; test_replay.py has each case of it
def test_who_comes_back_misses_nothing(
    server: ServerProcess, folder: Path, ada: Person, stack: contextlib.ExitStack
) -> None:
    """Cut off again and again while others write, each time with the number it has: it gets the log."""
    stopped = threading.Event()
    chance = random.Random(7)

    def write(name: str) -> None:
        with server.client() as client:
            bearer = {"Authorization": f"Bearer {ada.token}"}
            while not stopped.is_set():
                client.request("POST", f"/api/{name}", {"text": "x"}, bearer)

    channels = ("owner_notes.*", "authenticated_notes.*")
    with WebSocket(server.port, ada.token) as opened:
        first = opened.subscribe("posts.*")
    positions = dict.fromkeys(channels, first)
    got: dict[str, list[int]] = {channel: [] for channel in channels}
    writers = [
        threading.Thread(target=write, args=(channel.removesuffix(".*"),)) for channel in channels
    ]
    for each in writers:
        each.start()
    rounds = 25
    for turn in range(rounds):
        is_last = turn == rounds - 1
        if is_last:
            stopped.set()
            for each in writers:
                each.join()
        with WebSocket(server.port, ada.token) as opened:
            for channel in channels:
                opened.send(
                    {"action": "subscribe", "channel": channel, "since": positions[channel]}
                )
            waiting = set(channels)
            left = chance.randrange(300)
            while waiting if is_last else left > 0:
                left -= 1
                message = opened.receive()
                assert message["type"] in ("subscribed", "event", "replayed"), message
                if message["type"] == "replayed":
                    waiting.remove(message["channel"])
                    positions[message["channel"]] = message["seq"]
                elif message["type"] == "event":
                    channel = message["event"]["type"].rpartition(".")[0] + ".*"
                    got[channel].append(message["seq"])
                    positions[channel] = message["seq"]
    with _database(folder) as database:
        for channel in channels:
            kind = channel.removesuffix("*") + "created"
            rows = database.execute(
                "SELECT seq FROM _events WHERE type = ? AND seq > ? ORDER BY seq", (kind, first)
            )
            assert got[channel] == [seq for (seq,) in rows]
            assert len(got[channel]) > 100


def test_many_catch_up_at_once(ada: Person, stack: contextlib.ExitStack) -> None:
    """More than have their turn at a time, and more than a page: each gets all of it."""
    first = stack.enter_context(WebSocket(ada.server.port)).subscribe("posts.*")
    for number in range(600):
        ada.note(str(number))
    crowd = [stack.enter_context(WebSocket(ada.server.port, ada.token)) for _ in range(12)]
    for each in crowd:
        each.send({"action": "subscribe", "channel": "authenticated_notes.*", "since": first})

    for each in crowd:
        each.expect("subscribed")
        assert texts([each.expect("event") for _ in range(600)]) == [str(n) for n in range(600)]
        each.expect("replayed")


def test_a_replay_goes_as_fast_as_its_reader(ada: Person, stack: contextlib.ExitStack) -> None:
    """What is far more than an outbox waits in the log; the client is not given up."""
    first = stack.enter_context(WebSocket(ada.server.port)).subscribe("posts.*")
    for number in range(60):
        ada.note(f"{number} {'x' * 100_000}")
    slow = stack.enter_context(WebSocket(ada.server.port, ada.token, receive_buffer=4096))
    slow.send({"action": "subscribe", "channel": "authenticated_notes.*", "since": first})
    slow.expect("subscribed")
    ada.note("live")  # it is answered, and this one waits behind the replay

    seen = texts([slow.expect("event") for _ in range(60)])

    assert [text.split()[0] for text in seen] == [str(number) for number in range(60)]
    rest = [slow.receive(), slow.receive()]
    assert sorted(each["type"] for each in rest) == ["event", "replayed"]


# Limits and the end


def test_a_client_that_does_not_read_is_closed(
    server: ServerProcess, ada: Person, stack: contextlib.ExitStack
) -> None:
    """1013, after what was still taken; another client gets everything meanwhile."""
    slow = stack.enter_context(WebSocket(server.port, ada.token, receive_buffer=4096))
    slow.subscribe("authenticated_notes.*")
    quick = stack.enter_context(ada.connect("authenticated_notes.*"))
    text = "x" * 100_000
    sent = 80
    for _ in range(sent):
        ada.note(text)
        quick.expect("event")
    wait_until(lambda: "does not keep up" in server.log, 10, what="it is given up")

    seen = []
    with pytest.raises(ClosedError) as closed:
        while True:
            seen.append(slow.expect("event")["seq"])

    assert closed.value.code == 1013
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert len(seen) < sent


def test_more_connections_than_there_may_be_are_refused(tmp_path: Path) -> None:
    """503; one that goes makes room. Plain requests do not count."""
    clients.make(tmp_path, **{"realtime.maxConnections": 2})
    with running_server(tmp_path) as server, WebSocket(server.port):
        with WebSocket(server.port):
            with pytest.raises(RefusedError) as refused:
                WebSocket(server.port)
            assert refused.value.status == 503
            assert json.loads(refused.value.body)["error"]["code"] == "unavailable"
            with server.client() as client:
                assert client.get("/health").status == 200
        wait_until(lambda: _may_connect(server), 10, what="there is room again")


def _may_connect(server: ServerProcess) -> bool:
    try:
        WebSocket(server.port).socket.close()
    except RefusedError:
        return False
    return True


def test_a_client_is_asked_whether_it_is_there(tmp_path: Path) -> None:
    """One that answers pings stays; one that does not is cut off after `realtime.timeout`."""
    clients.make(tmp_path, **{"realtime.ping": "1s", "realtime.timeout": "2s"})
    with (
        running_server(tmp_path) as server,
        WebSocket(server.port) as silent,
        WebSocket(server.port) as alive,
    ):
        began = CLOCK.monotonic()
        while CLOCK.monotonic() - began < 3.5:
            kind, data = alive.frame()
            assert kind == PING
            alive.send_raw(data, PONG)
        alive.send({"action": "ping"})
        alive.expect("pong")
        with pytest.raises(ClosedError) as closed:
            while True:
                silent.frame()
        assert closed.value.code == 1006


def test_a_flood_of_frames_holds_up_nobody(server: ServerProcess) -> None:
    """Who sends thousands at once is answered, a part each second; others at once."""
    flood = websocket.frame(b'{"action":"ping"}') * 20_000
    with WebSocket(server.port) as loud, WebSocket(server.port) as quiet:
        sender = threading.Thread(target=_send_all, args=(loud.socket, flood))
        sender.start()
        for _ in range(20):
            began = CLOCK.monotonic()
            quiet.send({"action": "ping"})
            quiet.expect("pong")
            assert CLOCK.monotonic() - began < 2
        loud.socket.shutdown(socket.SHUT_RDWR)
        sender.join()


def _send_all(sock: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        sock.sendall(data)


def test_a_stop_tells_what_is_committed_and_says_goodbye(tmp_path: Path) -> None:
    """Every event that was acknowledged comes, then 1001."""
    clients.make(tmp_path)
    port = free_port()
    with running_server(tmp_path, port=port) as server, WebSocket(port) as opened:
        opened.subscribe("public_notes.*")
        with server.client() as client:
            for number in range(50):
                assert client.post("/api/public_notes", {"text": str(number)}).status == 201
            server.process.terminate()

        seen = []
        with pytest.raises(ClosedError) as closed:
            while True:
                seen.append(opened.receive())
        opened.send_raw(b"\x03\xe9", websocket.CLOSE)

        assert texts(seen) == [str(number) for number in range(50)]
        assert closed.value.code == 1001
        assert server.wait() == 0
        assert "Traceback" not in server.log
