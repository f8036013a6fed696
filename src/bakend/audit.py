"""The audit: what administrators changed, and whose access was taken away; table `_audit`.

A reader of the event log. Each event that belongs here becomes a row under the event's number, in
the transaction that also moves the reader's position: a crash loses nothing and repeats nothing,
and what a command changed while no server ran is taken in at the next start. The log outlives
neither `events.retention` nor `events.maxRows`; the audit has a retention of its own.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from bakend import wire
from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.transaction import Row, Snapshot, Transaction
from bakend.errors import BakendError
from bakend.events.event import Event
from bakend.events.log import EventLog
from bakend.structs import Struct

READER: Final = "audit"
"""Name of its position in `_readers`."""

ALWAYS: Final = ("auth.deleted", "auth.session_revoked", "auth.updated")
"""Types that are kept whoever caused them; of all others, what administrators caused."""

LOOK_EVERY_S: Final = 1.0
"""Between two looks at the log. An audit is not in a hurry, and to be woken by every commit would
cost a query for each."""

BATCH: Final = 200
"""Rows of one transaction, so that a backlog keeps other writers waiting for moments only."""

PASS_EVERY: Final = 100
"""After so many events without one for the audit its position is moved all the same: rarely enough
to cost nothing, often enough to hold no trim of the log back."""

TRIM_STEP: Final = 1_000

_log: Final = logging.getLogger("bakend.audit")

EmailOf = Callable[[Snapshot, str], str | None]


class AuditEntry(Struct, kw_only=True):
    """Who did what, and when."""

    seq: int
    """The number of the event."""
    at: str
    actor: str | None
    """Id of a user; None for the command line and for Bakend itself."""
    actor_email: str | None
    """His address when it happened; None once he is deleted."""
    type: str
    subject: str
    detail: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "seq": self.seq,
            "timestamp": self.at,
            "type": self.type,
            "subject": self.subject,
            "actor": self.actor,
            "actorEmail": self.actor_email,
            "detail": self.detail,
        }


class Audit:
    """Owner of `_audit`, and the thread that fills it.

    Thread: `start` and `stop` on the main thread; `bakend-audit` calls `catch_up`, which any other
    may do, too. `page`, `trim` on any; `blank` on any, inside the caller's transaction.
    """

    def __init__(
        self,
        database: Database,
        log: EventLog,
        *,
        clock: Clock,
        retention_s: float,
        email_of: EmailOf,
    ) -> None:
        """Take the parts; nothing runs yet.

        Args:
            database: Where the tables are.
            log: What is read.
            clock: Where time comes from.
            retention_s: How long a row is kept.
            email_of: Returns the address of a user, None where there is no such user.
        """
        self._database = database
        self._events = log
        self._clock = clock
        self._retention = timedelta(seconds=retention_s)
        self._email_of = email_of
        self._looked = 0
        """Number of the last event that was looked at; its position in the table may be behind."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bakend-audit", daemon=True)

    def register(self) -> None:
        """Claim a place in the log, so that nothing is trimmed that was not looked at yet."""
        with self._database.read() as snapshot:
            if self._events.is_reader(snapshot, READER):
                return
        with self._database.write() as tx:
            if not self._events.is_reader(tx, READER):
                self._events.pass_over(tx, READER, 0)

    def start(self) -> None:
        """Begin to follow the log."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a transaction that runs is waited for, the rest comes at the next start."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def catch_up(self) -> None:
        """Take in everything that is in the log by now."""
        while self._take_in():
            pass

    def page(
        self, *, after: int | None, limit: int, actor: str = "", before: int | None = None
    ) -> list[AuditEntry]:
        """Return entries, oldest first.

        Args:
            after: The number of an entry: the first ones after it. Without it, the last ones.
            before: Without `after`: the last ones below this number.
            limit: Most entries to return.
            actor: Id of a user whose changes are wanted; empty for everybody's.
        """
        columns = "SELECT seq, at, actor, actor_email, type, subject, detail FROM _audit"
        where = " AND actor = ?" if actor else ""
        parameters: tuple[object, ...] = (actor,) if actor else ()
        with self._database.read() as snapshot:
            if after is not None:
                sql = columns + " WHERE seq > ?" + where + " ORDER BY seq LIMIT ?"
                return [_entry(row) for row in snapshot.all(sql, (after, *parameters, limit))]
            if before is not None:
                where, parameters = f" AND seq < ?{where}", (before, *parameters)
            sql = columns + " WHERE TRUE" + where + " ORDER BY seq DESC LIMIT ?"
            return [_entry(row) for row in reversed(snapshot.all(sql, (*parameters, limit)))]

    def blank(self, tx: Transaction, user_id: str) -> None:
        """Forget the address of a user who is being deleted; what he did stays, under his id."""
        tx.execute("UPDATE _audit SET actor_email = NULL WHERE actor = ?", (user_id,))

    def trim(self) -> int:
        """Delete what is older than `audit.retention`, in small transactions; return how many rows."""
        oldest = to_text(self._clock.now() - self._retention)
        deleted = 0
        while self._begins_before(oldest):
            with self._database.write() as tx:
                # Rows are in the order of time, so only the first ones need a look.
                deleted += tx.execute(
                    "DELETE FROM _audit WHERE seq IN (SELECT seq FROM"
                    " (SELECT seq, at FROM _audit ORDER BY seq LIMIT ?) WHERE at < ?)",
                    (TRIM_STEP, oldest),
                )
        return deleted

    def _begins_before(self, at: str) -> bool:
        with self._database.read() as snapshot:
            first = snapshot.value("SELECT at FROM _audit ORDER BY seq LIMIT 1")
        return first is not None and first < at

    def _run(self) -> None:
        is_failing = False
        while not self._stopped.is_set():
            try:
                self.catch_up()
            except Exception as error:  # noqa: BLE001  the thread has to outlive a full disk
                if not is_failing:
                    _complain(error)
                is_failing = True
            else:
                if is_failing:
                    _log.info("The audit has caught up")
                is_failing = False
            self._clock.wait(self._stopped, LOOK_EVERY_S)

    def _take_in(self) -> bool:
        """Take in one batch; return whether there may be more."""
        with self._database.read() as snapshot:
            passed = self._events.position(snapshot, READER)
            end = self._events.end(snapshot)
            looked = max(passed, self._looked)
            if looked >= end:
                return False
            found = self._events.by_admins(snapshot, looked, kinds=ALWAYS, limit=BATCH)
        is_full = len(found) == BATCH
        reached = found[-1].seq if is_full else end
        if found or reached - passed >= PASS_EVERY:
            with self._database.write() as tx:
                self._keep(tx, found, reached)
        self._looked = reached
        return is_full and not self._stopped.is_set()

    def _keep(self, tx: Transaction, events: Sequence[Event], reached: int) -> None:
        passed = self._events.position(tx, READER)  # another process may have been faster
        for event in events:
            if event.seq <= passed:
                continue
            email = None if event.actor is None else self._email_of(tx, event.actor)
            tx.execute(
                "INSERT INTO _audit (seq, at, actor, actor_email, type, subject, detail)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO NOTHING",
                (
                    event.seq,
                    event.at,
                    event.actor,
                    email,
                    event.type,
                    event.subject,
                    wire.encode(_detail(event)),
                ),
            )
        if reached > passed:
            self._events.pass_over(tx, READER, reached)


def _complain(error: Exception) -> None:
    if isinstance(error, BakendError):
        hint = f" ({error.hint})" if error.hint else ""
        _log.warning("The audit is behind, and will catch up: %s%s", error.message, hint)
    else:
        _log.error("The audit is behind, and will try again", exc_info=error)


def _detail(event: Event) -> dict[str, Any]:
    """Return what is worth knowing of a change: never a value of a record, an address, a secret."""
    payload = event.payload
    detail: dict[str, Any] = {}
    if event.type in ("auth.register", "auth.login"):
        detail = _some_of(payload, "role")
    elif event.type == "auth.updated":
        detail = {**_some_of(payload, "role"), "before": _some_of(event.before or {}, "role")}
    elif event.type == "auth.session_revoked":
        detail = {"sessionId": payload.get("sessionId")}
    elif event.type == "system.collection.updated":
        detail = {"steps": [step["text"] for step in payload.get("steps", ())]}
    elif event.type == "system.settings.updated":
        changes = payload.get("changes", ())
        detail = {"changes": [f"{each['key']}: {each['from']} → {each['to']}" for each in changes]}
    elif event.type == "system.backup.restore_failed":
        detail = _some_of(payload, "message")
    elif event.type == "storage.uploaded":
        detail = _some_of(payload, "filename", "visibility")
    elif event.type == "storage.deleted":
        detail = _some_of(payload, "userId")
    elif event.before is not None and event.type.endswith(".updated"):
        detail = {"fields": _changed(event.before, payload)}
    if event.actor is None and event.by_admin:
        detail["by"] = "command line"
    return detail


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the names of the values that differ; as text, since to Python 1 and true are equal."""
    return [
        name
        for name, value in after.items()
        if name != "updatedAt" and wire.encode(value) != wire.encode(before.get(name))
    ]


def _some_of(payload: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: payload[key] for key in keys if key in payload}


def _entry(row: Row) -> AuditEntry:
    return AuditEntry(
        seq=row["seq"],
        at=row["at"],
        actor=row["actor"],
        actor_email=row["actor_email"],
        type=row["type"],
        subject=row["subject"],
        detail=json.loads(row["detail"]),
    )
