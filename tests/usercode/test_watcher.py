"""The watcher: tells of a change once, when it is quiet again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from looks import Looks

from bakend.usercode.watcher import LOOK_EVERY_S, Watcher


class Watched:
    """A folder that is watched, and the times that a change was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.looks = Looks(LOOK_EVERY_S)
        self.told = 0
        self.fails = False
        self.watcher = Watcher(folder, "*.json", self.changed, clock=self.looks)  # type: ignore[arg-type]

    def changed(self) -> None:
        self.told += 1
        if self.fails:
            raise ZeroDivisionError


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    (tmp_path / "a.json").write_text("1")
    watched = Watched(tmp_path)
    watched.watcher.start()
    yield watched
    watched.watcher.stop()


def test_nothing_changed_is_nothing_told(watched: Watched) -> None:
    """Files that stay as they are at the start are no change."""
    watched.looks.let(5)

    assert watched.told == 0


def test_a_change_is_told_once_it_is_quiet(watched: Watched) -> None:
    """The first look sees it, the second that nothing more came; then it is told, once."""
    (watched.folder / "a.json").write_text("22")
    watched.looks.let()
    seen_once = watched.told
    watched.looks.let(4)

    assert (seen_once, watched.told) == (0, 1)


def test_as_long_as_files_change_nothing_is_told(watched: Watched) -> None:
    """A change in several steps is one change."""
    for size in range(2, 6):
        (watched.folder / "a.json").write_text("x" * size)
        watched.looks.let()
    during = watched.told
    watched.looks.let()

    assert (during, watched.told) == (0, 1)


@pytest.mark.parametrize("change", ["made", "deleted", "folder gone"])
def test_files_that_come_and_go_are_changes(watched: Watched, change: str) -> None:
    """A new file, a deleted one and a folder that is gone are told like a changed one."""
    if change == "made":
        (watched.folder / "b.json").touch()
    else:
        (watched.folder / "a.json").unlink()
    if change == "folder gone":
        watched.folder.rmdir()

    watched.looks.let(2)

    assert watched.told == 1


def test_other_files_are_not_looked_at(watched: Watched) -> None:
    """Only what the pattern names counts."""
    (watched.folder / "a.txt").touch()

    watched.looks.let(3)

    assert watched.told == 0


def test_a_change_that_cannot_be_taken_in_does_not_end_the_watch(watched: Watched) -> None:
    """After a failure the next change is told again."""
    watched.fails = True
    (watched.folder / "a.json").write_text("22")
    watched.looks.let(2)
    (watched.folder / "a.json").write_text("333")
    watched.looks.let(2)

    assert watched.told == 2
