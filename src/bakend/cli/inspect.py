"""Commands that look and change nothing: `bak version`, `verify`, `settings`."""

from __future__ import annotations

import json

import click

from bakend import executable
from bakend.cli.project import Project, config_option, warn
from bakend.version import VERSION, build


@click.command()
@click.option("--verbose", is_flag=True, help="Also print how it was built, and what is inside.")
@click.option("--json", "as_json", is_flag=True, help="Print all of that as JSON.")
def version(*, verbose: bool, as_json: bool) -> None:
    """Print the version."""
    if as_json:
        click.echo(json.dumps(_versions(), indent=2))
        return
    if not verbose:
        click.echo(VERSION)
        return
    for name, value in _versions().items():
        click.echo(f"{name:9}  {value or '-'}")


def _versions() -> dict[str, str | None]:
    # Here, because they take longer than all that the plain `bak version` does.
    import platform
    import ssl

    from bakend.database.connection import SQLITE_VERSION

    built = build()
    return {
        "version": VERSION,
        "commit": built.commit,
        "builtAt": built.built_at,
        "target": built.target,
        "python": platform.python_version(),
        "sqlite": SQLITE_VERSION,
        "openssl": ssl.OPENSSL_VERSION.removeprefix("OpenSSL ").split()[0],
        "glibc": built.glibc,
    }


@click.command()
def verify() -> None:
    """Check that the executable is whole."""
    executable.require_intact()
    click.echo("whole" if executable.IS_ONE_FILE else "runs from source: nothing to check")


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with units and help.")
@click.pass_obj
def settings(project: Project, *, as_json: bool) -> None:
    """Show each setting, its value and where that comes from.

    Later sources win: default, bakend.json, .env, environment, flags. Secrets are masked.
    """
    from bakend.settings.show import rows, shown

    loaded = project.load(mode="command")
    warn(loaded)
    if as_json:
        click.echo(json.dumps(shown(loaded), indent=2))
        return
    click.echo(f"{loaded.config}\n")
    cells = [(row["key"], _written(row["value"]), row["source"]) for row in rows(loaded)]
    widths = [max(len(cell[column]) for cell in cells) for column in (0, 1)]
    for key, value, source in cells:
        click.echo(f"{key:{widths[0]}}  {value:{widths[1]}}  {source}")


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
