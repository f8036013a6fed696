"""Bakend's own tables, version by version.

The version stands in `_bakend_meta`, row `schema_version`, as the original wrote it; versions 1 to 3
are the original's, so that its databases are opened and go on from where they are. All the steps
that a database needs run in one transaction together with the new version number: killed at any
moment it is as old as before, or new. Before an existing database is touched, a copy is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from bakend.clock import to_text
from bakend.database.connection import Database
from bakend.database.transaction import Snapshot, Transaction
from bakend.errors import NotWritableError, SchemaTooNewError, SettingsError

COPIES_KEPT: Final = 3
"""Of the copies that are made before a migration."""

Report = Callable[[str], None]
Step = Callable[[Transaction, Report], None]


def migrate(
    database: Database,
    *,
    report: Report,
    copies_to: Path | None,
    steps: Mapping[int, Step] | None = None,
) -> None:
    """Bring the database to the newest version.

    Args:
        database: Open.
        report: Takes a sentence about each thing done, for the log.
        copies_to: The folder for a copy of the database as it was; None for no copy.
        steps: Version to what makes it, without a gap from 1; ours unless a test gives others.

    Raises:
        SchemaTooNewError: A newer Bakend wrote it.
        SettingsError: It holds no version that could be understood.
    """
    steps = STEPS if steps is None else steps
    newest = max(steps)
    found = require_readable(database, newest=newest)
    if found == newest:
        return
    if found:
        report(f"Database: migrating from schema {found} to {newest}")
    if found and copies_to is not None:
        copy = copy_before(database, newest, copies_to)
        report(f"Database: copied to {copy} before its migration")
    with database.rebuild() as tx:
        found = version(tx)  # another process may have been faster
        for number in range(found + 1, newest + 1):
            steps[number](tx, report)
        tx.execute(
            "INSERT INTO _bakend_meta (key, value) VALUES ('schema_version', ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (str(newest),),
        )
    if found < newest:
        report(
            f"Database: migrated from schema {found} to {newest}"
            if found
            else f"Database: created {database.path}"
        )


def require_readable(database: Database, *, newest: int | None = None) -> int:
    """Return the schema version of a database that this Bakend can read; 0 for an empty one.

    Raises:
        SchemaTooNewError: A newer Bakend wrote it.
        SettingsError: It is another program's, or holds no version that could be understood.
    """
    newest = NEWEST if newest is None else newest
    with database.read() as snapshot:
        found = version(snapshot)
        others = snapshot.value("SELECT count(*) FROM sqlite_schema")
    if not found and others:
        raise SettingsError(
            [f"The database {database.path} is not one of Bakend: it has other tables"],
            hint="set `database` to a file of its own",
        )
    if found > newest:
        raise SchemaTooNewError(
            f"The database {database.path} has schema {found}, this Bakend knows up to {newest}",
            hint="start it with the Bakend that wrote it, or with a newer one",
        )
    return found


def version(snapshot: Snapshot) -> int:
    """Return the schema version of a database, 0 when it is not one of Bakend yet."""
    if not snapshot.one("SELECT 1 FROM sqlite_schema WHERE name = '_bakend_meta'"):
        return 0
    text = snapshot.value("SELECT value FROM _bakend_meta WHERE key = 'schema_version'")
    try:
        return int(text)
    except (TypeError, ValueError):
        raise SettingsError(
            [f"The database holds no schema version that can be understood: {text!r}"],
            hint="restore a backup, or set `database` to another file",
        ) from None


def copy_before(database: Database, newest: int, folder: Path) -> Path:
    """Copy the database into a folder, whole or not at all, and return where.

    The last `COPIES_KEPT` of such copies stay.
    """
    name = f"{database.path.stem}-before-schema-"
    time = to_text(database.clock.now()).replace(":", "-").replace(".", "-")
    copy = folder / f"{name}{newest}-{time}.db"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{name}*.unfinished*"):
            left.unlink(missing_ok=True)
        unfinished = copy.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        try:
            database.copy_to(unfinished)
            with unfinished.open("rb") as file:
                os.fsync(file.fileno())
            unfinished.replace(copy)
        finally:
            unfinished.unlink(missing_ok=True)
        copies = sorted(folder.glob(f"{name}*.db"), key=lambda path: path.stat().st_mtime_ns)
        for old in copies[:-COPIES_KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise NotWritableError(
            f"The copy {copy} cannot be written: {error.strerror}",
            hint="a database is copied before it is migrated; make room for the copy, or set"
            " backup.beforeMigration to false",
        ) from error
    return copy


def _version_1(tx: Transaction, _report: Report) -> None:
    """Collections and their definitions."""
    tx.execute(
        "CREATE TABLE _bakend_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL,"
        " created_at TEXT NOT NULL DEFAULT (datetime('now')))"
    )
    tx.execute(
        "CREATE TABLE _collections (name TEXT PRIMARY KEY, definition TEXT NOT NULL,"
        " created_at TEXT NOT NULL DEFAULT (datetime('now')),"
        " updated_at TEXT NOT NULL DEFAULT (datetime('now')))"
    )


def _version_2(tx: Transaction, _report: Report) -> None:
    """Users and sessions."""
    tx.execute(
        "CREATE TABLE _users (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE,"
        " password_hash TEXT NOT NULL, role TEXT NOT NULL DEFAULT 'authenticated',"
        " created_at TEXT NOT NULL)"
    )
    tx.execute(f"CREATE TABLE _sessions ({_SESSIONS})")


def _version_3(tx: Transaction, _report: Report) -> None:
    """Files, as the original keeps them."""
    tx.execute(
        f"CREATE TABLE _files ({_FILES},"
        " user_id TEXT NOT NULL REFERENCES _users (id) ON DELETE CASCADE,"
        " created_at TEXT NOT NULL)"
    )


def _version_4(tx: Transaction, report: Report) -> None:
    """The event log; references that hold.

    The original never switched foreign keys on, so deleted users left sessions and files behind.
    The sessions are useless and go; the files may be in use and stay, owned by nobody.
    """
    tx.execute(
        "CREATE TABLE _events (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
        " type TEXT NOT NULL, source TEXT NOT NULL, at TEXT NOT NULL, subject TEXT NOT NULL,"
        " actor TEXT, depth INTEGER NOT NULL, payload TEXT NOT NULL, before TEXT)"
    )
    gone = "user_id NOT IN (SELECT id FROM _users)"
    sessions = tx.execute(f"DELETE FROM _sessions WHERE {gone}")
    files = tx.value(f"SELECT count(*) FROM _files WHERE {gone}")
    if sessions:
        report(f"Database: deleted {sessions} session(s) of users that are gone")
    if files:
        report(f"Database: kept {files} file(s) of users that are gone, owned by nobody now")

    rebuild_table(
        tx,
        "_sessions",
        _SESSIONS,
        {
            name: name
            for name in ("id", "user_id", "refresh_token_hash", "expires_at", "created_at")
        },
    )
    rebuild_table(
        tx,
        "_files",
        f"{_FILES}, user_id TEXT REFERENCES _users (id) ON DELETE SET NULL,"
        " created_at TEXT NOT NULL",
        {
            **{name: name for name in ("id", "filename", "mime_type", "size", "visibility")},
            "user_id": f"CASE WHEN {gone} THEN NULL ELSE user_id END",
            "created_at": "created_at",
        },
    )
    tx.execute("CREATE INDEX _sessions_user ON _sessions (user_id)")
    tx.execute("CREATE INDEX _files_user ON _files (user_id)")


def _version_5(tx: Transaction, _report: Report) -> None:
    """Accounts, files with checksums, throttling and the audit.

    The refresh tokens that a session has used up are kept beside it, so that one that comes again
    is known for what it is.
    """
    tx.execute("ALTER TABLE _sessions ADD COLUMN refreshed_at TEXT")
    tx.execute("ALTER TABLE _sessions ADD COLUMN user_agent TEXT")
    tx.execute("CREATE INDEX _sessions_expiry ON _sessions (expires_at)")
    tx.execute(
        "CREATE TABLE _spent_tokens (hash TEXT PRIMARY KEY,"
        " session_id TEXT NOT NULL REFERENCES _sessions (id) ON DELETE CASCADE,"
        " spent_at TEXT NOT NULL) WITHOUT ROWID"
    )
    tx.execute("CREATE INDEX _spent_tokens_session ON _spent_tokens (session_id, spent_at)")
    tx.execute("ALTER TABLE _files ADD COLUMN sha256 TEXT")
    tx.execute("CREATE TABLE _throttle (key TEXT PRIMARY KEY, hits TEXT NOT NULL) WITHOUT ROWID")
    tx.execute("ALTER TABLE _events ADD COLUMN by_admin INTEGER NOT NULL DEFAULT 0")
    tx.execute("CREATE TABLE _readers (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID")
    tx.execute(
        "CREATE TABLE _audit (seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT,"
        " actor_email TEXT, type TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL)"
    )
    tx.execute("CREATE INDEX _audit_actor ON _audit (actor, seq)")


def _version_6(tx: Transaction, _report: Report) -> None:
    """Functions with their places in the log; runs of functions and jobs."""
    tx.execute(
        "CREATE TABLE _functions (name TEXT PRIMARY KEY, file TEXT NOT NULL, kind TEXT NOT NULL,"
        " collection TEXT NOT NULL, event_type TEXT NOT NULL, seq INTEGER NOT NULL,"
        " seen_at TEXT NOT NULL) WITHOUT ROWID"
    )
    tx.execute(
        "CREATE TABLE _runs (id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,"
        " status TEXT NOT NULL, subject TEXT, event_seq INTEGER, event TEXT,"
        " attempts INTEGER NOT NULL DEFAULT 0, crashes INTEGER NOT NULL DEFAULT 0,"
        " next_at TEXT, created_at TEXT NOT NULL, started_at TEXT, ended_at TEXT, error TEXT,"
        " log TEXT NOT NULL DEFAULT '')"
    )
    tx.execute("CREATE INDEX _runs_name ON _runs (kind, name, created_at)")
    tx.execute("CREATE INDEX _runs_due ON _runs (status, next_at)")
    tx.execute("CREATE INDEX _runs_lane ON _runs (name, subject, event_seq)")


def _version_7(tx: Transaction, _report: Report) -> None:
    """Tasks among the runs."""
    tx.execute("ALTER TABLE _runs ADD COLUMN args TEXT")
    tx.execute("ALTER TABLE _runs ADD COLUMN actor TEXT")
    tx.execute("ALTER TABLE _runs ADD COLUMN depth INTEGER NOT NULL DEFAULT 0")
    tx.execute("CREATE INDEX _runs_ended ON _runs (kind, name, status, created_at)")


def rebuild_table(tx: Transaction, table: str, columns: str, values: Mapping[str, str]) -> None:
    """Give one of Bakend's own tables another shape, its rows kept.

    SQLite's ALTER TABLE can't change a constraint. Only inside `Database.rebuild()`: with foreign
    keys on, dropping the old table would delete what refers to it.

    Args:
        tx: From `Database.rebuild()`.
        table: One of ours; its indexes are gone afterwards.
        columns: What stands between the parentheses of CREATE TABLE.
        values: New column to the SQL expression over the old row that fills it.
    """
    tx.execute(f"CREATE TABLE _rebuilt ({columns})")
    tx.execute(
        f"INSERT INTO _rebuilt ({', '.join(values)}) SELECT {', '.join(values.values())} FROM {table}"
    )
    # Renaming in the modern way would rewrite the references of other tables to follow the old one.
    tx.execute("PRAGMA legacy_alter_table = ON")
    tx.execute(f"DROP TABLE {table}")
    tx.execute(f"ALTER TABLE _rebuilt RENAME TO {table}")
    tx.execute("PRAGMA legacy_alter_table = OFF")


_SESSIONS: Final = (
    "id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES _users (id) ON DELETE CASCADE,"
    " refresh_token_hash TEXT NOT NULL UNIQUE, expires_at TEXT NOT NULL, created_at TEXT NOT NULL"
)
_FILES: Final = (
    "id TEXT PRIMARY KEY, filename TEXT NOT NULL, mime_type TEXT NOT NULL, size INTEGER NOT NULL,"
    " visibility TEXT NOT NULL CHECK (visibility IN ('public', 'protected'))"
)

STEPS: Final[Mapping[int, Step]] = {
    1: _version_1,
    2: _version_2,
    3: _version_3,
    4: _version_4,
    5: _version_5,
    6: _version_6,
    7: _version_7,
}
NEWEST: Final = max(STEPS)
"""The schema that this Bakend makes and knows."""
