"""Loading the user's files: fresh, one by one, and nothing written."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bakend.usercode.loader import PACKAGE, forget, load, warn_of_foreign

Write = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def _python_would_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Python write caches as it does everywhere, whatever this machine's environment says."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(path: str, text: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return to


def test_files_are_found_in_all_folders_and_some_are_left_out(tmp_path: Path, write: Write) -> None:
    """Those that begin with _ or . are helpers or none of ours; they come in the order of names."""
    for name in ("b", "a/x", "_h", ".hidden", "_in/side", "__pycache__/c", "conftest", "a/_h"):
        write(f"functions/{name}.py", "")

    assert [file.path for file in load(tmp_path, "functions")] == [
        "functions/a/x.py",
        "functions/b.py",
    ]
    assert load(tmp_path, "jobs") == []


def test_a_helper_beside_is_imported(tmp_path: Path, write: Write) -> None:
    """By a relative import, from the same folder and from the one above."""
    write("functions/_words.py", "HELLO = 'hello'")
    write("functions/one.py", "from ._words import HELLO")
    write("functions/deep/two.py", "from .._words import HELLO as text")

    deep, one = load(tmp_path, "functions")

    assert (one.names["HELLO"], deep.names["text"]) == ("hello", "hello")


def test_each_load_is_fresh_with_its_helpers(tmp_path: Path, write: Write) -> None:
    """Also when a file was changed twice within the same second, to the same length."""
    write("functions/_words.py", "N = 1")
    write("functions/one.py", "from ._words import N")
    (before,) = load(tmp_path, "functions")
    write("functions/_words.py", "N = 2")
    (after,) = load(tmp_path, "functions")

    assert (before.names["N"], after.names["N"]) == (1, 2)


def test_nothing_is_written_into_the_project(tmp_path: Path, write: Write) -> None:
    """No cache, of files or of helpers."""
    write("functions/_words.py", "N = 1")
    write("functions/one.py", "from ._words import N")
    load(tmp_path, "functions")

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["_words.py", "functions", "one.py"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = 1\ny = nowhere", "functions/bad.py:2: NameError: name 'nowhere' is not defined"),
        ("def f(:\n", "functions/bad.py:1: SyntaxError: "),
        ("from . import _gone", "functions/bad.py:1: ImportError: "),
        ("import sys\nsys.exit(3)", "functions/bad.py:2: SystemExit: 3"),
        ("from ._broken import x", "functions/_broken.py:1: ZeroDivisionError: "),
    ],
)
def test_a_broken_file_is_reported_with_its_line(
    tmp_path: Path, write: Write, text: str, error: str
) -> None:
    """And the others are loaded."""
    write("functions/_broken.py", "x = 1 / 0")
    write("functions/bad.py", text)
    write("functions/good.py", "x = 1")

    bad, good = load(tmp_path, "functions")

    assert bad.error is not None
    assert bad.error.startswith(error)
    assert (good.error, good.names["x"]) == (None, 1)


def test_any_file_name_is_taken(tmp_path: Path, write: Write) -> None:
    """Also one that could not be written after `import`."""
    write("functions/send-mail.py", "x = 1")

    assert load(tmp_path, "functions")[0].names["x"] == 1


def test_marks_are_found_wherever_the_handler_comes_from(tmp_path: Path, write: Write) -> None:
    """A lambda, one from a helper, and several in one file, in their order."""
    write("functions/_h.py", "def shared(ctx): pass")
    write(
        "functions/one.py",
        "from bakend import on_create\nfrom ._h import shared\n"
        "on_create('a', lambda ctx: None)\non_create('b', shared)\n",
    )

    (file,) = load(tmp_path, "functions")

    assert [(mark.event_type, mark.line) for mark in file.marks] == [
        ("a.created", 3),
        ("b.created", 4),
    ]


def test_modules_of_earlier_loads_are_let_go(tmp_path: Path, write: Write) -> None:
    """Only what still runs is kept."""
    write("functions/one.py", "x = 1")
    (first,) = load(tmp_path, "functions")
    (second,) = load(tmp_path, "functions")

    forget([second])

    kept = {name.partition(".")[0] for name in sys.modules if name.startswith(PACKAGE)}
    assert kept == {second.names["__name__"].partition(".")[0]}
    assert first.names["x"] == 1


def test_typescript_of_the_original_is_named_once(
    tmp_path: Path, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """With where to read how it is ported."""
    write("functions/posts/notify.ts", "")
    write("functions/.bakend-cache/x/notify.ts", "")

    with caplog.at_level(logging.WARNING):
        warn_of_foreign(tmp_path, "functions")

    assert len(caplog.records) == 1
    assert "functions/posts/notify.ts is TypeScript" in caplog.text
    assert "port-functions.md" in caplog.text
