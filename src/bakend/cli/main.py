"""`bak` itself: finds the command, runs it, turns failures into sentences and exit codes."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NoReturn

import click

from bakend import executable
from bakend.cli import failures
from bakend.cli.project import Project
from bakend.errors import BakendError
from bakend.version import VERSION

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "init": "bakend.cli.init",
        "dev": "bakend.cli.serve",
        "start": "bakend.cli.serve",
        "health": "bakend.cli.health",
        "settings": "bakend.cli.inspect",
        "migrate": "bakend.cli.migrate",
        "users": "bakend.cli.users",
        "storage": "bakend.cli.storage",
        "backup": "bakend.cli.backup",
        "doctor": "bakend.cli.doctor",
        "functions": "bakend.cli.functions",
        "jobs": "bakend.cli.jobs",
        "add": "bakend.cli.packages",
        "remove": "bakend.cli.packages",
        "sync": "bakend.cli.packages",
        "version": "bakend.cli.inspect",
        "verify": "bakend.cli.inspect",
        "systemd": "bakend.cli.systemd",
        "upgrade": "bakend.cli.upgrade",
    }
)
"""Command to the module that has it under its name, in the order in which a newcomer needs them."""

FOR_US_ALONE: Final = (
    *("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"),
    *("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"),
)
"""What systemd tells this process: nothing that we start may think that it is meant."""


class _Commands(click.Group):
    """The commands, each imported when it is asked for: `bak version` needs no HTTP server."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS and name not in self.commands:
            self.add_command(getattr(importlib.import_module(COMMANDS[name]), name))
            if not gc.isenabled():  # __main__.py has put it off until everything is imported
                gc.freeze()  # modules stay: they need not be looked through, now or later
                gc.enable()
        return super().get_command(ctx, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            click.echo(f"Unknown command: {name}", err=True)
            click.echo(ctx.get_help())
            ctx.exit(failures.USAGE)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  bak init my-project  &&  cd my-project  &&  bak dev",
)
@click.version_option(VERSION, "--version", "-v", message="%(version)s", help="Print the version.")
@click.option("--config", metavar="FILE", help="The project's bakend.json; also after the command.")
@click.pass_context
def bak(ctx: click.Context, config: str | None) -> None:
    """Bakend: a backend in one file.

    Collections of records with a REST API, on SQLite. A project is a folder with a bakend.json.
    """
    ctx.obj = Project(config=config, environ=dict(os.environ))
    for name in FOR_US_ALONE:
        os.environ.pop(name, None)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        ctx.exit(failures.USAGE)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run(args))


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    try:
        code = bak.main(args=args, prog_name="bak", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BakendError as error:
        for line in failures.lines(error):
            click.echo(line, err=True)
        return failures.exit_code(error)
    except (KeyboardInterrupt, click.Abort):
        return 130  # 128 + SIGINT, as shells have it
    except BrokenPipeError:
        # Who read our output has gone; the interpreter would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    # A fault of ours: one sentence for the terminal; the traceback for those who ask for it.
    except Exception as error:  # noqa: BLE001
        executable.require_intact()  # or of a damaged file, which says so and ends here
        click.echo(f"bak failed: {type(error).__name__}: {error}", err=True)
        if os.environ.get("BAKEND_LOG_LEVEL") == "DEBUG":
            traceback.print_exc()
        else:
            click.echo("  BAKEND_LOG_LEVEL=DEBUG shows where; please report it", err=True)
        return 1
