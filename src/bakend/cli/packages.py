"""`bak add`, `bak remove`, `bak sync`: the packages that the project's own Python needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from bakend.cli.project import Project, config_option, warn
from bakend.errors import InvalidInputError

if TYPE_CHECKING:
    from bakend.usercode.packages.user_packages import Outcome, UserPackages

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@config_option
@click.argument("packages", nargs=-1, required=True, metavar="PACKAGE…")
@_as_json
@click.pass_obj
def add(project: Project, packages: tuple[str, ...], *, as_json: bool) -> None:
    """Install packages for the project's functions and jobs.

    PACKAGE is a name, or a name with versions: pillow, "numpy>=2,<3", "httpx[http2]". It is taken
    in the newest version that fits, together with what it needs, and written into packages.txt and
    packages.lock, which belong into git. Named again, a package is renewed.

    Only wheels are installed: there is no compiler here.
    """
    _run(project, lambda theirs: theirs.add(packages), as_json=as_json)


@click.command()
@config_option
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@_as_json
@click.pass_obj
def remove(project: Project, names: tuple[str, ...], *, as_json: bool) -> None:
    """Take packages away again, and what only they needed."""
    _run(project, lambda theirs: theirs.remove(names), as_json=as_json)


@click.command()
@config_option
@_as_json
@click.pass_obj
def sync(project: Project, *, as_json: bool) -> None:
    """Install exactly what packages.lock says.

    For another machine, another platform or another Python than the lock was made on; each file is
    checked against its hash. What is installed already is left alone.
    """
    _run(project, lambda theirs: theirs.sync(), as_json=as_json)


def _run(project: Project, change: Callable[[UserPackages], Outcome], *, as_json: bool) -> None:
    # Only here: it takes time to load, and every other command can do without.
    from bakend.usercode.packages.user_packages import UserPackages

    loaded = project.load(mode="command")
    warn(loaded)
    theirs = UserPackages(
        loaded.project,
        environ=project.environ,
        say=lambda text: click.echo(text, err=True),
    )
    try:
        outcome = change(theirs)
    except InvalidInputError as error:
        raise click.UsageError("\n  ".join(filter(None, (error.message, error.hint)))) from error
    if as_json:
        _print_json(outcome)
    else:
        _print(outcome)


def _print_json(outcome: Outcome) -> None:
    shown = {
        "added": [{"name": pin.name, "version": pin.version} for pin in outcome.added],
        "removed": [{"name": pin.name, "version": pin.version} for pin in outcome.removed],
        "installed": [{"name": pin.name, "version": pin.version} for pin in outcome.installed],
    }
    click.echo(json.dumps(shown, indent=2))


def _print(outcome: Outcome) -> None:
    for name, version in outcome.bundled:
        click.echo(f"{name} {version} is part of Bakend; nothing to install")
    for pin in outcome.added:
        click.echo(f"added {pin}")
    for pin in outcome.removed:
        click.echo(f"removed {pin}")
    if not (outcome.added or outcome.removed or outcome.bundled):
        click.echo("Nothing to change.")
    elif outcome.added or outcome.removed:
        click.echo("A running server takes this with its next start.", err=True)
