"""Jobs run when they are due: once, not twice at once, tried again, and written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bakend.errors import NotFoundError
from bakend.testing import FakeClock, TestProject, temporary_project
from bakend.usercode.runs import KEPT, Run

from processes import wait_until

HOUR = 3_600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project(clock=clock) as opened:
        yield opened


def use(project: TestProject, text: str) -> None:
    project.write_file("jobs/one.py", "from bakend import job\n" + text)
    project.load_programs()


def runs(project: TestProject, name: str = "") -> list[Run]:
    found, _total = project.app.programs().runs("job", name=name, limit=1_000)
    return found[::-1]


TICK = "@job('0 * * * *', timezone='UTC')\ndef tick(ctx):\n    ctx.logger.info('at %s', ctx.now)\n"


def test_a_job_runs_when_it_is_due(project: TestProject, clock: FakeClock) -> None:
    """Not before, once for each time, and its log is kept."""
    use(project, TICK)
    clock.advance(HOUR - 1)
    project.run_pending()
    assert runs(project) == []

    clock.advance(2)
    project.run_pending()
    project.run_pending()

    (run,) = runs(project)
    assert (run.name, run.status, run.attempts) == ("tick", "completed", 1)
    assert run.log == "INFO at 2026-01-01 01:00:01+00:00"
    assert run.started_at == run.ended_at == "2026-01-01T01:00:01.000Z"
    clock.advance(HOUR)
    project.run_pending()
    assert len(runs(project)) == 2


def test_a_failing_job_is_tried_again(project: TestProject, clock: FakeClock) -> None:
    """As often as it says, with its pause, all in one run."""
    use(
        project,
        "@job('0 * * * *', attempts=3, retry_delay=10)\ndef bad(ctx):\n"
        "    ctx.logger.info('try')\n    raise ValueError('no')\n",
    )
    clock.advance(HOUR)
    for attempts in (1, 2, 3):
        project.run_pending()
        (run,) = runs(project)
        assert run.attempts == attempts
        clock.advance(9)
        project.run_pending()
        assert runs(project)[0].attempts == attempts
        clock.advance(2)
    project.run_pending()

    (run,) = runs(project)
    assert (run.status, run.error) == ("failed", "ValueError: no")
    assert run.log.count("INFO try") == 3


def test_times_that_nobody_ran_are_skipped_or_made_up_for_once(tmp_path: Path) -> None:
    """As `missed` says."""
    clock = FakeClock()
    text = TICK + TICK.replace("'UTC'", "'UTC', missed='once'").replace("tick", "tock")
    with temporary_project(folder=tmp_path, clock=clock) as project:
        use(project, text)
        clock.advance(HOUR)
        project.run_pending()
    clock.advance(5.5 * HOUR)
    with temporary_project(folder=tmp_path, clock=clock) as project:
        project.load_programs()
        project.run_pending()

        assert [run.name for run in runs(project)].count("tick") == 1
        assert [run.name for run in runs(project)].count("tock") == 2


def test_a_job_never_runs_twice_at_once(project: TestProject, clock: FakeClock) -> None:
    """A time that comes while it waits for another attempt is skipped."""
    use(
        project,
        "@job('0 * * * *', attempts=2, retry_delay=4000)\ndef bad(ctx):\n    raise ValueError('x')\n",
    )
    clock.advance(HOUR)
    project.run_pending()
    clock.advance(HOUR)
    project.run_pending()
    assert len(runs(project)) == 1
    asked = project.app.programs().request("bad")
    project.run_pending()
    assert [run.status for run in runs(project)] == ["waiting", "waiting"]

    clock.advance(500)
    project.run_pending()

    first, second = runs(project)
    assert first.status == "failed"
    assert (second.id, second.attempts) == (asked.id, 1)


def test_a_job_is_run_when_asked(project: TestProject) -> None:
    """Whatever its schedule; one that there is not cannot be."""
    use(project, TICK)
    project.app.programs().request("tick")
    project.run_pending()

    assert [run.status for run in runs(project)] == ["completed"]
    with pytest.raises(NotFoundError, match='Job "tack" does not exist'):
        project.app.programs().request("tack")


def test_a_run_that_a_kill_ended_has_failed(project: TestProject) -> None:
    """And the next start says so."""
    use(project, TICK)
    run = project.app.programs().request("tick")
    with project.app.database.write() as tx:
        project.app._runs.begin(tx, run.id)
    scheduler = project.app.programs().scheduler
    scheduler._is_recovered = False
    scheduler.step()

    (found,) = runs(project)
    assert (found.status, found.error) == ("failed", "The process has ended while this ran")


def test_a_job_that_takes_too_long_is_ended(project: TestProject, clock: FakeClock) -> None:
    """As a function is."""
    use(
        project,
        "@job('@daily', attempts=1, timeout=0.05)\ndef slow(ctx):\n    while True: pass\n",
    )
    project.app.programs().request("slow")

    def has_ended() -> bool:
        project.app.programs().scheduler.step()
        clock.advance(0.1)
        return runs(project)[0].status == "failed"

    wait_until(has_ended, 10, what="the run has ended")

    assert runs(project)[0].error == "took longer than 0.05 s"


def test_old_runs_are_not_kept_for_ever(project: TestProject) -> None:
    """So many of each job."""
    use(project, TICK)
    for _ in range(KEPT + 5):
        with project.app.database.write() as tx:
            run_id = project.app._runs.request(tx, "tick")
            project.app._runs.end(tx, project.app._runs.get(tx, run_id, "job"), error=None, log="")

    assert len(runs(project)) == KEPT


def test_changed_files_keep_what_is_due(project: TestProject, clock: FakeClock) -> None:
    """A reload neither repeats nor skips a time; a new schedule counts at once."""
    use(project, TICK)
    clock.advance(HOUR - 1)
    project.write_file("jobs/two.py", "schedule = '@daily'\ndef run(ctx): pass\n")
    project.app.programs().reload()
    clock.advance(2)
    project.run_pending()
    project.app.programs().reload()
    project.run_pending()
    assert [run.name for run in runs(project)] == ["tick"]

    project.write_file("jobs/one.py", "from bakend import job\n" + TICK.replace("0 *", "* *"))
    project.app.programs().reload()
    project.run_pending()
    clock.advance(60)
    project.run_pending()
    assert [run.name for run in runs(project)] == ["tick", "tick"]
