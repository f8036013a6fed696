"""Putting new files in the place of old ones: all of them, or none, whatever ends the process.

Every step is a rename, and the list of them is on the disk before the first one. A step whose new name
is there is done; so a list can be gone through again from its begin, by whoever comes next.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from bakend.database.lock import UseLock
from bakend.errors import NotWritableError
from bakend.structs import Struct


class Move(Struct):
    """A rename, within one file system."""

    old: Path
    new: Path


def list_of(database: Path) -> Path:
    """Return where the list of moves of a restore lies while it is gone through."""
    return database.with_name(f"{database.name}.restore")


def swap(database: Path, moves: Sequence[Move]) -> None:
    """Make all moves; where one is not possible, take back those before it.

    Needs the database's lock, alone.

    Raises:
        NotWritableError: A move was not possible; everything is as it was.
    """
    listed = list_of(database)
    try:
        _write(listed, json.dumps([[str(move.old), str(move.new)] for move in moves]))
        _make(moves)
    except OSError as error:
        for move in reversed(moves):
            with contextlib.suppress(OSError):
                if os.path.lexists(move.new) and not os.path.lexists(move.old):
                    move.new.rename(move.old)
        listed.unlink(missing_ok=True)
        raise NotWritableError(
            f"{error.filename or listed} cannot be replaced: {error.strerror}",
            hint="nothing was changed; if it is a mounted folder, mount the one above it instead",
        ) from error
    listed.unlink()


def is_interrupted(database: Path) -> bool:
    """Tell whether a restore was ended in between."""
    return list_of(database).exists()


def finish_alone(database: Path) -> bool:
    """As `finish`, for who has no lock yet.

    Raises:
        DatabaseBusyError: The restore runs, and was not interrupted at all.
    """
    lock = UseLock(database)
    lock.take_alone()
    try:
        return finish(database)
    finally:
        lock.release()


def finish(database: Path) -> bool:
    """Go on with a restore that was ended in between; return whether there was one.

    Needs the database's lock, alone.

    Raises:
        NotWritableError: It cannot be ended either.
    """
    listed = list_of(database)
    try:
        moves = [Move(Path(old), Path(new)) for old, new in json.loads(listed.read_text("utf-8"))]
        _make(moves)
        listed.unlink()
    except FileNotFoundError:
        return False
    except ValueError:  # it was ended while it wrote the list: nothing was moved yet
        listed.unlink(missing_ok=True)
        return False
    except OSError as error:
        raise NotWritableError(
            f"A restore that was interrupted cannot be ended: {error.strerror}",
            hint=f"{listed} has the renames that it needs",
        ) from error
    return True


def _make(moves: Sequence[Move]) -> None:
    for move in moves:
        if os.path.lexists(move.new) or not os.path.lexists(move.old):
            continue
        move.new.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        move.old.rename(move.new)
    for folder in {each for move in moves for each in (move.old.parent, move.new.parent)}:
        with contextlib.suppress(FileNotFoundError):
            sync_folder(folder)


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
