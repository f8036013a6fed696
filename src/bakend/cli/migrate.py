"""`bak migrate`: the definition files against the database."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from bakend.cli.project import Project, config_option
from bakend.collections.migration import Plan
from bakend.errors import DestructiveChangeError


@click.group()
@config_option
def migrate() -> None:
    """Compare collections/*.json with the database, and apply them."""


@migrate.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(project: Project, *, as_json: bool) -> None:
    """Say how each collection stands.

    synced: file and database agree. file_only, db_only: only there. drift: they differ, see
    `bak migrate plan`. broken: it cannot be used, with the reason.
    """
    with project.opened(writes=False) as app:
        statuses = app.collection_files.status()
    if as_json:
        click.echo(
            json.dumps(
                [{"name": s.name, "status": s.word, "detail": s.detail} for s in statuses], indent=2
            )
        )
    elif not statuses:
        click.echo("No collections found in files or database.")
    else:
        for each in statuses:
            click.echo("\t".join(filter(None, (each.name, each.word, each.detail))))


@migrate.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def plan(project: Project, *, as_json: bool) -> None:
    """Say what `bak migrate apply` would do, step by step; change nothing."""
    with project.opened(writes=False) as app:
        plans = app.collection_files.plans()
    _show(plans, as_json=as_json)


@migrate.command()
@config_option
@click.option("--destructive", is_flag=True, help="Also do what loses stored values.")
@click.option("--dry-run", is_flag=True, help="Try it, and take all of it back.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def apply(project: Project, *, destructive: bool, dry_run: bool, as_json: bool) -> None:
    """Bring the database to what the files say: all of it, or nothing.

    Collections without a file stay. May be run while the server runs.
    """
    with project.opened(writes=not dry_run) as app:
        try:
            plans = app.collection_files.apply(allow_destructive=destructive, rehearses=dry_run)
        except DestructiveChangeError as error:
            raise DestructiveChangeError(
                (f"Would lose stored values: {fault}" for fault in error.faults),
                hint="nothing was changed; `bak migrate apply --destructive` does it all the same",
            ) from error
    if as_json or dry_run:
        _show(plans, as_json=as_json)
        return
    for each in plans:
        click.echo(f"{'created' if each.has('create_collection') else 'updated'} {each.name}")
    if not plans:
        click.echo("No collection changes to apply.")


@migrate.command()
@config_option
@click.option("--force", is_flag=True, help="Write over files that say something else.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def export(project: Project, *, force: bool, as_json: bool) -> None:
    """Write what the database says into collections/*.json: the way back from apply."""
    with project.opened(writes=False) as app:
        names = app.export.export(replaces=force)
    if as_json:
        click.echo(json.dumps(names, indent=2))
    elif names:
        click.echo(f"Exported {len(names)} collection(s): {', '.join(names)}")
    else:
        click.echo("No collections to export.")


def _show(plans: Sequence[Plan], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([each.as_json() for each in plans], indent=2))
        return
    for each in plans:
        for step in each.steps:
            click.echo(
                f"{each.name}\t{step.text}{' (loses stored values)' if step.destructive else ''}"
            )
    if not plans:
        click.echo("No collection changes to apply.")
