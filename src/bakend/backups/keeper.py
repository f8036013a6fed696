"""Backups that the server makes: by its schedule, and when an administrator asks.

One at a time, on a thread of its own: a backup may take minutes, and no request waits for it. Of
several processes with the same folder one makes those of the schedule: whoever holds the lock in the
folder, and finds that the newest is still too old.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from bakend.backups import names
from bakend.backups.backups import Backup, Backups
from bakend.backups.verifying import Verified
from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.errors import BakendError, ConflictError
from bakend.events.event import Actor, backup_handled
from bakend.storage.failures import disk_errors
from bakend.structs import Struct

LOOK_S: Final = 30.0
"""Between two looks whether a backup is due; a schedule has minutes."""

RETRY_S: Final = 600.0
"""After a scheduled one that failed."""

STOP_S: Final = 10.0

_log: Final = logging.getLogger("bakend.backups")

After = Callable[[datetime], datetime]
"""Returns the next time of a schedule."""


class Wish(Struct):
    """A backup that an administrator asked for."""

    name: str
    actor: Actor


class Failure(Struct):
    """The last backup that failed."""

    name: str
    message: str
    at: str

    def as_json(self) -> dict[str, str]:
        """Return it as the API shows it."""
        return {"name": self.name, "message": self.message, "at": self.at}


class BackupKeeper:
    """Makes backups in the background, and handles those that there are.

    Thread: `start`, `stop` on the main thread; `bakend-backups` makes the backups; the rest on any.
    """

    def __init__(
        self,
        backups: Backups,
        database: Database,
        *,
        clock: Clock,
        keep: int,
        next_after: After | None,
    ) -> None:
        """Take the parts; nothing runs yet.

        Args:
            backups: What makes them.
            database: Where the events go.
            clock: Where time comes from.
            keep: How many scheduled ones stay.
            next_after: The schedule, None for none.
        """
        self._backups = backups
        self._database = database
        self._clock = clock
        self._keep = keep
        self._next_after = next_after
        self._begun = clock.now()
        self._not_before = self._begun
        self._since: datetime | None = None
        """When the schedule was changed: what it would have made before is not missed."""
        self._lock = threading.Lock()
        self._verifying = threading.Lock()
        self._wish: Wish | None = None
        self.running: str | None = None
        """Name of the one that is being made, or is about to be."""
        self.failed: Failure | None = None
        self._stopped = threading.Event()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to follow the schedule, if there is one."""
        if self._next_after is not None:
            with self._lock:
                self._require_thread()

    def follow(self, next_after: After | None, *, keep: int) -> None:
        """Follow another schedule from now on.

        Args:
            next_after: The schedule, None for none.
            keep: How many scheduled ones stay, from the next one on.
        """
        with self._lock:
            self._next_after, self._keep = next_after, keep
            self._since = self._clock.now()
            if next_after is not None:
                self._require_thread()
            self._woken.set()

    def next_at(self) -> datetime | None:
        """Return when the next scheduled one is made, None for never."""
        next_after = self._next_after
        if next_after is None:
            return None
        return max(next_after(self._last()), self._not_before, self._clock.now())

    def stop(self) -> None:
        """End; a backup that is being made is given up, and nothing of it stays."""
        with self._lock:
            self._stopped.set()
            self._woken.set()
            thread = self._thread
        if thread is not None:
            thread.join(STOP_S)
            if thread.is_alive():
                _log.warning("gave up on a backup that is still running")

    def request(self, actor: Actor) -> str:
        """Have a backup made, and return the name that it will have.

        Raises:
            ConflictError: One is being made.
        """
        with self._lock:
            if self.running is not None:
                raise ConflictError(f"A backup is being made: {self.running}")
            self.running = names.new_name("backup", self._clock.now())
            self._wish = Wish(self.running, actor)
            self._require_thread()
            self._woken.set()
            return self.running

    def entries(self) -> list[Backup]:
        """Return all that there are, the newest first."""
        return self._backups.entries()

    def find(self, name: str) -> Backup:
        """Return one.

        Raises:
            NotFoundError: There is none of that name.
        """
        return self._backups.find(name)

    def verify(self, name: str) -> Verified:
        """Read one from begin to end.

        Raises:
            NotFoundError: There is none of that name.
            BackupError: Something is wrong with it.
            ConflictError: Another one is being read.
        """
        if not self._verifying.acquire(blocking=False):
            raise ConflictError("Another backup is being verified")
        try:
            return self._backups.verify(name)
        finally:
            self._verifying.release()

    def remove(self, name: str, actor: Actor) -> None:
        """Remove one.

        Raises:
            NotFoundError: There is none of that name.
        """
        self._backups.remove(name)
        self.tell(name, "deleted", actor)

    def tell(self, name: str, action: str, actor: Actor) -> None:
        """Write an event about a backup, for the audit."""
        with self._database.write(actor=actor) as tx:
            tx.emit(backup_handled(name, action))

    def look(self) -> None:
        """Make what was asked for, or what is due. Thread: `bakend-backups`, or a test's."""
        with self._lock:
            wish, self._wish = self._wish, None
        if wish is not None:
            if self._make(wish.name, "backup"):
                self.tell(wish.name, "created", wish.actor)
        elif self._is_due():
            with self._alone() as is_alone:
                if is_alone and self._is_due():  # another process may just have made one
                    self._make_scheduled()

    def _require_thread(self) -> None:
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name="bakend-backups", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except BakendError as error:
                _log.warning("Backups: %s", error.message)
            except Exception:  # noqa: BLE001  the next look may be better
                _log.exception("A backup failed")
            self._clock.wait(self._woken, LOOK_S)
            self._woken.clear()

    def _is_due(self) -> bool:
        next_after = self._next_after  # another one may be followed in the next moment
        if next_after is None or self._clock.now() < self._not_before:
            return False
        return next_after(self._last()) <= self._clock.now()

    def _last(self) -> datetime:
        """Return from when on the schedule counts: the newest scheduled one, or what came after it."""
        moments = [names.moment_of(each.name) for each in self.entries() if each.is_scheduled]
        last = max((moment for moment in moments if moment is not None), default=self._begun)
        return last if self._since is None else max(last, self._since)

    def _make_scheduled(self) -> None:
        name = names.new_name("scheduled", self._clock.now())
        with self._lock:
            if self.running is not None:
                return  # an administrator was faster; it is due all the same in a moment
            self.running = name
        self._not_before = self._clock.now() + timedelta(seconds=RETRY_S)
        if self._make(name, "scheduled"):
            self._not_before = self._begun
            for old in self._backups.prune(self._keep):
                _log.info("Removed the old backup %s", old)

    def _make(self, name: str, kind: names.Kind) -> bool:
        """Make a backup under a name; return whether it was made."""
        try:
            made = self._backups.create(
                self._backups.folder / name, kind=kind, is_stopped=self._stopped.is_set
            )
        except Exception as error:
            message = error.message if isinstance(error, BakendError) else "Internal error"
            if not self._stopped.is_set():
                self.failed = Failure(name, message, to_text(self._clock.now()))
                _log.error("No backup was made: %s", message)
            if not isinstance(error, BakendError):
                raise
            return False
        finally:
            with self._lock:
                self.running = None
        self.failed = None
        _log.info("Made the backup %s (%d bytes)", made.path, made.size_bytes)
        for file_id in (*made.manifest.missing, *made.manifest.damaged):
            _log.warning(
                "The file %s is missing or damaged on the disk, and so in the backup", file_id
            )
        return True

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Hold the lock of the schedule, if no other process does; say whether it is held."""
        path = self._backups.folder / ".schedule.lock"
        with disk_errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
        finally:
            os.close(descriptor)
