"""Uploads that are cut at any moment, many at once, and slow readers.

A client that goes away and a server that is killed are the same to a file: it is there as a whole,
with its row, or not at all. The moments are random and seeded.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import random
import socket
import sqlite3
import statistics
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

from forms import CONTENT_TYPE, UPLOAD, form, upload_head
from processes import CLOCK, Answer, Client, ServerProcess, bak, make_project, running_server
from raw import Raw

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(600)]

SEED: Final = 20_260_101
ROUNDS: Final = 25
UPLOADERS: Final = 4
MIB: Final = 1 << 20
LARGEST: Final = 10 * MIB
"""The default of storage.maxFileSize."""

ADA: Final = {"email": "ada@example.com", "password": "correct horse battery"}
ALBUMS: Final[dict[str, Any]] = {
    "name": "albums",
    "fields": [{"name": "cover", "type": "file"}, {"name": "text", "type": "text"}],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "authenticated"),
}


def test_uploads_that_are_cut_leave_nothing_behind(tmp_path: Path) -> None:
    """After 25 clients and 25 servers that were killed, each file is whole and each byte has a row."""
    chance = random.Random(SEED)
    project = make_project(tmp_path, [ALBUMS])
    with running_server(project) as server:
        headers = _register(server)
        for _ in range(ROUNDS):
            _killed_client(server, headers, chance)
        with server.client() as client:
            assert client.get("/health").status == 200
    _assert_every_row_has_its_bytes(project)

    story = _Story()
    for number in range(ROUNDS):
        with running_server(project) as server, _uploading(server, headers, story, seed=number):
            CLOCK.pause(chance.uniform(0.03, 0.5))
            server.kill()
        left = _assert_every_row_has_its_bytes(project)
        story.seen_half += left > 0
        with contextlib.closing(sqlite3.connect(project / "bakend.db")) as database:
            rows = dict(database.execute("SELECT id, sha256 FROM _files"))
        assert story.acknowledged.items() <= rows.items(), "an acknowledged upload is lost"

    with running_server(project):
        pruned = bak(project, "storage", "prune", "--older-than", "0", "--public", "--yes")
    print(  # noqa: T201  whether the kills fell where they should
        f"{len(story.acknowledged)} uploads acknowledged, {len(story.named)} named by a record,"
        f" {story.seen_half} of {ROUNDS} kills left something half; {pruned.stdout.splitlines()[0]}"
    )
    assert pruned.returncode == 0
    _assert_whole(project, story)
    assert len(story.acknowledged) > ROUNDS, "there was no load to speak of"
    assert story.seen_half >= ROUNDS / 5, "hardly a kill fell into an upload"


def test_pruning_beside_uploads_takes_nothing_of_theirs(tmp_path: Path) -> None:
    """Also where no age protects them: an upload is seen whole, or not at all."""
    project = make_project(tmp_path, [ALBUMS])
    story, rounds = _Story(), 10
    with running_server(project) as server:
        headers = _register(server)
        stop = threading.Event()
        with _uploading(server, headers, story, seed=1, stop=stop):
            for _ in range(rounds):
                pruned = bak(project, "storage", "prune", "--older-than", "0", "--yes", "--json")
                assert pruned.returncode == 0, pruned.stderr
            stop.set()

    assert _assert_every_row_has_its_bytes(project) == 0
    with contextlib.closing(sqlite3.connect(project / "bakend.db")) as database:
        rows = {row[0] for row in database.execute("SELECT id FROM _files")}
    print(f"{len(story.acknowledged)} uploads beside {rounds} prunes")  # noqa: T201
    assert story.public | story.named <= rows
    assert len(story.public) > rounds, "there was no load to speak of"


def test_many_uploads_need_little_memory(tmp_path: Path) -> None:
    """100 files of 10 MB, 32 at a time, every fourth of them slowly: within 50 MB of idle."""
    project = make_project(tmp_path, [ALBUMS])
    body = form(os.urandom(LARGEST))
    with running_server(project) as server:
        headers = _register(server)
        for _ in range(20):  # what every server has after a few requests
            assert _upload(server, headers, form(b"warm")).status == 201
        idle = _memory(server, "VmRSS")
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak is that of now

        began = CLOCK.monotonic()
        with ThreadPoolExecutor(32) as pool:
            statuses = list(
                pool.map(
                    lambda number: (
                        _upload_slowly(server, headers, body)
                        if number % 4 == 0
                        else _upload(server, headers, body).status
                    ),
                    range(100),
                )
            )
        took = CLOCK.monotonic() - began
        peak = _memory(server, "VmHWM")

    print(f"idle {idle:.1f} MB, peak {peak:.1f} MB, {took:.0f} s")  # noqa: T201
    assert statuses == [201] * 100
    assert peak - idle < 50
    _assert_every_row_has_its_bytes(project)


def test_slow_readers_hold_up_nobody(tmp_path: Path) -> None:
    """While 50 clients read a file at 1 KB/s, others are answered as before."""
    project = make_project(tmp_path, [ALBUMS], **{"server": {"threads": 4}})
    with running_server(project) as server, server.client() as client:
        headers = _register(server)
        file = _upload(server, headers, form(os.urandom(LARGEST), visibility="public")).json
        before = _latencies(client, headers)
        with contextlib.ExitStack() as stack:
            readers = [stack.enter_context(_Reader(server.port, file["id"])) for _ in range(50)]
            stop = threading.Event()
            reading = threading.Thread(target=_drip, args=(readers, stop))
            reading.start()
            try:
                during = _latencies(client, headers)
            finally:
                stop.set()
                reading.join()
            descriptors = len(os.listdir(f"/proc/{server.pid}/fd"))  # noqa: PTH208
        after = _latencies(client, headers)

    for name in before:
        print(  # noqa: T201
            f"{name}: median {before[name]:.1f} ms before, {during[name]:.1f} ms with 50 slow"
            f" readers, {after[name]:.1f} ms after; {descriptors} descriptors"
        )
        assert during[name] < 5 * max(before[name], after[name]) + 20
    assert all(reader.received > 0 for reader in readers)


def test_the_limit_is_to_the_byte(tmp_path: Path) -> None:
    """The largest file is taken, one byte more is not; what is far too large is cut off."""
    project = make_project(tmp_path, [ALBUMS])
    content = os.urandom(LARGEST)
    with running_server(project) as server, server.client() as client:
        headers = _register(server)

        largest = _upload(server, headers, form(content, visibility="public"))
        larger = _upload(server, headers, form(content + b"x"))
        empty = _upload(server, headers, form(b""))
        text = _upload(server, headers, form(b"x").replace(b'; filename="a.bin"', b""))
        huge = _upload(server, headers, form(content + bytes(MIB)))
        nobody = _upload(server, {}, form(b"x"))
        path = f"/api/storage/{largest.json['id']}"
        head = client.request("HEAD", path)
        part = client.request("GET", path, headers={"Range": "bytes=-1000"})
        none = client.request("GET", path, headers={"Range": f"bytes={LARGEST}-"})
        known = client.request("GET", path, headers={"If-None-Match": head.headers["ETag"]})
        read = client.get(path)

    assert largest.status == 201
    assert (larger.status, larger.json["error"]["message"]) == (
        400,
        "File exceeds maximum size of 10 MB",
    )
    assert (empty.status, empty.json["error"]["message"]) == (400, "File cannot be empty")
    assert (text.status, text.json["error"]["message"]) == (400, "Field 'file' is required")
    assert (huge.status, huge.code) == (413, "payload_too_large")
    assert (nobody.status, nobody.code) == (401, "unauthorized")
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(LARGEST), b"")
    assert (none.status, none.headers["Content-Range"]) == (416, f"bytes */{LARGEST}")
    assert (known.status, known.body) == (304, b"")
    assert read.body == content
    assert (part.status, part.body) == (206, content[-1000:])
    assert _on_disk(project) == {largest.json["id"]}


def test_a_deleted_file_is_read_to_its_end(tmp_path: Path) -> None:
    """Who is reading when somebody deletes it gets all of it; nobody else gets any."""
    project = make_project(tmp_path, [ALBUMS])
    content = os.urandom(LARGEST)
    with running_server(project) as server, server.client() as client:
        headers = _register(server)
        file_id = _upload(server, headers, form(content, visibility="public")).json["id"]
        path = f"/api/storage/{file_id}"
        with _Reader(server.port, file_id) as reader:
            reader.read(100)
            assert client.request("DELETE", path, headers=headers).status == 204
            assert client.get(path).status == 404
            rest = reader.rest()

    assert rest.endswith(content[-MIB:])
    assert _on_disk(project) == set()


class _Story:
    """What clients were told."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.acknowledged: dict[str, str] = {}
        """Id of each file that was answered with 201, to its checksum."""
        self.public: set[str] = set()
        self.named: set[str] = set()
        """Those that an acknowledged record names."""
        self.seen_half = 0
        """How many kills left bytes without a row."""


@contextlib.contextmanager
def _uploading(
    server: ServerProcess,
    headers: dict[str, str],
    story: _Story,
    *,
    seed: int,
    stop: threading.Event | None = None,
) -> Iterator[None]:
    """Upload from several threads until they are stopped, or the server is gone."""
    stop = stop or threading.Event()
    threads = [
        threading.Thread(
            target=_upload_on,
            args=(server, headers, story, random.Random(seed * 100 + number), stop),
        )
        for number in range(UPLOADERS)
    ]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def _upload_on(
    server: ServerProcess,
    headers: dict[str, str],
    story: _Story,
    chance: random.Random,
    stop: threading.Event,
) -> None:
    with server.client() as client, contextlib.suppress(OSError, http.client.HTTPException):
        while not stop.is_set():
            content = chance.randbytes(chance.choice([1_000, 70_000, 500_000, 3_000_000]))
            visibility = chance.choice(["public", "protected"])
            body = form(content, visibility=visibility)
            answer = client.send("POST", UPLOAD, body, {"Content-Type": CONTENT_TYPE, **headers})
            assert answer.status == 201, answer.body
            file_id = answer.json["id"]
            with story.lock:
                story.acknowledged[file_id] = hashlib.sha256(content).hexdigest()
                if visibility == "public":
                    story.public.add(file_id)
            if chance.random() < 0.5:
                record = client.request("POST", "/api/albums", {"cover": file_id}, headers)
                with story.lock:
                    story.named |= {file_id} if record.status == 201 else set()


def _killed_client(server: ServerProcess, headers: dict[str, str], chance: random.Random) -> None:
    """Send a part of a request, or all of it, and go away without a word or with a reset."""
    body = form(chance.randbytes(chance.choice([10_000, 1_000_000, 5_000_000])))
    with Raw(server.port) as raw:
        raw.send(upload_head(len(body), headers))
        raw.send(body[: chance.choice([0, len(body), chance.randrange(len(body))])])
        if chance.random() < 0.5:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _register(server: ServerProcess) -> dict[str, str]:
    with server.client() as client:
        answer = client.post("/api/auth/register", ADA)
    assert answer.status == 201, answer.body
    return {"Authorization": f"Bearer {answer.json['token']}"}


def _upload(server: ServerProcess, headers: dict[str, str], body: bytes) -> Answer:
    with server.client() as client:
        return client.send("POST", UPLOAD, body, {"Content-Type": CONTENT_TYPE, **headers})


def _upload_slowly(server: ServerProcess, headers: dict[str, str], body: bytes) -> int:
    """Take some seconds for what others send at once."""
    with Raw(server.port) as raw:
        raw.send(upload_head(len(body), headers))
        for start in range(0, len(body), 256 * 1024):
            raw.send(body[start : start + 256 * 1024])
            CLOCK.pause(0.05)
        return raw.answer("POST").status


class _Reader:
    """Reads a file as slowly as it is told to."""

    def __init__(self, port: int, file_id: str) -> None:
        self.received = 0
        self._socket = socket.socket()
        # Else the kernel would take much of the file on the reader's behalf.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self._socket.settimeout(60)
        self._socket.connect(("127.0.0.1", port))
        self._socket.sendall(f"GET /api/storage/{file_id} HTTP/1.1\r\nHost: test\r\n\r\n".encode())

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._socket.close()

    def read(self, count: int) -> bytes:
        """Read at most so much."""
        piece = self._socket.recv(count)
        self.received += len(piece)
        return piece

    def rest(self) -> bytes:
        """Read what is left of a file of the largest size."""
        pieces = []
        while self.received < LARGEST and (piece := self.read(MIB)):
            pieces.append(piece)
        return b"".join(pieces)


def _drip(readers: list[_Reader], stop: threading.Event) -> None:
    """Read 1 KB of each, every second."""
    while not stop.is_set():
        for reader in readers:
            reader.read(1_024)
        stop.wait(1.0)


def _latencies(client: Client, headers: dict[str, str]) -> dict[str, float]:
    """Return how many milliseconds an answer takes, over some seconds."""
    found: dict[str, list[float]] = {"health": [], "create": []}
    until = CLOCK.monotonic() + 5
    while CLOCK.monotonic() < until:
        for name, times in found.items():
            began = CLOCK.monotonic()
            if name == "health":
                assert client.get("/health").status == 200
            else:
                record = client.request("POST", "/api/albums", {"text": "x"}, headers)
                assert record.status == 201
            times.append((CLOCK.monotonic() - began) * 1_000)
            CLOCK.pause(0.01)
    return {name: statistics.median(times) for name, times in found.items()}


def _memory(server: ServerProcess, name: str) -> float:
    """Return a line of the kernel's account of a process, in MB."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    (line,) = (each for each in status.splitlines() if each.startswith(f"{name}:"))
    return int(line.split()[1]) * 1_024 / 1_000_000


def _on_disk(project: Path) -> set[str]:
    folder = project / "storage" / "files"
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def _assert_every_row_has_its_bytes(project: Path) -> int:
    """Compare checksums; return how many bytes without a row, or half files, there are."""
    with contextlib.closing(sqlite3.connect(project / "bakend.db")) as database:
        rows = list(database.execute("SELECT id, size, sha256 FROM _files"))
    for file_id, size, digest in rows:
        content = (project / "storage" / "files" / file_id).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (size, digest)
    arriving = project / "storage" / "tmp" / "uploads"
    half = list(arriving.iterdir()) if arriving.exists() else []
    return len(_on_disk(project) - {row[0] for row in rows}) + len(half)


def _assert_whole(project: Path, story: _Story) -> None:
    """Expect every byte to have its row, and of the files those that records name."""
    assert _assert_every_row_has_its_bytes(project) == 0
    with contextlib.closing(sqlite3.connect(project / "bakend.db")) as database:
        rows = {row[0] for row in database.execute("SELECT id FROM _files")}
        named = {row[0] for row in database.execute("SELECT cover FROM albums") if row[0]}
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        told = database.execute("SELECT subject FROM _events WHERE type = 'storage.uploaded'")
        uploaded = {row[0] for row in told}
    assert story.named <= named
    assert rows == named == _on_disk(project)
    assert story.acknowledged.keys() <= uploaded
