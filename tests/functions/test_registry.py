"""What the files ask for, and what becomes of it when they change."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakend.functions.registry import listed, load


def write(project: Path, name: str, text: str) -> None:
    (project / "functions").mkdir(exist_ok=True)
    (project / "functions" / name).write_text("from bakend import on_create, job\n" + text)


def test_names_are_those_of_file_function_and_event(tmp_path: Path) -> None:
    """So that a place in the log is found again; the same one twice gets a number."""
    write(
        tmp_path, "a.py", "def f(ctx): pass\n" + "on_create('x', f)\n" * 2 + "on_create('y', f)\n"
    )

    assert [each.name for each in load(tmp_path).functions] == [
        "functions/a.py:f@x.created",
        "functions/a.py:f@x.created#2",
        "functions/a.py:f@y.created",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "@on_create('x')\ndef f(nothing, more): pass",
            "functions/a.py:2: f asks for nothing, more",
        ),
        ("@job('@daily')\ndef f(): pass", "functions/a.py:2: jobs belong into the folder jobs"),
    ],
)
def test_what_cannot_run_is_reported_with_its_line(tmp_path: Path, text: str, error: str) -> None:
    """The file is not loaded, and the list says why."""
    write(tmp_path, "a.py", text)

    registry = load(tmp_path)

    assert registry.functions == ()
    (item,) = listed(registry)
    assert item["error"].startswith(error)
    assert item["filePath"] == "functions/a.py"


def test_a_file_that_breaks_keeps_what_ran(tmp_path: Path) -> None:
    """Until it loads again or is gone; a new version takes the place of the old one."""
    write(tmp_path, "a.py", "@on_create('x')\ndef f(ctx): pass")
    first = load(tmp_path)
    write(tmp_path, "a.py", "@on_create('x')\ndef f(ctx: pass")
    broken = load(tmp_path, first)
    write(tmp_path, "a.py", "@on_create('x')\ndef g(ctx): pass")
    mended = load(tmp_path, broken)
    (tmp_path / "functions" / "a.py").unlink()
    gone = load(tmp_path, mended)

    assert broken.functions == first.functions
    assert "SyntaxError" in listed(broken)[0]["error"]
    assert [each.name for each in mended.functions] == ["functions/a.py:g@x.created"]
    assert listed(mended)[0]["error"] is None
    assert gone.functions == ()
