"""`bak storage prune` at the terminal."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from bakend.ids import new_id

from terminal import Terminal


@pytest.fixture
def left(bak: Terminal, tmp_path: Path) -> Path:
    """A new project with bytes that no row knows, two hours old."""
    bak("init")
    path = tmp_path / "storage" / "files" / new_id("fil")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"left")
    written = path.stat().st_mtime - 7_200
    os.utime(path, (written, written))
    return path


def test_removes_what_nothing_refers_to(bak: Terminal, left: Path) -> None:
    """In the words of the original, and then there is none."""
    first, second = bak("storage", "prune", "--yes"), bak("storage", "prune", "--yes")

    assert (first.code, first.lines) == (0, ["Removed 1 orphan file(s):", left.name])
    assert (second.code, second.lines) == (0, ["No orphan files found."])
    assert not left.exists()


def test_a_dry_run_only_says_so(bak: Terminal, left: Path, tmp_path: Path) -> None:
    """It changes nothing, not even that there is no database."""
    result = bak("storage", "prune", "--dry-run")

    assert (result.code, result.lines) == (0, ["Would remove 1 orphan file(s):", left.name])
    assert left.exists()
    assert not (tmp_path / "bakend.db").exists()


def test_the_age_can_be_said(bak: Terminal, left: Path) -> None:
    """In the words of the settings, and 0."""
    assert bak("storage", "prune", "--yes", "--older-than", "3h").lines == [
        "No orphan files found."
    ]
    for word in ("x", "", "-1", "1"):
        refused = bak("storage", "prune", "--yes", "--older-than", word)
        assert (refused.code, refused.out) == (2, "")
        assert "duration" in refused.err
    assert left.exists()
    assert bak("storage", "prune", "--yes", "--older-than", "0").lines[1:] == [left.name]


def test_nobody_to_ask_means_no(bak: Terminal, left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script has to say that it means it."""
    monkeypatch.setattr("sys.stdin", io.StringIO())

    result = bak("storage", "prune")

    assert (result.code, result.out) == (2, "")
    assert "--yes" in result.err
    assert "--dry-run" in result.err
    assert left.exists()


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 130), ("", 130)])
def test_somebody_is_asked(
    bak: Terminal, left: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    """And may say no."""

    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Keyboard(answer))

    result = bak("storage", "prune")

    assert result.code == code
    assert "Remove 1 file(s)?" in result.err
    assert left.exists() is (code != 0)


def test_json_has_all_of_it(bak: Terminal, left: Path) -> None:
    """For scripts."""
    assert bak("storage", "prune", "--dry-run", "--json").json == {
        "dryRun": True,
        "removed": [{"id": left.name, "filename": None}],
        "keptPublic": [],
        "withoutBytes": [],
    }
