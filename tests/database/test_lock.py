"""Who uses a database."""

from __future__ import annotations

import os
import subprocess
import sys
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


@pytest.mark.skipif(not Path("/proc/locks").exists(), reason="only Linux says who holds a lock")
def test_others_are_known_where_the_system_says_so(tmp_path: Path) -> None:
    """Before anybody has to give up what he does for them; our own do not count."""
    one, other = locks(tmp_path)
    assert not one.is_shared_with_others()
    one.share()
    other.share()
    assert not one.is_shared_with_others()
    holds = (
        f"import fcntl; file = open({str(one.path)!r}); fcntl.flock(file, fcntl.LOCK_SH); "
        "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holds],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert one.is_shared_with_others()
        process.communicate(b"\n")
    assert not one.is_shared_with_others()
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


@pytest.mark.parametrize("target", ["there", "nowhere"])
def test_a_link_in_its_place_is_not_followed(tmp_path: Path, target: str) -> None:
    """A command of root would make, or give away, whatever it points to."""
    (tmp_path / "there").touch(0o600)
    (tmp_path / "a.db.lock").symlink_to(target)
    one, _other = locks(tmp_path)
    with pytest.raises(NotWritableError, match=r"a\.db\.lock cannot be opened"):
        one.share()
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_what_root_makes_belongs_to_the_folders_owner(tmp_path: Path) -> None:
    """And what was there already stays whose it was."""
    os.chown(tmp_path, 12_345, 12_345)
    one, other = locks(tmp_path)
    one.share()
    assert one.path.stat().st_uid == 12_345
    os.chown(one.path, 0, 0)
    other.share()
    assert one.path.stat().st_uid == 0
    one.release()
    other.release()
