"""What job files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakend.jobs.declare import load


def write(project: Path, name: str, text: str) -> None:
    file = project / "jobs" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("from bakend import job, on_create\n" + text)


def test_a_module_is_a_job_by_convention(tmp_path: Path) -> None:
    """With a schedule and `run` or `main`, called like its file."""
    write(tmp_path, "cleanup.py", "schedule = '0 3 * * *'\nattempts = 1\ndef run(ctx): pass")
    write(tmp_path, "report.py", "schedule = '@daily'\ndef main(ctx): pass")

    cleanup, report = load(tmp_path).jobs

    assert (cleanup.name, cleanup.schedule.text, cleanup.attempts) == ("cleanup", "0 3 * * *", 1)
    assert (report.name, report.attempts) == ("report", 3)


def test_a_file_may_hold_several_jobs(tmp_path: Path) -> None:
    """Called like their functions, or as they say."""
    write(
        tmp_path,
        "all.py",
        "@job('@daily')\ndef one(ctx): pass\n"
        "@job('@hourly', name='second', attempts=5, retry_delay=1, timeout=2,"
        " timezone='Europe/Berlin', missed='once')\ndef two(ctx): pass\n",
    )

    one, two = load(tmp_path).jobs

    assert (one.name, two.name) == ("one", "second")
    assert (two.attempts, two.retry_delay_s, two.timeout_s, two.missed) == (5, 1.0, 2, "once")
    assert two.schedule.timezone == "Europe/Berlin"


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    """Only where that is needed."""
    for name in ("a/sync.py", "b/sync.py", "b/other.py"):
        write(tmp_path, name, "schedule = '@daily'\ndef run(ctx): pass")

    assert [job.name for job in load(tmp_path).jobs] == ["a.sync", "other", "b.sync"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def run(ctx): pass", "no function is marked by @job, and there is no `schedule`"),
        ("schedule = '@daily'", "there is a `schedule`, and no function `run` or `main`"),
        ("@job('* * *')\ndef f(): pass", ":2: f: a schedule has 5 fields"),
        ("@job('@daily', missed='never')\ndef f(): pass", ":2: missed is one of skip, once"),
        ("@job('@daily')\ndef f(a, b): pass", ":2: f: asks for a, b"),
        ("@job('@daily', name='a/b')\ndef f(): pass", '"a/b" cannot be the name of a job'),
        ("@on_create('x')\ndef f(): pass", "functions belong into the folder functions"),
        ("job('@daily', print)\njob('@daily', print)", '"print" is there twice'),
        ("@job('@daily')\ndef good(): pass", '"good" is a job of jobs/_'),
        ("broken(", "SyntaxError"),
    ],
)
def test_what_is_wrong_is_reported_and_the_rest_is_loaded(
    tmp_path: Path, text: str, error: str
) -> None:
    """With file and line."""
    write(tmp_path, "a.py", "@job('@daily')\ndef good(): pass")
    write(tmp_path, "bad.py", text)

    jobs = load(tmp_path)

    assert [job.name for job in jobs.jobs] == ["good"]
    assert jobs.errors["jobs/bad.py"].startswith("jobs/bad.py:")
    assert error.replace("jobs/_", "jobs/a.py") in jobs.errors["jobs/bad.py"]


def test_a_file_that_breaks_keeps_its_jobs(tmp_path: Path) -> None:
    """Until it loads again."""
    write(tmp_path, "a.py", "@job('@daily')\ndef f(): pass")
    first = load(tmp_path)
    write(tmp_path, "a.py", "@job('@daily'")
    second = load(tmp_path, first)

    assert second.jobs == first.jobs
    assert "jobs/a.py" in second.errors
