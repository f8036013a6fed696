"""`bak functions`: the Python that runs after events, before writes, at requests, or when asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from bakend.cli import failures
from bakend.cli.project import Project, config_option

if TYPE_CHECKING:
    from bakend.programs import Programs
    from bakend.usercode.runs import Run

as_json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
status_option: Final = click.option(
    "--status",
    type=click.Choice(("waiting", "running", "completed", "failed")),
    default=None,
    help="Only runs that are so.",
)
limit_option: Final = click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most to list."
)


@click.group()
@config_option
def functions() -> None:
    """See the functions of a project, and what became of their runs."""


@functions.command("list")
@config_option
@as_json_option
@click.pass_obj
def list_functions(project: Project, *, as_json: bool) -> int:
    """List the functions, and the files that do not load.

    The files are loaded for that, as a start does it. Exit code 1 where one does not load.
    """
    with looked_at(project) as programs:
        items = programs.functions()
    return show_items(items, ("eventType", "name"), as_json=as_json)


@functions.command("check")
@config_option
@as_json_option
@click.pass_obj
def check_functions(project: Project, *, as_json: bool) -> int:
    """Load all functions and print what is wrong, for a build that should stop there.

    Exit code 78 where a file does not load.
    """
    with looked_at(project) as programs:
        items = programs.functions()
    return show_faults(items, as_json=as_json)


@functions.command("runs")
@config_option
@click.option(
    "--name", default="", metavar="NAME", help="Only those of this function, route or task."
)
@status_option
@limit_option
@as_json_option
@click.pass_obj
def list_runs(
    project: Project, name: str, status: str | None, limit: int, *, as_json: bool
) -> None:
    """List runs that have failed, wait for another attempt, or needed more than one; newest first.

    Of tasks all runs, of routes the requests that have failed.
    """
    with project.opened(writes=False) as app:
        runs, _total = app.programs().runs("function", name=name, status=status or "", limit=limit)
    show_runs(runs, as_json=as_json)


@functions.command()
@config_option
@click.argument("run_id", metavar="RUN")
@click.pass_obj
def retry(project: Project, run_id: str) -> None:
    """Let a failed RUN be tried again, from its first attempt on, by the server that runs or comes."""
    with project.opened(writes=True) as app:
        run = app.programs().retry(run_id)
    click.echo(f"{run.id} is tried again")


@contextmanager
def looked_at(project: Project) -> Iterator[Programs]:
    """Open a project whose functions and jobs are loaded to be shown; nothing runs."""
    with project.opened(writes=False) as app:
        programs = app.programs()
        programs.look()
        yield programs


def show_items(items: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> int:
    """Print functions or jobs, and return the exit code."""
    broken = [item for item in items if item["error"]]
    if as_json:
        click.echo(json.dumps(items, indent=2, ensure_ascii=False))
    else:
        for item in items:
            if not item["error"]:
                click.echo("\t".join(str(item[column]) for column in columns))
        for error in dict.fromkeys(item["error"] for item in broken):
            click.echo(f"Not loaded: {error}", err=True)
    return 1 if broken else 0


def show_faults(items: Sequence[Mapping[str, Any]], *, as_json: bool) -> int:
    """Print each file of functions or jobs that does not load, and return the exit code."""
    faults = {item["filePath"]: item["error"] for item in items if item["error"]}
    if as_json:
        found = [{"filePath": path, "error": error} for path, error in faults.items()]
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    else:
        for error in faults.values():
            click.echo(error, err=True)
    return failures.WRONG_PROJECT if faults else 0


def show_runs(runs: Sequence[Run], *, as_json: bool) -> None:
    """Print runs, a line each."""
    if as_json:
        click.echo(json.dumps([run.as_json() for run in runs], indent=2, ensure_ascii=False))
        return
    for run in runs:
        cells = (run.id, run.status, str(run.attempts), run.created_at, run.name, run.error or "")
        click.echo("\t".join(cells).rstrip())
