"""`bak backup`: one archive with all of a project, and the way back."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bakend.cli.project import Project, config_option, warn
from bakend.errors import BackupError, BakendError, NotFoundError

if TYPE_CHECKING:
    from bakend.backups.manifest import Manifest
    from bakend.backups.verifying import Progress, Verified

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
@config_option
def backup() -> None:
    """Make, verify and restore backups: database, files, definitions, functions and jobs."""


@backup.command()
@config_option
@click.option("-o", "--output", metavar="FILE", help="The archive, in place of a name by the time.")
@_as_json
@click.pass_obj
def create(project: Project, output: str | None, *, as_json: bool) -> None:
    """Make a backup, and verify it. May be done while the server runs.

    It has no secrets of the settings, but all data: keep it as safe as the database.
    """
    loaded = project.load(mode="command")
    if not loaded.settings.database.exists():
        raise NotFoundError(f"Database file not found: {loaded.settings.database}")
    target = None if output is None else Path(os.path.normpath(loaded.project / output))
    with project.opened(writes=False) as app:
        made = app.upkeep.backups().create(target, progress=_progress("Backing up"))
    told = made.manifest
    if as_json:
        click.echo(
            json.dumps(
                {
                    "path": str(made.path),
                    "size": made.size_bytes,
                    **_about(told),
                    "files": made.files,
                },
                indent=2,
            )
        )
    else:
        click.echo(f"Backup created: {made.path}")
    _warn_of_files(told)


@backup.command(name="list")
@config_option
@_as_json
@click.pass_obj
def list_(project: Project, *, as_json: bool) -> None:
    """List the backups in the folder of backups, the newest first: name, size, time."""
    with project.opened(writes=False) as app:
        entries = app.upkeep.backups().entries()
    if as_json:
        click.echo(json.dumps([each.as_json() for each in entries], indent=2))
    elif not entries:
        click.echo("No backups found.")
    else:
        for each in entries:
            click.echo(f"{each.name}\t{each.size_bytes}\t{each.created_at}")


@backup.command()
@config_option
@click.argument("archive", metavar="FILE")
@_as_json
@click.pass_obj
def verify(project: Project, archive: str, *, as_json: bool) -> int:
    """Read a backup from begin to end: exit code 0 if it is whole, 1 if a byte of it has changed.

    Every checksum is compared and the database is opened and checked. FILE may also be the name of
    one in the folder of backups.
    """
    from bakend.backups.verifying import verify as verify_archive

    path = _find(project, archive)
    try:
        verified = verify_archive(path, progress=_progress("Verifying"))
    except BackupError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"path": str(path), "ok": False, "error": error.message}, indent=2))
        return 1
    if as_json:
        click.echo(json.dumps({"path": str(path), "ok": True, **_verified(verified)}, indent=2))
        return 0
    click.echo(f"{path}: whole, {_in_words(verified)}")
    if verified.manifest is not None:
        _warn_of_files(verified.manifest)
    return 0


@backup.command()
@config_option
@click.argument("archive", metavar="FILE")
@click.option(
    "--force", is_flag=True, help="Replace what is there; it is kept in a folder of its own."
)
@click.option("--data-only", is_flag=True, help="Leave definitions, functions, jobs and packages.")
@click.option("--to", "folder", metavar="DIR", help="Make a new project in this folder.")
@_as_json
@click.pass_obj
def restore(
    project: Project,
    archive: str,
    folder: str | None,
    *,
    force: bool,
    data_only: bool,
    as_json: bool,
) -> None:
    """Put a backup in the place of the project, once all of it is verified.

    The server has to be stopped. Archives of the original Bakend are taken, too.
    """
    from bakend.backups.restoring import Place, Restoring, place_in
    from bakend.clock import SystemClock

    path = _find(project, archive)
    if folder is not None:
        if force:
            raise click.UsageError(
                "--to makes a new project; there is nothing for --force to replace"
            )
        place = place_in(Path.cwd() / folder)
    else:
        loaded = project.load(mode="command")
        warn(loaded)
        place = Place(
            project=loaded.project,
            config=loaded.config,
            database=loaded.settings.database,
            storage=loaded.settings.storage,
        )
    restoring = Restoring(place, clock=SystemClock(), is_new=folder is not None)
    done = restoring.run(path, replaces=force, data_only=data_only, progress=_progress("Restoring"))
    if as_json:
        click.echo(
            json.dumps(
                {
                    "project": str(done.project),
                    "files": done.files,
                    "kept": [str(each) for each in done.kept],
                    **_about(done.manifest),
                },
                indent=2,
            )
        )
        return
    click.echo("Backup restored.")
    for each in done.kept:
        click.echo(f"What was there before is in {each}; remove it when you need it no more.")
    if done.manifest is not None:
        _warn_of_files(done.manifest)


def _find(project: Project, name: str) -> Path:
    """Return an archive: by its path, from the project, or in its folder of backups."""
    here = Path.cwd() / name
    if here.exists():
        return Path(os.path.normpath(here))
    try:
        loaded = project.load(mode="command")
    except BakendError:
        raise NotFoundError(f"Backup archive not found: {here}") from None
    found = Path(os.path.normpath(loaded.project / name))
    for path in (found, loaded.settings.backup_folder / name):
        if path.exists():
            return path
    raise NotFoundError(f"Backup archive not found: {found}")


def _about(told: Manifest | None) -> dict[str, object]:
    if told is None:
        return {"bakend": None, "schema": None, "createdAt": None, "missing": [], "damaged": []}
    return {
        "bakend": told.bakend,
        "schema": told.schema,
        "createdAt": told.created_at,
        "missing": [*told.missing],
        "damaged": [*told.damaged],
    }


def _verified(verified: Verified) -> dict[str, object]:
    return {"size": verified.size_bytes, "files": verified.files, **_about(verified.manifest)}


def _in_words(verified: Verified) -> str:
    told = verified.manifest
    files = f"{verified.files} uploaded file(s)"
    if told is None:
        return f"{files}; made by the original Bakend, which keeps no checksums"
    return f"{files}, schema {told.schema}, made by Bakend {told.bakend} at {told.created_at}"


def _warn_of_files(told: Manifest) -> None:
    for file_id in told.missing:
        click.echo(f"Warning: {file_id} has no bytes; they are not in the backup", err=True)
    for file_id in told.damaged:
        click.echo(f"Warning: {file_id} is damaged on the disk, and so in the backup", err=True)


def _progress(what: str) -> Progress:
    """Return what shows on a terminal how far it is; elsewhere nothing."""
    last = -1

    def show(done: int, total: int) -> None:
        nonlocal last
        percent = 100 * done // total if total else 100
        if percent != last:
            last = percent
            # The line is written over, and cleared at its end.
            click.echo(f"\r{what} {percent} %" if percent < 100 else "\r\x1b[K", nl=False, err=True)

    return show if sys.stderr.isatty() else lambda _done, _total: None
