"""`bak jobs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from processes import bak, make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = make_project(tmp_path / "project")
    (made / "jobs").mkdir()
    (made / "jobs" / "good.py").write_text(
        "schedule = '@daily'\ndef run(ctx): ctx.logger.info('hello')\n"
    )
    (made / "jobs" / "bad.py").write_text(
        "schedule = '@daily'\nattempts = 1\ndef run(ctx): raise ValueError('no')\n"
    )
    return made


def test_a_job_is_run_to_its_end(project: Path) -> None:
    """Its log on stdout, how it ended on stderr and in the exit code."""
    good, bad = bak(project, "jobs", "run", "good"), bak(project, "jobs", "run", "bad")

    assert (good.returncode, good.stdout, good.stderr) == (0, "INFO hello\n", "good: completed\n")
    assert bad.returncode == 1
    assert bad.stderr.endswith("bad: failed: ValueError: no\n")
    listed = [line.split("\t")[1] for line in bak(project, "jobs", "runs").stdout.splitlines()]
    assert listed == ["failed", "completed"]


def test_jobs_are_listed(project: Path) -> None:
    """By the names of their files; one that there is not cannot be run."""
    lines = bak(project, "jobs", "list").stdout.splitlines()

    assert [line.split("\t")[:2] for line in lines] == [["bad", "@daily"], ["good", "@daily"]]
    assert bak(project, "jobs", "run", "none").stderr == 'Job "none" does not exist\n'
