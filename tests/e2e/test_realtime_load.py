"""Many clients at once, each with its own rights: what each is told is exactly its part of the log.

BAKEND_REALTIME_CLIENTS says how many, 1,000 where it does not; `pytest -s` shows the figures.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import statistics
import threading
import uuid
from pathlib import Path
from typing import Any, Final

import pytest
from crowd import Crowd

import clients
from processes import CLOCK, Client, ServerProcess, running_server, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(600)]

CLIENTS: Final = int(os.environ.get("BAKEND_REALTIME_CLIENTS", "1000"))
USERS: Final = 40
ENDED: Final = 4
"""One in ten of the users: half of them are logged out, half were administrators and are no more."""

EVENTS: Final = 200
PACE_S: Final = float(os.environ.get("BAKEND_REALTIME_PACE", "0.04"))
CHANNELS: Final = ("authenticated_notes.*", "owner_notes.*")
PASSWORD: Final = "correct horse battery"


def _memory_kib(server: ServerProcess) -> int:
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _register(client: Client) -> dict[str, Any]:
    body = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
    made: dict[str, Any] = client.post("/api/auth/register", body).json
    return made


def test_each_of_many_clients_is_told_exactly_its_part(tmp_path: Path) -> None:
    """Half of them signed in; some lose their rights in the middle; other requests are answered."""
    clients.make(
        tmp_path, **{"throttle.register": 0, "logLevel": "WARN", "server.maxConnections": 2000}
    )
    with (
        running_server(tmp_path, environ=clients.ADMIN) as server,
        server.client() as client,
        contextlib.closing(sqlite3.connect(tmp_path / "bakend.db")) as database,
        Crowd(server.port) as crowd,
    ):
        login = {"email": clients.ADMIN_EMAIL, "password": clients.ADMIN_PASSWORD}
        root = _bearer(client.post("/api/auth/login", login).json["token"])
        users = [_register(client) for _ in range(USERS)]
        for each in users[: ENDED // 2]:
            path = f"/api/admin/users/{each['user']['id']}"
            assert client.request("PATCH", path, {"role": "admin"}, root).status == 200
        crowd.join(
            [(users[0]["token"], CHANNELS, users[0]["user"]["id"])]
        )  # imports, and the thread
        empty_kib = _memory_kib(server)
        began = CLOCK.monotonic()
        crowd.join(
            [
                (None, CHANNELS, None)
                if number % 2
                else (
                    users[number // 2 % USERS]["token"],
                    CHANNELS,
                    users[number // 2 % USERS]["user"]["id"],
                )
                for number in range(CLIENTS)
            ]
        )
        connecting_s = CLOCK.monotonic() - began
        full_kib = _memory_kib(server)
        (first,) = database.execute("SELECT max(seq) FROM _events").fetchone()

        answered = [0]
        stopped = threading.Event()
        reader = threading.Thread(target=_read, args=(server, answered, stopped))
        reader.start()
        began = CLOCK.monotonic()
        committed: dict[str, float] = {}
        for number in range(EVENTS):
            if number == EVENTS // 2:
                for each in users[: ENDED // 2]:
                    path = f"/api/admin/users/{each['user']['id']}"
                    client.request("PATCH", path, {"role": "authenticated"}, root)
                for each in users[ENDED // 2 : ENDED]:
                    client.post("/api/auth/logout", {"refreshToken": each["refreshToken"]})
            writer = users[ENDED + number % (USERS - ENDED)]
            made = client.request(
                "POST",
                f"/api/{CHANNELS[number % 2].removesuffix('.*')}",
                {"text": "x"},
                _bearer(writer["token"]),
            )
            assert made.status == 201
            committed[made.json["id"]] = CLOCK.monotonic()
            CLOCK.pause(PACE_S)
        took_s = CLOCK.monotonic() - began
        stopped.set()
        reader.join()

        rows = database.execute(
            "SELECT seq, type, subject, payload FROM _events WHERE seq > ? ORDER BY seq", (first,)
        ).fetchall()
        wanted = {
            user: _part(rows, user, {each["user"]["id"] for each in users[: ENDED // 2]})
            for user in (None, *(each["user"]["id"] for each in users))
        }
        wait_until(
            lambda: all(len(each.told) >= len(wanted[each.user]) for each in crowd.members),
            60,
            what="all is told",
        )

        assert {each.code for each in crowd.members} == {None}, server.tail
        for member in crowd.members:
            assert [seq for seq, _at in member.told] == wanted[member.user]
        came: dict[int, float] = {}
        for member in crowd.members:
            for seq, at in member.told:
                came[seq] = max(at, came.get(seq, 0.0))
        late = sorted(
            1000 * (came[seq] - committed[subject])
            for seq, kind, subject, _payload in rows
            if seq in came and kind == "authenticated_notes.created"
        )
        print(  # noqa: T201  the figures are what one starts it for
            f"\n{CLIENTS} clients, {sum(len(each.told) for each in crowd.members)} events told,"
            f" connected in {connecting_s:.1f} s,"
            f" {(full_kib - empty_kib) / CLIENTS:.1f} KiB for each;"
            f" from the answer to a write to the last of {CLIENTS // 2} clients:"
            f" median {statistics.median(late):.0f} ms, 95 % {late[len(late) * 95 // 100]:.0f} ms,"
            f" most {late[-1]:.0f} ms; meanwhile {EVENTS / took_s:.0f} writes and"
            f" {answered[0] / took_s:.0f} reads a second"
        )


def _part(rows: list[tuple[int, str, str, str]], user: str | None, admins: set[str]) -> list[int]:
    """Return the numbers of what a user is to be told, by the log."""
    part = []
    is_admin, is_in = user in admins, user is not None
    for seq, kind, subject, payload in rows:
        owner = json.loads(payload).get("user_id")
        if (kind == "authenticated_notes.created" and is_in) or (
            kind == "owner_notes.created" and is_in and (is_admin or owner == user)
        ):
            part.append(seq)
        elif subject == user and kind == "auth.updated":
            is_admin = False
        elif subject == user and kind == "auth.logout":
            is_in = False
    return part


def _read(server: ServerProcess, answered: list[int], stopped: threading.Event) -> None:
    with server.client() as client:
        while not stopped.is_set():
            assert client.get("/api/posts").status == 200
            answered[0] += 1
