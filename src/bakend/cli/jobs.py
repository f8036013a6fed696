"""`bak jobs`: the Python that runs at certain times."""

from __future__ import annotations

import click

from bakend.cli.functions import (
    as_json_option,
    limit_option,
    looked_at,
    show_faults,
    show_items,
    show_runs,
    status_option,
)
from bakend.cli.project import Project, config_option


@click.group()
@config_option
def jobs() -> None:
    """See the jobs of a project, run one, and look at runs."""


@jobs.command("list")
@config_option
@as_json_option
@click.pass_obj
def list_jobs(project: Project, *, as_json: bool) -> int:
    """List the jobs, and the files that do not load.

    The files are loaded for that, as a start does it. Exit code 1 where one does not load.
    """
    with looked_at(project) as programs:
        items = programs.jobs()
    return show_items(items, ("name", "schedule", "nextRunAt", "filePath"), as_json=as_json)


@jobs.command("check")
@config_option
@as_json_option
@click.pass_obj
def check_jobs(project: Project, *, as_json: bool) -> int:
    """Load all jobs and print what is wrong, for a build that should stop there.

    Exit code 78 where a file does not load.
    """
    with looked_at(project) as programs:
        items = programs.jobs()
    return show_faults(items, as_json=as_json)


@jobs.command("runs")
@config_option
@click.option("--name", default="", metavar="NAME", help="Only those of this job.")
@status_option
@limit_option
@as_json_option
@click.pass_obj
def list_runs(
    project: Project, name: str, status: str | None, limit: int, *, as_json: bool
) -> None:
    """List runs, newest first."""
    with project.opened(writes=False) as app:
        runs, _total = app.programs().runs("job", name=name, status=status or "", limit=limit)
    show_runs(runs, as_json=as_json)


@jobs.command()
@config_option
@click.argument("name")
@click.pass_obj
def run(project: Project, name: str) -> int:
    """Run the job NAME now, wait for its end, and print its log.

    Where a server runs, the server does it; else this command. Exit code 1 where it has failed.
    """
    with project.opened(writes=True) as app:
        programs = app.programs()
        programs.load()
        done = programs.run_now(name)
    if done.log:
        click.echo(done.log)
    click.echo(f"{done.name}: {done.status}" + (f": {done.error}" if done.error else ""), err=True)
    return 0 if done.error is None else 1
