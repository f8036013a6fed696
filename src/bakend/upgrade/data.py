"""The database around an upgrade: copied before it, put back after one that failed.

    python -m bakend.upgrade.data schema DATABASE
    python -m bakend.upgrade.data copy DATABASE TO
    python -m bakend.upgrade.data restore DATABASE FOLDER SINCE FALLBACK

Run as a process of its own, as the user whom the project belongs to: root must not follow what that user
may have put in its way. Prints one JSON object; ends with exit code 1 and a sentence otherwise.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from bakend.backups.swapping import Move, swap
from bakend.clock import Clock, SystemClock, to_text
from bakend.database import copies
from bakend.database.connection import Database
from bakend.database.lock import UseLock
from bakend.database.migrations import version
from bakend.errors import BakendError, DatabaseBusyError, DatabaseError
from bakend.events.log import EventLog

LOCK_S: Final = 20.0
"""So long may a server that is ending keep the database."""


def schema_of(database: Path) -> int:
    """Return the schema of a database that may be in use, 0 for none."""
    if not database.exists() or not database.stat().st_size:
        return 0
    opened = Database(database, clock=SystemClock())
    opened.open()
    try:
        with opened.read() as snapshot:
            return version(snapshot)
    finally:
        opened.close()


def copy(database: Path, to: Path) -> None:
    """Copy a database that may be in use, whole or not at all, and check the copy.

    Raises:
        BakendError: It cannot be copied.
        OSError: The copy cannot be written.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    unfinished = to.with_name(f"{to.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        source = Database(database, clock=SystemClock())
        source.open()
        try:
            source.copy_to(unfinished)
        finally:
            source.close()
        if problems := copies.problems(unfinished, deep=False):
            raise DatabaseError(f"The copy of the database is damaged: {'; '.join(problems)}")
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(to)
    finally:
        unfinished.unlink(missing_ok=True)


def restore(
    database: Path, folder: Path, since: float, fallback: Path, *, clock: Clock
) -> tuple[Path, Path]:
    """Put a copy in the place of a database that a newer version has changed; return it, and the old.

    The copy that the newer version made just before its migration is the best: nothing was written
    between the two. Where there is none, the one from before the upgrade has to do.

    Args:
        database: Nobody uses it, or not for long any more.
        folder: Where versions put the copies they make before a migration.
        since: Copies that are older, by the time of their file, are of earlier migrations.
        fallback: The copy from before the upgrade; its schema is the one to go back to.
        clock: Where time comes from.

    Raises:
        BakendError: It is still in use, or no copy is whole; nothing was changed.
    """
    lock = _alone(database, clock)
    try:
        chosen = _best(database, folder, since, fallback)
        staged = database.with_name(f".{database.name}.going-back")
        staged.unlink(missing_ok=True)
        shutil.copyfile(chosen, staged)
        staged.chmod(database.stat().st_mode & 0o7777)
        _go_on_counting(staged, database, clock)
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        name = to_text(clock.now()).replace(":", "-").replace(".", "-")
        aside = database.with_name(f"{database.stem}-taken-back-{name}{database.suffix}")
        moves = [
            Move(database.with_name(database.name + suffix), aside.with_name(aside.name + suffix))
            for suffix in ("", "-wal", "-shm")
        ]
        swap(database, [*moves, Move(staged, database)])
    finally:
        lock.release()
    return chosen, aside


def _alone(database: Path, clock: Clock) -> UseLock:
    lock, until = UseLock(database), clock.monotonic() + LOCK_S
    while True:
        try:
            lock.take_alone()
        except DatabaseBusyError:
            if clock.monotonic() > until:
                raise
            clock.pause(0.02)
        else:
            return lock


def _best(database: Path, folder: Path, since: float, fallback: Path) -> Path:
    with copies.opened(fallback) as snapshot:
        wanted = version(snapshot)
    made = sorted(
        folder.glob(f"{database.stem}-before-schema-*.db"),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for each in made:
        if each.stat().st_mtime >= since and not copies.problems(each, deep=False):
            with copies.opened(each) as snapshot:
                if version(snapshot) == wanted:
                    return each
    if problems := copies.problems(fallback, deep=False):
        raise DatabaseError(f"The copy {fallback} is damaged: {'; '.join(problems)}")
    return fallback


def _go_on_counting(staged: Path, database: Path, clock: Clock) -> None:
    """Let the log of events go on behind the numbers that the newer version may have given."""
    log = EventLog(clock=clock, retention_s=0, max_rows=0)
    newer = Database(database, clock=clock)
    try:
        newer.open()
        with newer.read() as snapshot:
            last = log.end(snapshot) if copies.has_table(snapshot, "_events") else 0
    except BakendError:
        return  # what it left cannot be read, and so nobody was told a number of it
    finally:
        newer.close()
    older = Database(staged, clock=clock, journal=log.append)
    older.open()
    try:
        with older.write() as tx:
            if copies.has_table(tx, "_events") and last > log.end(tx):
                log.leap(tx, last)
    finally:
        older.close()


def _schema(database: str) -> Mapping[str, object]:
    return {"schema": schema_of(Path(database))}


def _copy(database: str, to: str) -> Mapping[str, object]:
    copy(Path(database), Path(to))
    return {"copy": to}


def _restore(database: str, folder: str, since: str, fallback: str) -> Mapping[str, object]:
    chosen, aside = restore(
        Path(database), Path(folder), float(since), Path(fallback), clock=SystemClock()
    )
    return {"restored": str(chosen), "aside": str(aside)}


COMMANDS: Final[Mapping[str, Callable[..., Mapping[str, object]]]] = {
    "schema": _schema,
    "copy": _copy,
    "restore": _restore,
}


def main(arguments: Sequence[str]) -> int:
    """Do one of them."""
    os.umask(0o077)
    try:
        print(json.dumps(COMMANDS[arguments[0]](*arguments[1:])))  # noqa: T201  our parent reads it
    except BakendError as error:
        sys.stderr.write(f"{error.message}\n")
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
