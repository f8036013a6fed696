"""Jobs, as administrators see them."""

from __future__ import annotations

from typing import Any

import pytest

from bakend.testing import TestProject

PATH = "/api/admin/jobs"


@pytest.fixture(autouse=True)
def _jobs(project: TestProject) -> None:
    project.write_file(
        "jobs/report.py",
        "schedule = '@yearly'\ntimezone = 'UTC'\ndef run(ctx):\n    ctx.logger.info('hello')\n",
    )
    project.load_programs()


def test_jobs_are_listed_with_their_next_time(ask: Any) -> None:
    """And their schedule as it was written."""
    (job,) = ask("GET", PATH).get_json()["items"]

    assert job["nextRunAt"].endswith("-01-01T00:00:00.000Z")
    assert {**job, "nextRunAt": ""} == {
        "name": "report",
        "schedule": "@yearly",
        "timezone": "UTC",
        "filePath": "jobs/report.py",
        "nextRunAt": "",
        "error": None,
    }


def test_a_job_is_run_and_its_log_read(project: TestProject, ask: Any) -> None:
    """The answer comes before the run."""
    answer = ask("POST", f"{PATH}/report/run")
    run = answer.get_json()
    project.run_pending()

    assert (answer.status_code, run["status"]) == (202, "waiting")
    found = ask("GET", f"{PATH}/report/runs/{run['runId']}").get_json()
    assert (found["status"], found["log"]) == ("completed", "INFO hello")
    (listed,) = ask("GET", f"{PATH}/report/runs").get_json()["items"]
    assert listed["runId"] == run["runId"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "none/run"), ("GET", "none/runs"), ("GET", "report/runs/run_none")],
)
def test_what_there_is_not_is_not_found(ask: Any, method: str, path: str) -> None:
    """A job, or a run of it."""
    assert ask(method, f"{PATH}/{path}").status_code == 404
