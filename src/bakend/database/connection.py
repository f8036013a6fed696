"""Connections to one SQLite file: one writer for the process, one reader for each thread.

Writers of this process stand in a queue and take turns in the order they came. Whose turn it is
begins with BEGIN IMMEDIATE, so that a transaction never finds out half-way that another process
was faster. Other processes may hold SQLite's write lock for a while. A writer waits for them, and
gives up when this process as a whole got nowhere for `busy_timeout_s`: as long as others before it
in the queue do get their turn, waiting is worth it; once nobody does, all who wait give up together
instead of one timeout after the other. Who comes then, while the lock is known to be held, tries
for a moment only: a crowd is refused at once, and does not hold its threads for a timeout each.

SQLite's own busy handler sleeps up to 100 ms between two tries, and a process that lets go only
briefly would never be caught. So BEGIN is retried here every few milliseconds instead.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from bakend.clock import Clock
from bakend.database.failures import translate
from bakend.database.transaction import Snapshot, Transaction, translated
from bakend.errors import (
    DatabaseBusyError,
    DatabaseError,
    NotWritableError,
    SettingsError,
    StorageFullError,
)
from bakend.events.event import NOBODY, Actor, Draft

SQLITE_VERSION: Final = sqlite3.sqlite_version
OLDEST_SQLITE: Final = (3, 38, 0)
"""RETURNING and ALTER TABLE DROP COLUMN came with 3.35, JSON as a built-in with 3.38."""

BEGIN_RETRY_S: Final = 0.002
"""Pause between two tries of BEGIN: short enough to catch a gap between two transactions of another
process, and 500 tries a second cost about one per cent of a core."""

LATE_PATIENCE_S: Final = 0.2
"""How long a writer waits that comes when others have waited for the whole timeout: a hundred times
the pause above, enough to notice that the lock is free again."""

STUCK_MEMORY_S: Final = 1.0
"""Without a try for so long, nobody knows any more whether the lock was held all the time."""

WAL_SIZE_LIMIT_BYTES: Final = 64 * 1024 * 1024
"""The write-ahead log is cut back to this after a checkpoint, so that one burst of writes doesn't
keep its disk space for ever."""

Journal = Callable[[Transaction, Sequence[Draft]], None]


class Database:
    """The project's database.

    Thread: any; every thread has a reader of its own, and `write()` waits for its turn.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        busy_timeout_s: float = 5.0,
        synchronous: str = "full",
        journal: Journal | None = None,
        committed: Callable[[], None] | None = None,
    ) -> None:
        """Name the file; nothing is opened yet.

        Args:
            path: The database file.
            clock: Where time comes from.
            busy_timeout_s: How long other processes are waited for.
            synchronous: SQLite's setting of that name. `full`: an acknowledged write survives a
                power cut; `normal`: the last ones may be lost then, the database is whole.
            journal: Writes the drafts of a transaction into the event log, inside it.
            committed: Called after a commit that had events.
        """
        self.path = path
        self.clock = clock
        """Where its own time comes from."""
        self._clock = clock
        self._busy_timeout_s = busy_timeout_s
        self._synchronous = synchronous
        self._journal = journal
        self._committed = committed
        self._writer: sqlite3.Connection | None = None
        self._queue = _Queue(clock, busy_timeout_s)
        self._local = threading.local()
        self._readers: dict[threading.Thread, sqlite3.Connection] = {}
        self._readers_lock = threading.Lock()
        self._is_closed = True

    def open(self) -> None:
        """Open the writer, make the file where there is none, and switch it to write-ahead logging.

        Raises:
            NotWritableError: The file or its folder cannot be written.
            SettingsError: The file is not a SQLite database, or SQLite is too old.
            StorageFullError: The disk has no room for the files beside the database.
        """
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise SettingsError(
                [f"SQLite {sqlite3.sqlite_version} is too old: Bakend needs 3.38 or newer"],
                hint="use the released executable, which carries its own",
            )
        self._is_closed = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotWritableError(
                f"The folder {self.path.parent} cannot be made: {error.strerror}",
                hint="make it, or set `database` to a place that can be written",
            ) from error
        with suppress(OSError):  # SQLite says more about what is wrong with a place
            # For nobody else on the host; SQLite itself would leave that to the umask. What it puts beside
            # the file has the same mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        try:
            self._writer = self._open_writer()
        except NotWritableError as error:
            raise NotWritableError(
                f"The database {self.path} cannot be opened for writing", hint=error.hint
            ) from error
        except (DatabaseBusyError, StorageFullError):
            raise
        except DatabaseError as error:
            raise SettingsError([f"{self.path}: {error.message}"], hint=error.hint) from error

    def close(self) -> None:
        """Close every connection; the last one of all processes folds the log into the file."""
        self._is_closed = True
        self._local = threading.local()
        with self._readers_lock:
            readers = list(self._readers.values())
            self._readers.clear()
        for reader in readers:
            reader.close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        """Read one state of the database, whatever is written meanwhile."""
        connection = self._reader()
        if connection.in_transaction:  # a read within a read sees the same state
            yield Snapshot(connection)
            return
        with translated():
            connection.execute("BEGIN")
        try:
            yield Snapshot(connection)
        finally:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    @contextmanager
    def write(self, *, actor: Actor = NOBODY, depth: int = 0) -> Iterator[Transaction]:
        """Change the database: commit at the end of the block, roll back on any exception.

        Args:
            actor: Who acts, for the events.
            depth: How many handlers deep the change is.

        Raises:
            DatabaseBusyError: Other processes held the write lock for too long.
            StorageFullError: The disk is full; nothing was changed.
        """
        with self._queue.turn():
            connection = self._begin()
            tx = Transaction(connection, actor=actor, depth=depth, lasts=self._queue.lasts)
            try:
                yield tx
                if tx.drafts and self._journal is not None:
                    self._journal(tx, tx.drafts)
                with translated():
                    connection.execute("COMMIT")
            except BaseException:
                self._roll_back(connection)
                raise
            self._queue.progressed()
        if tx.drafts and self._committed is not None:
            self._committed()

    @contextmanager
    def rebuild(self) -> Iterator[Transaction]:
        """Write without foreign keys, to rebuild tables that others refer to; check them before the commit.

        With foreign keys on, dropping a table deletes what refers to its rows. The switch does
        nothing inside a transaction, so it is thrown before and after.
        """
        with self._queue.turn():
            connection = self._require_writer()
            connection.execute("PRAGMA foreign_keys = OFF")
            try:
                self._begin()
                tx = Transaction(connection)
                try:
                    yield tx
                    broken = tx.all("PRAGMA foreign_key_check")
                    if broken:
                        tables = ", ".join(sorted({str(row[0]) for row in broken}))
                        raise DatabaseError(
                            f"A migration would leave references to nothing in {tables}",
                            hint="nothing was changed; please report this",
                        )
                    with translated():
                        connection.execute("COMMIT")
                except BaseException:
                    self._roll_back(connection)
                    raise
            finally:
                if self._writer is not None:
                    self._writer.execute("PRAGMA foreign_keys = ON")
            self._queue.progressed()

    def copy_to(self, target: Path) -> None:
        """Copy the database as it is now into a new file, while others read and write.

        The copy is made in one step: page by page it would start anew at each write and never end.
        """
        source = self._open_reader()
        try:
            copy = sqlite3.connect(target)
            try:
                with translated():
                    source.backup(copy, pages=-1)
                    # The copied header says "write-ahead log"; a file that stands alone has none.
                    copy.execute("PRAGMA journal_mode = DELETE")
            finally:
                copy.close()
        finally:
            source.close()

    def _begin(self) -> sqlite3.Connection:
        connection = self._require_writer()
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                ours = translate(error)
                if not isinstance(ours, DatabaseBusyError):
                    raise ours from error
                self._queue.found_busy()
                if self._queue.is_hopeless():
                    raise ours from error
                self._clock.pause(BEGIN_RETRY_S)
            else:
                self._queue.progressed()
                return connection

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        """Leave no transaction open; a connection that can't do even that is replaced."""
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            connection.close()
            self._writer = None  # opened anew by the next writer

    def _require_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self._open_writer()
        return self._writer

    def _open_writer(self) -> sqlite3.Connection:
        with translated():
            connection = self._connect()
            try:
                # Two processes that start at once both want the lock that this switch needs.
                connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout_s * 1000)}")
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {self._synchronous.upper()}")
                connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT_BYTES}")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("PRAGMA busy_timeout = 0")  # from here on _begin retries
            except BaseException:
                connection.close()
                raise
            return connection

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._open_reader()
            self._local.connection = connection
            with self._readers_lock:
                for thread in [each for each in self._readers if not each.is_alive()]:
                    self._readers.pop(thread).close()
                self._readers[threading.current_thread()] = connection
        return connection

    def _open_reader(self) -> sqlite3.Connection:
        with translated():
            connection = self._connect()
            connection.execute(f"PRAGMA busy_timeout = {round(self._busy_timeout_s * 1000)}")
            connection.execute("PRAGMA query_only = ON")
            return connection

    def _connect(self) -> sqlite3.Connection:
        if self._is_closed:
            raise DatabaseError("The database is closed")
        connection = sqlite3.connect(
            self.path, timeout=0, isolation_level=None, check_same_thread=False
        )
        connection.row_factory = sqlite3.Row
        return connection


class _Queue:
    """Gives the writer to one thread after the other, in the order they came."""

    def __init__(self, clock: Clock, patience_s: float) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        """Whose turn it is comes first."""
        self._owner: int | None = None
        self._came_at = 0.0
        """When the owner joined the queue, monotonic seconds."""
        self._progress_at = 0.0
        """When this process last began or committed, monotonic seconds."""
        self._busy_since: float | None = None
        """When another process was first found to hold the lock, if nothing succeeded since."""
        self._busy_at = 0.0
        """When that was last found so."""

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this thread's turn and hold it for the block."""
        if self._owner == threading.get_ident():
            raise RuntimeError("write() inside write(): use the transaction that is open")
        came_at = self._clock.monotonic()
        ticket = threading.Event()
        with self._lock:
            self._waiting.append(ticket)
            if self._waiting[0] is ticket:
                ticket.set()
        try:
            while not ticket.is_set():
                left_s = self._give_up_at(came_at) - self._clock.monotonic()
                if left_s <= 0:
                    raise DatabaseBusyError(
                        "The database is busy: a writer before this one is stuck"
                    )
                self._clock.wait(ticket, left_s)
            self._owner, self._came_at = threading.get_ident(), came_at
            yield
        finally:
            with self._lock:
                was_first = self._waiting[0] is ticket
                self._waiting.remove(ticket)
                if was_first:
                    self._owner = None
                    if self._waiting:
                        self._waiting[0].set()

    def progressed(self) -> None:
        """Note that this process got something done."""
        self._progress_at = self._clock.monotonic()
        self._busy_since = None

    def lasts(self, seconds: float) -> None:
        """Let those who wait be patient with the owner for so long from now on."""
        self._progress_at = self._clock.monotonic() + seconds

    def found_busy(self) -> None:
        """Note that another process holds the lock."""
        now = self._clock.monotonic()
        if self._busy_since is None or now - self._busy_at > STUCK_MEMORY_S:
            self._busy_since = now
        self._busy_at = now

    def is_hopeless(self) -> bool:
        """Tell whether the owner has waited long enough for other processes."""
        return self._clock.monotonic() >= self._give_up_at(self._came_at)

    def _give_up_at(self, came_at: float) -> float:
        busy_since = self._busy_since
        if busy_since is None or came_at < busy_since:
            return max(came_at, self._progress_at) + self._patience_s
        late_s = min(LATE_PATIENCE_S, self._patience_s)
        return max(busy_since + self._patience_s, came_at + late_s)
