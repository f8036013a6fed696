"""`bak storage`: the files of a project."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from bakend.cli.project import Project, config_option
from bakend.settings.values import whole_seconds

if TYPE_CHECKING:
    from bakend.pruning import Orphans

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _seconds(_ctx: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    if text is None or text == "0":
        return None if text is None else 0
    kind = whole_seconds()
    try:
        return kind.parse(text)
    except ValueError:
        raise click.BadParameter(f"must be {kind.expected}, or 0") from None


@click.group()
@config_option
def storage() -> None:
    """Look after uploaded files."""


@storage.command()
@config_option
@click.option(
    "--older-than",
    metavar="DURATION",
    callback=_seconds,
    help="Only what is at least so old, 0 for all (default: the setting storage.graceTime).",
)
@click.option("--public", is_flag=True, help="Also public files that no record names.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
@click.pass_obj
def prune(
    project: Project,
    older_than: int | None,
    *,
    public: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Remove files that nothing refers to. May be run while the server runs.

    These are protected files that no record names in a field of type file, and bytes on the disk
    that belong to no file, as a crash may leave them. A public file may be in use by its address
    alone, where nobody can see it, so it stays unless --public is given. What was uploaded a short
    time ago stays as well: its record may be about to be written.

    Removed files lie in the trash for storage.graceTime; only then is their space free.
    """
    if not (dry_run or yes) and not sys.stdin.isatty():
        raise click.UsageError("This removes files: say so with --yes, or look with --dry-run")
    with project.opened(writes=not dry_run) as app:
        found = app.pruning.find(older_than_s=older_than, includes_public=public)
        if found.ids and not (dry_run or yes):
            click.confirm(f"Remove {len(found.ids)} file(s)?", abort=True, err=True)
        removed = found if dry_run else app.pruning.remove(found)
    if as_json:
        click.echo(json.dumps(_as_object(removed, dry_run=dry_run), indent=2))
    else:
        _print(removed, "Would remove" if dry_run else "Removed")


def _as_object(orphans: Orphans, *, dry_run: bool) -> dict[str, object]:
    return {
        "dryRun": dry_run,
        "removed": [
            *({"id": file.id, "filename": file.filename} for file in orphans.unused),
            *({"id": each, "filename": None} for each in orphans.rowless),
        ],
        "keptPublic": [file.id for file in orphans.kept_public],
        "withoutBytes": [file.id for file in orphans.without_bytes],
    }


def _print(orphans: Orphans, what: str) -> None:
    if orphans.ids:
        click.echo(f"{what} {len(orphans.ids)} orphan file(s):")
        for each in orphans.ids:
            click.echo(each)
    else:
        click.echo("No orphan files found.")
    if orphans.kept_public:
        click.echo(
            f"{len(orphans.kept_public)} public file(s) that no record names stay: --public",
            err=True,
        )
    for file in orphans.without_bytes:
        click.echo(f"Warning: {file.id} ({file.filename}) has no bytes on the disk", err=True)
