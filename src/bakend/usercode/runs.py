"""Runs of the user's code, as another process can read them: table `_runs`.

A job and a task have a row for each run; a function only where it has failed, or may have ended the
process; a route where it has failed.

| status | |
|---|---|
| `waiting` | is tried at `next_at`; without one, it waits behind another event of the same record |
| `running` | has begun; found so at a start, the process ended while it ran |
| `completed` | done |
| `failed` | has used up its attempts |
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from bakend import wire
from bakend.clock import Clock, to_text
from bakend.database.transaction import Row, Snapshot, Transaction
from bakend.errors import ConflictError, NotFoundError
from bakend.events.event import Event
from bakend.ids import new_id
from bakend.structs import Struct

STATUSES: Final = ("waiting", "running", "completed", "failed")
KEPT: Final = 200
"""Completed runs that are kept of each function, task, route and job, and failed ones besides."""

_SELECT: Final = "SELECT * FROM _runs"


class Run(Struct, kw_only=True):
    """One run."""

    id: str
    kind: str
    """`function`, `task`, `route` or `job`."""
    name: str
    status: str
    subject: str | None
    event: Event | None
    attempts: int
    """How often it was begun."""
    crashes: int
    """How often the process ended while it ran."""
    next_at: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    error: str | None
    log: str
    args: dict[str, Any] | None
    """What a task is called with."""
    actor: str | None
    """Id of the user in whose name a task runs."""
    depth: int
    """How many handlers deep a task is."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "runId": self.id,
            "kind": self.kind,
            "name": self.name,
            "status": self.status,
            "eventId": None if self.event is None else self.event.id,
            "eventType": None if self.event is None else self.event.type,
            "subject": self.subject,
            "attempt": self.attempts,
            "crashes": self.crashes,
            "nextAt": self.next_at,
            "createdAt": self.created_at,
            "startedAt": self.started_at,
            "endedAt": self.ended_at,
            "error": self.error,
            "args": self.args,
        }


class Runs:
    """Owner of `_runs`. Thread: any, inside the caller's transaction."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    # Reading.

    def page(
        self,
        snapshot: Snapshot,
        kinds: Sequence[str],
        *,
        name: str = "",
        status: str = "",
        limit: int,
        offset: int = 0,
    ) -> tuple[list[Run], int]:
        """Return runs, newest first, and how many there are."""
        where = (
            " WHERE kind IN (SELECT value FROM json_each(?))"
            " AND (? = '' OR name = ?) AND (? = '' OR status = ?)"
        )
        given = (wire.encode([*kinds]), name, name, status, status)
        rows = snapshot.all(
            _SELECT + where + " ORDER BY created_at DESC, rowid DESC LIMIT ? OFFSET ?",
            (*given, limit, offset),
        )
        return [_run(row) for row in rows], snapshot.value(
            "SELECT count(*) FROM _runs" + where, given
        )

    def get(self, snapshot: Snapshot, run_id: str, kinds: Sequence[str]) -> Run:
        """Return one run.

        Raises:
            NotFoundError: There is none of these kinds.
        """
        row = snapshot.one(_SELECT + " WHERE id = ?", (run_id,))
        if row is None or row["kind"] not in kinds:
            raise NotFoundError("Run not found")
        return _run(row)

    def due(
        self, snapshot: Snapshot, kinds: Sequence[str], names: Sequence[str], *, limit: int
    ) -> list[Run]:
        """Return what is to be tried by now, the longest due first."""
        rows = snapshot.all(
            _SELECT + " WHERE status = 'waiting' AND next_at <= ?"
            " AND kind IN (SELECT value FROM json_each(?))"
            " AND name IN (SELECT value FROM json_each(?)) ORDER BY next_at, event_seq LIMIT ?",
            (to_text(self._clock.now()), wire.encode([*kinds]), wire.encode([*names]), limit),
        )
        return [_run(row) for row in rows]

    def lanes(self, snapshot: Snapshot) -> set[tuple[str, str]]:
        """Return each function and record for which something waits."""
        rows = snapshot.all(
            "SELECT DISTINCT name, subject FROM _runs"
            " WHERE kind = 'function' AND status IN ('waiting', 'running')"
        )
        return {(row[0], row[1]) for row in rows}

    def waiting_names(self, snapshot: Snapshot, kind: str) -> set[str]:
        """Return of what something waits to be tried."""
        rows = snapshot.all(
            "SELECT DISTINCT name FROM _runs WHERE kind = ? AND status = 'waiting'", (kind,)
        )
        return {row[0] for row in rows}

    # Writing.

    def park(
        self,
        tx: Transaction,
        name: str,
        event: Event,
        *,
        next_at: str | None,
        attempts: int = 0,
        crashes: int = 0,
        error: str | None = None,
        log: str = "",
        status: str = "waiting",
    ) -> None:
        """Keep an event for a function that is to be tried (again) later, or that has failed."""
        now = to_text(self._clock.now())
        tx.execute(
            "INSERT INTO _runs (id, kind, name, status, subject, event_seq, event, attempts,"
            " crashes, next_at, created_at, ended_at, error, log)"
            " VALUES (?, 'function', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                new_id("run"),
                name,
                status,
                event.subject,
                event.seq,
                wire.encode(event.as_dict()),
                attempts,
                crashes,
                next_at,
                now,
                now if status == "failed" else None,
                error,
                log,
            ),
        )
        if status == "failed":
            self._trim(tx, "function", name, status)

    def begin(self, tx: Transaction, run_id: str) -> None:
        """Note that an attempt begins, before it does."""
        tx.execute(
            "UPDATE _runs SET status = 'running', attempts = attempts + 1, next_at = NULL,"
            " ended_at = NULL, started_at = ? WHERE id = ?",
            (to_text(self._clock.now()), run_id),
        )

    def wait(self, tx: Transaction, run_id: str, *, next_at: str, error: str, log: str) -> None:
        """Note that an attempt has failed, and when the next one is."""
        tx.execute(
            "UPDATE _runs SET status = 'waiting', next_at = ?, error = ?, log = ? WHERE id = ?",
            (next_at, error, log, run_id),
        )

    def end(self, tx: Transaction, run: Run, *, error: str | None, log: str) -> None:
        """Note how a run has ended."""
        status = "completed" if error is None else "failed"
        tx.execute(
            "UPDATE _runs SET status = ?, next_at = NULL, ended_at = ?, error = ?, log = ?"
            " WHERE id = ?",
            (status, to_text(self._clock.now()), error, log, run.id),
        )
        if run.subject is not None:
            self.free_lane(tx, run.name, run.subject)
        self._trim(tx, run.kind, run.name, status)

    def note_failed(
        self,
        tx: Transaction,
        kind: str,
        name: str,
        *,
        error: str,
        log: str,
        subject: str | None = None,
        began_at: str | None = None,
    ) -> None:
        """Keep a run that cannot be tried again: it was a part of a write or a request that is over.

        Args:
            tx: The transaction to do it in.
            kind: `function` or `route`.
            name: What has failed.
            error: Why.
            log: What it has said.
            subject: The record that it was about.
            began_at: When it was begun, if not just now.
        """
        now = to_text(self._clock.now())
        began_at = began_at or now
        tx.execute(
            "INSERT INTO _runs (id, kind, name, status, subject, attempts, created_at, started_at,"
            " ended_at, error, log) VALUES (?, ?, ?, 'failed', ?, 1, ?, ?, ?, ?, ?)",
            (new_id("run"), kind, name, subject, began_at, began_at, now, error, log),
        )
        self._trim(tx, kind, name, "failed")

    def free_lane(self, tx: Transaction, name: str, subject: str) -> None:
        """Let the next event of a record be tried, if none before it still is."""
        first = tx.one(
            "SELECT id, status, next_at FROM _runs WHERE name = ? AND subject = ?"
            " AND status IN ('waiting', 'running') ORDER BY event_seq LIMIT 1",
            (name, subject),
        )
        if first is not None and first["status"] == "waiting" and first["next_at"] is None:
            tx.execute(
                "UPDATE _runs SET next_at = ? WHERE id = ?",
                (to_text(self._clock.now()), first["id"]),
            )

    def is_lane_free(self, snapshot: Snapshot, name: str, subject: str) -> bool:
        """Tell whether nothing waits for a record and function."""
        return not snapshot.one(
            "SELECT 1 FROM _runs WHERE name = ? AND subject = ? AND status IN ('waiting', 'running')",
            (name, subject),
        )

    def retry(self, tx: Transaction, run_id: str, kinds: Sequence[str]) -> Run:
        """Let a failed run be tried once more from the beginning.

        Raises:
            NotFoundError: There is none of that id.
            ConflictError: It has not failed, or was a part of a request or of a write that is over.
        """
        run = self.get(tx, run_id, kinds)
        if run.kind == "route":
            raise ConflictError("What answers a request cannot be tried again")
        if run.status != "failed":
            raise ConflictError(f"The run has not failed, it is {run.status}")
        if run.kind == "function" and run.event is None:
            raise ConflictError("The run was a part of a write, and can only come with another one")
        tx.execute(
            "UPDATE _runs SET status = 'waiting', attempts = 0, crashes = 0, next_at = ?,"
            " ended_at = NULL WHERE id = ?",
            (to_text(self._clock.now()), run_id),
        )
        return self.get(tx, run_id, kinds)

    def recover(self, tx: Transaction, kind: str, *, most: int) -> list[Run]:
        """Deal with runs during which the process has ended; return those that are given up.

        Args:
            tx: The transaction to do it in.
            kind: Which runs.
            most: How often the process may end during a run.
        """
        lost = []
        for row in tx.all(_SELECT + " WHERE kind = ? AND status = 'running'", (kind,)):
            run = _run(row)
            if run.crashes + 1 >= most:
                tx.execute("UPDATE _runs SET crashes = crashes + 1 WHERE id = ?", (run.id,))
                times = f" {run.crashes + 1} times" if run.crashes else ""
                error = f"The process has ended{times} while this ran"
                self.end(tx, run, error=error, log=run.log)
                lost.append(run)
            else:
                tx.execute(
                    "UPDATE _runs SET status = 'waiting', crashes = crashes + 1, next_at = ?,"
                    " error = 'The process has ended while this ran' WHERE id = ?",
                    (to_text(self._clock.now()), run.id),
                )
        return lost

    def release(self, tx: Transaction, kind: str) -> None:
        """Let what was begun and did not run be tried at the next start; for a stop in good order."""
        tx.execute(
            "UPDATE _runs SET status = 'waiting', next_at = ? WHERE kind = ? AND status = 'running'",
            (to_text(self._clock.now()), kind),
        )

    def blank(self, tx: Transaction, user_id: str) -> None:
        """Take what is personal of a deleted user out of the events that are kept here."""
        tx.execute(
            "UPDATE _runs SET event = json_set(event, '$.payload', json(?), '$.before', NULL)"
            " WHERE subject = ? AND json_extract(event, '$.type') GLOB 'auth.*'",
            (wire.encode({"userId": user_id}), user_id),
        )

        tx.execute(
            "UPDATE _runs SET args = '{}', actor = NULL, log = ''"
            " WHERE actor = ? AND status IN ('completed', 'failed')",
            (user_id,),
        )

    # Tasks.

    def enqueue(
        self,
        tx: Transaction,
        name: str,
        args: str,
        *,
        actor: str | None,
        depth: int,
        next_at: str,
    ) -> str:
        """Let a task be run; return the id of the run.

        Args:
            tx: The transaction that it comes with.
            name: Of the task.
            args: What it is called with: a JSON object.
            actor: Id of the user who acts.
            depth: How many handlers deep.
            next_at: Not before then.
        """
        run_id = new_id("run")
        tx.execute(
            "INSERT INTO _runs (id, kind, name, status, next_at, created_at, args, actor, depth)"
            " VALUES (?, 'task', ?, 'waiting', ?, ?, ?, ?, ?)",
            (run_id, name, next_at, to_text(self._clock.now()), args, actor, depth),
        )
        return run_id

    # Jobs.

    def request(self, tx: Transaction, name: str) -> str:
        """Ask for a run of a job as soon as may be; return its id."""
        now = to_text(self._clock.now())
        run_id = new_id("run")
        tx.execute(
            "INSERT INTO _runs (id, kind, name, status, next_at, created_at)"
            " VALUES (?, 'job', ?, 'waiting', ?, ?)",
            (run_id, name, now, now),
        )
        return run_id

    def last_begun(self, snapshot: Snapshot, name: str) -> str | None:
        """Return when a job was last begun."""
        at: str | None = snapshot.value(
            "SELECT max(created_at) FROM _runs WHERE kind = 'job' AND name = ?", (name,)
        )
        return at

    def _trim(self, tx: Transaction, kind: str, name: str, status: str) -> None:
        """Let the oldest go of those that ended so; no success takes a failure's place."""
        tx.execute(
            "DELETE FROM _runs WHERE id IN (SELECT id FROM _runs WHERE kind = ? AND name = ?"
            " AND status = ? ORDER BY created_at DESC, rowid DESC LIMIT -1 OFFSET ?)",
            (kind, name, status, KEPT),
        )


def _run(row: Row) -> Run:
    # A command that only looks may see a database before its migration.
    has_tasks = "args" in row.keys()  # noqa: SIM118  # no dict
    args = row["args"] if has_tasks else None
    return Run(
        id=row["id"],
        kind=row["kind"],
        name=row["name"],
        status=row["status"],
        subject=row["subject"],
        event=None if row["event"] is None else Event(**json.loads(row["event"])),
        attempts=row["attempts"],
        crashes=row["crashes"],
        next_at=row["next_at"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        error=row["error"],
        log=row["log"],
        args=None if args is None else json.loads(args),
        actor=row["actor"] if has_tasks else None,
        depth=row["depth"] if has_tasks else 0,
    )
