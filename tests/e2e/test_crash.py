"""What is left after `kill -9`: fifty kills, each followed by a start and a look at everything.

Forty fall on a server under load, ten into a start, a migration or a schema change. The moments are
random and seeded; those of the ten are aimed by what the process has done so far, and each of these
tests says from what it found afterwards that the kill fell where it was meant to.
"""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from bakend.database.migrations import NEWEST

import original
import writer
from processes import (
    CLOCK,
    SLOWNESS,
    bak,
    environment,
    free_port,
    make_project,
    running_server,
    start_server,
    wait_until,
    write_definition,
)

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(900)]

SEED: Final = 20_260_101
WRITERS: Final = 3
LOAD_ROUNDS, START_ROUNDS, CHANGE_ROUNDS = 40, 2, 3
FIRST_START_ROUNDS, MIGRATION_ROUNDS = 2, 3

BALLAST_ROWS: Final = 30_000
BALLAST: Final[dict[str, Any]] = {
    "name": "ballast",
    "fields": [{"name": "text", "type": "text"}, {"name": "size", "type": "integer"}],
    "permissions": writer.COLLECTION["permissions"],
}

Row = dict[str, Any]


def test_fifty_rounds_are_played() -> None:
    """The rounds of the tests below are fifty, ten of them in a start, migration or schema change."""
    aimed = START_ROUNDS + CHANGE_ROUNDS + FIRST_START_ROUNDS + MIGRATION_ROUNDS

    assert (LOAD_ROUNDS + aimed, aimed) == (50, 10)


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    """Killed at any moment, the server has every acknowledged change, and one event for each."""
    chance = random.Random(SEED)
    project = make_project(tmp_path / "project", [writer.COLLECTION, BALLAST])
    crashes = _Crashes(project, chance)
    with running_server(project, port=crashes.port):
        pass
    _fill_ballast(project / "bakend.db")
    rounds = (
        [crashes.under_load] * LOAD_ROUNDS
        + [crashes.in_start] * START_ROUNDS
        + [crashes.in_schema_change] * CHANGE_ROUNDS
    )
    chance.shuffle(rounds)

    with _writers(tmp_path, crashes.port) as writers:
        for number, crash in enumerate(rounds, 1):
            print(f"round {number}: {crash.__name__}")  # noqa: T201  which one a failure is in
            crash(writers)
            with running_server(project, port=crashes.port):
                _check(project / "bakend.db", tmp_path)

    stories = writer.read_journals(tmp_path.glob("*.journal"))
    acknowledged = sum(len(story.acknowledged) for story in stories.values())
    lost = sum(story.lost is not None for story in stories.values())
    print(f"{acknowledged} changes acknowledged, {lost} in flight; {crashes.inside=}")  # noqa: T201
    assert acknowledged > 10 * LOAD_ROUNDS, "there was no load to speak of"
    assert lost >= LOAD_ROUNDS / 2, "hardly a kill fell into a request"
    assert crashes.inside["start"] == START_ROUNDS
    assert crashes.inside["schema change"] >= CHANGE_ROUNDS - 1


def test_killed_while_it_makes_its_database(tmp_path: Path) -> None:
    """A first start that was killed at any moment is followed by one that works."""
    chance = random.Random(SEED)
    inside = 0
    for number in range(FIRST_START_ROUNDS):
        project = make_project(tmp_path / str(number), [writer.COLLECTION, BALLAST])
        database = project / "bakend.db"

        with start_server(project) as server:
            wait_until(database.exists, 30, what="the database appears", every_s=0.0005)
            CLOCK.pause(chance.uniform(0, 0.01))
            server.kill()
            inside += "Listening" not in server.log

        with running_server(project) as server, server.client() as client:
            assert client.post("/api/things", {"key": "a", "value": 1}).status == 201
            assert client.get("/api/ballast").json == {"items": []}
        with _opened(database) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            _replay(connection)
    assert inside >= 1, "no kill fell into a start"


def test_killed_in_its_migration(tmp_path: Path) -> None:
    """A migration that was killed has changed nothing, and the next start does it from the beginning."""
    chance = random.Random(SEED)
    project = make_project(tmp_path / "project")
    database = project / "bakend.db"
    original.make(database)
    _fill_original(database)
    before = _rows(database, "_users", "_sessions", "_files", "posts")
    copies = project / "backups"
    log = database.with_name("bakend.db-wal")
    inside = 0

    for number in range(MIGRATION_ROUNDS):
        for old in copies.glob("*.db"):
            old.unlink()
        with start_server(project) as server:
            wait_until(lambda: any(copies.glob("*.db")), 60, what="the copy is made", every_s=0.001)
            (copy,) = copies.glob(f"bakend-before-schema-{NEWEST}-*.db")
            stamp = _stamp(log)
            # The migration outgrows SQLite's cache, so that pages go to the log before the commit.
            _wait_written(log, stamp)
            CLOCK.pause(chance.uniform(0, 0.1))
            server.kill()
        with _opened(database) as connection:
            version = connection.execute("SELECT value FROM _bakend_meta").fetchone()[0]
        print(f"round {number}: schema {version} after the kill")  # noqa: T201
        assert version in ("3", str(NEWEST))
        if version == str(NEWEST):
            break  # the machine was faster than the kill
        inside += 1
        assert _rows(database, "_users", "_sessions", "_files", "posts") == before
        assert _rows(copy, "_users", "_sessions", "_files", "posts") == before
    with running_server(project) as server, server.client() as client:
        assert client.get("/api/posts").status in (200, 401)

    assert inside >= 2, f"only {inside} kills fell into the migration"
    with _opened(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT value FROM _bakend_meta").fetchone() == (str(NEWEST),)
    after = _rows(database, "_users", "_sessions", "_files", "posts")
    users = {row[0] for row in before["_users"]}
    kept = [row for row in before["_sessions"] if row[1] in users]
    # New columns stand behind the old ones. As a bool: a difference of 60,000 rows shows nothing.
    for table, rows in (
        ("_users", before["_users"]),
        ("posts", before["posts"]),
        ("_sessions", kept),
    ):
        is_same = [row[: len(rows[0])] for row in after[table]] == rows
        assert is_same, f"{table} is not what it was"
    has_all_files = [row[0] for row in after["_files"]] == [row[0] for row in before["_files"]]
    assert has_all_files


class _Crashes:
    """Kills the server of one project in several ways."""

    def __init__(self, project: Path, chance: random.Random) -> None:
        self._project = project
        self._chance = chance
        self.port = free_port()
        self.inside = {"start": 0, "schema change": 0}
        """How many kills fell where they were meant to."""

    def under_load(self, writers: list[_Writer]) -> None:
        """Kill the server while others write."""
        with running_server(self._project, port=self.port) as server:
            for each in writers:
                each.go()
            CLOCK.pause(self._chance.uniform(0.05, 0.5))
            server.kill()
        for each in writers:
            each.wait_down()

    def in_start(self, writers: list[_Writer]) -> None:
        """Kill the server while others write, and the next one, which has to recover, as it starts."""
        self.under_load(writers)
        shared = self._project / "bakend.db-shm"
        for _attempt in range(5):
            stamp = _stamp(shared)
            with start_server(self._project, port=self.port) as server:
                # Whoever opens a database that nobody has open begins by emptying this file.
                _wait_written(shared, stamp)
                CLOCK.pause(self._chance.uniform(0, 0.01))
                server.kill()
            if "Listening" not in server.log:
                self.inside["start"] += 1
                break

    def in_schema_change(self, writers: list[_Writer]) -> None:
        """Kill `bak migrate apply` while it rebuilds a table, and the server whose writers wait for it."""
        before = _definition(self._project / "bakend.db")
        changed = json.loads(json.dumps(BALLAST))
        changed["fields"][1]["required"] = not before["fields"][1].get("required", False)
        log = self._project / "bakend.db-wal"
        with running_server(self._project, port=self.port) as server:
            write_definition(self._project, changed)
            stamp = _stamp(log)
            apply = subprocess.Popen(
                [sys.executable, "-m", "bakend", "migrate", "apply"],
                cwd=self._project,
                env=environment(),
                stdout=subprocess.DEVNULL,
            )
            try:
                # Nobody else writes yet: what reaches the log is the new table, before its commit.
                _wait_written(log, stamp)
                for each in writers:
                    each.go()
                CLOCK.pause(self._chance.uniform(0, 0.03))
            finally:
                apply.kill()
                apply.wait()
            is_old = _definition(self._project / "bakend.db") == before
            server.kill()
        for each in writers:
            each.wait_down()
        self.inside["schema change"] += is_old
        _check_ballast(self._project / "bakend.db")
        result = bak(self._project, "migrate", "status")
        assert result.stdout.splitlines()[0] == ("ballast\tdrift" if is_old else "ballast\tsynced")


class _Writer:
    """A process of `writer`."""

    def __init__(self, port: int, journal: Path, number: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, writer.__file__, str(port), str(journal), f"w{number}", str(number)],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def go(self) -> None:
        """Let it write until the server is gone."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def wait_down(self) -> None:
        """Wait until it has found that the server is gone."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "down\n", "the writer has failed"

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def _writers(folder: Path, port: int) -> Iterator[list[_Writer]]:
    with contextlib.ExitStack() as stack:
        writers = []
        for number in range(WRITERS):
            each = _Writer(port, folder / f"{number}.journal", number)
            stack.callback(each.close)
            writers.append(each)
        yield writers


def _check(database: Path, journals: Path) -> None:
    """Compare journals, event log and table, each with each."""
    stories = writer.read_journals(journals.glob("*.journal"))
    with _opened(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        told = _replay(connection)
    for key, story in stories.items():
        happened = told.pop(key, [])
        possible = [story.acknowledged]
        if story.lost is not None:
            possible.append([*story.acknowledged, story.lost])
        assert happened in possible, f"{key}: {happened}, but {story}"
    assert told == {}, "events that nobody caused"


def _replay(connection: sqlite3.Connection) -> dict[str, list[writer.Change]]:
    """Play the event log from its beginning, compare the result with the table, and return who did what.

    An event that doubles another, is missing or stands in the wrong place does not fit to what the
    ones before it have made.
    """
    connection.row_factory = sqlite3.Row
    records: dict[str, Row] = {}
    told: dict[str, list[writer.Change]] = {}
    connection.execute("BEGIN")  # one state for all that is read here
    events = connection.execute("SELECT * FROM _events ORDER BY seq").fetchall()
    for number, event in enumerate(events, 1):
        assert event["seq"] == number
        if not event["type"].startswith("things."):
            continue
        subject, payload = event["subject"], json.loads(event["payload"])
        before = None if event["before"] is None else json.loads(event["before"])
        assert before == records.get(subject), f"event {number} does not follow from those before"
        assert payload["id"] == subject
        if event["type"] == "things.created":
            told[payload["key"]] = [("create", payload["value"])]
            records[subject] = payload
        elif event["type"] == "things.updated":
            told[payload["key"]].append(("update", payload["value"]))
            records[subject] = payload
        else:
            told[records.pop(subject)["key"]].append(("delete", None))
    counted = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = '_events'")
    assert counted.fetchone()["seq"] == len(events)
    rows = {
        row["id"]: {
            "id": row["id"],
            "createdAt": row["created_at"],
            "updatedAt": row["updated_at"],
            **{name: row[name] for name in ("key", "value", "note")},
        }
        for row in connection.execute("SELECT * FROM things")
    }
    assert rows == records
    return told


def _fill_ballast(database: Path) -> None:
    """Make a table large enough that its rebuild takes a while."""
    with _opened(database) as connection, connection:
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO ballast (id, created_at, updated_at, text, size)"
            " SELECT 'rec_' || i, '', '', hex(zeroblob(250)), i FROM n",
            (BALLAST_ROWS,),
        )


def _check_ballast(database: Path) -> None:
    """See that the table is whole and is the one that its definition describes."""
    with _opened(database) as connection:
        content = "SELECT count(*), sum(size), sum(length(text)) FROM ballast"
        assert connection.execute(content).fetchone() == (
            BALLAST_ROWS,
            BALLAST_ROWS * (BALLAST_ROWS + 1) // 2,
            BALLAST_ROWS * 500,
        )
        columns = connection.execute("PRAGMA table_info(ballast)").fetchall()
        leftovers = connection.execute(
            "SELECT name FROM sqlite_schema WHERE name GLOB 'bakend_rebuild_*'"
        ).fetchall()
    is_required = bool(columns[-1][3])
    assert is_required == _definition(database)["fields"][1].get("required", False)
    assert leftovers == []


def _definition(database: Path) -> dict[str, Any]:
    with _opened(database) as connection:
        found = connection.execute("SELECT definition FROM _collections WHERE name = 'ballast'")
        definition: dict[str, Any] = json.loads(found.fetchone()[0])
        return definition


def _fill_original(database: Path) -> None:
    """Give a database of the original so many sessions and files that its migration takes a while."""
    with _opened(database) as connection, connection:
        for sql in (
            "INSERT INTO _sessions SELECT 'ses_x' || i, 'usr_' || (i % 3), 'hash' || i, '', '' FROM n",
            "INSERT INTO _files SELECT 'fil_x' || i, hex(zeroblob(100)), 'text/plain', i, 'public',"
            " 'usr_' || (i % 3), '' FROM n",
        ):
            connection.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) "
                + sql
            )


def _rows(database: Path, *tables: str) -> dict[str, list[Any]]:
    with _opened(database) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
            for table in tables
        }


@contextlib.contextmanager
def _opened(database: Path) -> Iterator[sqlite3.Connection]:
    """Open a database beside its server."""
    connection = sqlite3.connect(database, timeout=30 * SLOWNESS)
    try:
        yield connection
    finally:
        connection.close()


def _stamp(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _wait_written(path: Path, stamp: int) -> None:
    """Wait until a file has been written to since it had this stamp."""
    wait_until(lambda: _stamp(path) != stamp, 60, what=f"a write to {path}", every_s=0.0005)
