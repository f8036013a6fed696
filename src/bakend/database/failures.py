"""SQLite's result codes as errors of ours, in one table.

Source: https://www.sqlite.org/rescode.html; extended codes come with `sqlite_errorcode`.
"""

from __future__ import annotations

import sqlite3

from bakend.errors import (
    BakendError,
    DatabaseBusyError,
    DatabaseError,
    Fault,
    NotWritableError,
    StorageFullError,
    ValidationError,
)

_CONSTRAINTS = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: ("unique", 'Field "{}" must be unique'),
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: ("unique", 'Field "{}" must be unique'),
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: ("required", 'Field "{}" is required'),
}


def translate(error: sqlite3.Error) -> BakendError | sqlite3.Error:
    """Return the error of ours that a SQLite error means.

    An error without a result code is a mistake in our own use of the library and comes back as it is.
    """
    extended = getattr(error, "sqlite_errorcode", None)
    if extended is None:
        return error
    primary = extended & 0xFF
    if extended in _CONSTRAINTS:
        rule, message = _CONSTRAINTS[extended]
        column = str(error).rpartition(".")[2]
        return ValidationError([Fault(column, rule, message.format(column))])
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseBusyError(
            "The database is busy: another process is writing to it",
            hint="find the process that keeps a transaction open; see database.busyTimeout",
        )
    if primary == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        return StorageFullError(
            "No space is left on the disk", hint="free space on the disk of the database"
        )
    if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return NotWritableError(
            "The database cannot be opened for writing",
            hint="check who owns the file and its folder, and whether the disk is mounted read-only",
        )
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseError(
            "The database file is damaged or is not a SQLite database",
            hint="restore a backup; `sqlite3 FILE 'PRAGMA integrity_check'` says what is wrong",
        )
    return DatabaseError("The database failed", hint=f"SQLite says: {error}")
