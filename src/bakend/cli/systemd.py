"""`bak systemd`: what an installation needs of systemd."""

from __future__ import annotations

import click

from bakend.cli.project import Project
from bakend.systemd import unit


@click.group()
def systemd() -> None:
    """Run Bakend as a service of systemd."""


@systemd.command("print-unit")
@click.option(
    "--socket", "is_socket", is_flag=True, help="Print the socket unit, which is optional."
)
@click.option(
    "--config", metavar="FILE", help=f"The project's bakend.json (default: {unit.CONFIG})."
)
@click.option(
    "--user",
    default=unit.USER,
    metavar="NAME",
    show_default=True,
    help="Run as this user, with the group of the same name.",
)
@click.option(
    "--executable", default=unit.EXECUTABLE, metavar="FILE", show_default=True, help="Where bak is."
)
@click.option(
    "--listen",
    default=unit.LISTEN,
    metavar="[ADDRESS:]PORT",
    show_default=True,
    help="Where the socket unit listens.",
)
@click.pass_obj
def print_unit(
    project: Project,
    config: str | None,
    user: str,
    executable: str,
    listen: str,
    *,
    is_socket: bool,
) -> None:
    """Print the unit of the service, for /etc/systemd/system/bakend.service.

    Nothing is looked at and nothing is changed: paths need not exist yet.
    """
    # Not of BAKEND_CONFIG: the same options give the same unit, whoever prints it.
    config = config or project.config or unit.CONFIG
    text = (
        unit.socket_unit(listen=listen)
        if is_socket
        else unit.service_unit(config=config, user=user, executable=executable)
    )
    click.echo(text, nl=False)
