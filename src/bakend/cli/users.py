"""`bak users`: the accounts of a project, from the host's command line."""

from __future__ import annotations

import json
import sys
from typing import Final, TextIO

import click

from bakend.auth.user import ROLES, User
from bakend.cli.project import Project, config_option
from bakend.events.event import OPERATOR

LIST_MAX: Final = 1_000

_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_role = click.Choice(ROLES)
_password = click.option(
    "--password-file",
    type=click.File("r"),
    metavar="FILE",
    help="Read the password from the first line of a file, - for standard input; else it is asked.",
)


@click.group()
@config_option
def users() -> None:
    """Make, list, change and delete accounts. May be run while the server runs."""


@users.command()
@config_option
@click.argument("email")
@click.option(
    "--role", type=_role, default="authenticated", show_default=True, help="What the user may do."
)
@_password
@_as_json
@click.pass_obj
def create(
    project: Project, email: str, role: str, password_file: TextIO | None, *, as_json: bool
) -> None:
    """Make an account for EMAIL."""
    password = _read_password(password_file)
    with project.opened(writes=True) as app:
        user = app.accounts.create(email, password, role, OPERATOR)
    _show(user, "created", as_json=as_json)


@users.command("list")
@config_option
@click.option("--search", metavar="TEXT", default="", help="Only addresses with this in them.")
@click.option(
    "--limit", type=click.IntRange(1), default=LIST_MAX, show_default=True, help="Most to list."
)
@_as_json
@click.pass_obj
def list_users(project: Project, search: str, limit: int, *, as_json: bool) -> None:
    """List accounts, the newest first: id, address, role, when it was made."""
    with project.opened(writes=False) as app:
        found, total = app.accounts.page(limit=limit, offset=0, search=search)
    if as_json:
        click.echo(
            json.dumps({"items": [user.to_wire() for user in found], "total": total}, indent=2)
        )
        return
    for user in found:
        click.echo("\t".join((user.id, user.email, user.role, user.created_at)))
    if not found:
        click.echo("No users found.")
    elif total > len(found):
        click.echo(f"{total - len(found)} more: --limit or --search", err=True)


@users.command("set-role")
@config_option
@click.argument("email")
@click.argument("role", type=_role)
@_as_json
@click.pass_obj
def set_role(project: Project, email: str, role: str, *, as_json: bool) -> None:
    """Change what EMAIL may do, from the next request on."""
    with project.opened(writes=True) as app:
        user = app.accounts.set_role(app.accounts.find_by_email(email).id, role, OPERATOR)
    _show(user, "changed", as_json=as_json)


@users.command("set-password")
@config_option
@click.argument("email")
@_password
@_as_json
@click.pass_obj
def set_password(
    project: Project, email: str, password_file: TextIO | None, *, as_json: bool
) -> None:
    """Give EMAIL another password; all sessions of that account end."""
    password = _read_password(password_file)
    with project.opened(writes=True) as app:
        user = app.accounts.set_password(app.accounts.find_by_email(email).id, password, OPERATOR)
    _show(user, "changed", as_json=as_json)


@users.command()
@config_option
@click.argument("email")
@click.option(
    "--data",
    type=click.Choice(["keep", "delete"]),
    help="What becomes of the records and files (default: the setting auth.deletedUserData).",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@_as_json
@click.pass_obj
def delete(project: Project, email: str, data: str | None, *, yes: bool, as_json: bool) -> None:
    """Delete the account of EMAIL, with its sessions."""
    with project.opened(writes=True) as app:
        user = app.accounts.find_by_email(email)
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError("This deletes an account: say so with --yes")
            click.confirm(f"Delete {user.email} ({user.id})?", abort=True, err=True)
        app.accounts.delete(user.id, OPERATOR, data=data)
    _show(user, "deleted", as_json=as_json)


def _read_password(file: TextIO | None) -> str:
    """Return a password from a file, or from the terminal, where it is not shown."""
    if file is not None:
        return str(file.readline()).rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask for the password: use --password-file")
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _show(user: User, what: str, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(user.to_wire(), indent=2))
    else:
        click.echo(f"{what} {user.email} ({user.role}) {user.id}")
