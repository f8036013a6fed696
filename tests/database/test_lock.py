"""Who uses a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakend.database.lock import UseLock
from bakend.errors import DatabaseBusyError, NotWritableError


def locks(folder: Path) -> tuple[UseLock, UseLock]:
    return UseLock(folder / "a.db"), UseLock(folder / "a.db")


def test_many_use_it_at_once(tmp_path: Path) -> None:
    """Sharing keeps nobody out."""
    one, other = locks(tmp_path)
    one.share()
    other.share()
    one.release()
    other.release()


def test_who_is_alone_keeps_all_out_and_waits_for_nobody(tmp_path: Path) -> None:
    """In both directions, until it is let go."""
    one, other = locks(tmp_path)
    one.share()
    with pytest.raises(DatabaseBusyError, match="in use"):
        other.take_alone()
    one.release()
    other.take_alone()
    with pytest.raises(DatabaseBusyError, match="replaced"):
        one.share()
    other.release()
    one.share()
    one.release()
    one.release()


def test_who_only_looks_leaves_no_trace(tmp_path: Path) -> None:
    """Without a file nobody has ever locked it."""
    one, other = locks(tmp_path)
    one.share(makes_file=False)
    assert list(tmp_path.iterdir()) == []
    other.take_alone()
    with pytest.raises(DatabaseBusyError):
        one.share(makes_file=False)
    other.release()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the name of the file."""
    with pytest.raises(NotWritableError, match=r"a\.db\.lock"):
        UseLock(tmp_path / "missing" / "a.db").share()
