"""`bak upgrade`: a newer executable in the place of this one, or the one before it again."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from bakend import executable
from bakend.cli.failures import NEWER
from bakend.cli.health import ask
from bakend.cli.project import Project, config_option
from bakend.clock import SystemClock
from bakend.errors import ManagedError, SettingsError, UpgradeError
from bakend.upgrade import upgrade as parts
from bakend.upgrade.place import Place
from bakend.upgrade.programs import Owner, Programs
from bakend.upgrade.releases import is_newer
from bakend.upgrade.running import Command, Running, Service
from bakend.upgrade.service import Server, Systemd
from bakend.version import VERSION

ASK_S: Final = 3.0


@click.command()
@config_option
@click.option(
    "--check", is_flag=True, help="Only say whether there is a newer version: exit code 10."
)
@click.option("--version", "wanted", metavar="V", help="This version, not the newest.")
@click.option("--file", metavar="FILE", help="A tarball that is here, with SHA256SUMS beside it.")
@click.option("--rollback", is_flag=True, help="Put bak.prev in place again.")
@click.option(
    "--allow-unsigned", is_flag=True, help="Take a release that is not signed, such as your own."
)
@click.option(
    "--unit", metavar="NAME", help="The service to restart, where several run from this file."
)
@click.option(
    "--restart-command", metavar="COMMAND", help="What restarts the server, where systemd does not."
)
@click.option("--url", metavar="URL", help="Where the server answers, if not as its settings say.")
@click.option(
    "--patience",
    type=click.FloatRange(min=1, max=3_600),
    metavar="SECONDS",
    help="Without a sign of life for so long, the new version is taken back (default: 10).",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_obj
def upgrade(
    project: Project,
    wanted: str | None,
    file: str | None,
    unit: str | None,
    restart_command: str | None,
    url: str | None,
    patience: float | None,
    *,
    check: bool,
    rollback: bool,
    allow_unsigned: bool,
    as_json: bool,
) -> int:
    """Replace this executable by the newest one, and restart the server that runs from it.

    The new file is checked, tried, and waited for. If it does not serve, the old one and its database
    are put back and started again: exit code 7.
    """
    if sum((check, rollback, file is not None)) > 1 or (wanted and (rollback or file)):
        raise click.UsageError("--check, --version, --file and --rollback do not go together")
    if unit and restart_command:
        raise click.UsageError("--unit and --restart-command do not go together")
    clock, programs = SystemClock(), Programs(project.environ)
    place = Place(parts.own_path())
    changing = parts.Upgrade(
        place,
        version=VERSION,
        programs=programs,
        clock=clock,
        say=_say,
        progress=_progress(),
    )
    asked = parts.Wanted(
        version=wanted,
        file=Path(file).absolute() if file else None,
        url=project.environ.get("BAKEND_INSTALL_URL") or None,
        may_be_unsigned=allow_unsigned,
    )
    if check:
        return _check(changing, asked, as_json=as_json)
    if not executable.IS_ONE_FILE:
        raise ManagedError(
            "This Bakend is no executable of its own, so it cannot replace itself",
            hint="upgrade it as it was installed: git pull, or download the new zipapp",
        )
    # The terminal may go away; what was begun is ended all the same. Who ends it goes back.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    systemd = Systemd(programs)
    served: parts.Project | None = None
    running: Running | None = None
    if restart_command:
        served, address = _of_settings(project)
        running = Command(
            restart_command,
            programs,
            lambda: ask(url or address, ASK_S),
            clock,
            patience_s=patience,
        )
    elif (server := _server(systemd.servers(place.path), unit)) is not None:
        served, address = _of_server(server)
        running = Service(
            server.unit, systemd, lambda: ask(url or address, ASK_S), clock, patience_s=patience
        )
    done = changing.roll_back(served, running) if rollback else changing.run(asked, served, running)
    _tell(done, is_restarted=running is not None, as_json=as_json)
    return 0


def _check(changing: parts.Upgrade, asked: parts.Wanted, *, as_json: bool) -> int:
    newest = changing.newest(asked)
    has_newer = is_newer(newest, VERSION)
    if as_json:
        click.echo(json.dumps({"version": VERSION, "newest": newest, "isNewer": has_newer}))
    elif has_newer:
        click.echo(f"{newest} is there, this is {VERSION}: bak upgrade")
    else:
        click.echo(f"{VERSION} is the newest")
    return NEWER if has_newer else 0


def _server(servers: list[Server], unit: str | None) -> Server | None:
    """Return the server to restart; None where none runs.

    Raises:
        UpgradeError: It is not clear which.
    """
    if unit is not None:
        name = unit if unit.endswith(".service") else f"{unit}.service"
        for server in servers:
            if server.unit == name:
                return server
        raise UpgradeError(f"{name} does not run from this file, or does not run")
    if len(servers) > 1:
        names = ", ".join(server.unit for server in servers)
        raise UpgradeError(
            f"Several services run from this file: {names}",
            hint="name one with --unit, and restart the others when it has gone well",
        )
    return servers[0] if servers else None


def _of_server(server: Server) -> tuple[parts.Project, str]:
    """Return the project of a server that runs, and its address, by how it was started."""
    config = next(
        (
            server.words[at + 1] if word == "--config" else word.partition("=")[2]
            for at, word in enumerate(server.words)
            if (word == "--config" and at + 1 < len(server.words)) or word.startswith("--config=")
        ),
        server.environ.get("BAKEND_CONFIG") or "bakend.json",
    )
    served = Project(config=str(server.folder / config), environ=server.environ)
    found, address = _of_settings(served)
    return found.replaced(owner=server.owner), address


def _of_settings(project: Project) -> tuple[parts.Project, str]:
    loaded = project.load(mode="command")
    if not loaded.config.exists():
        raise SettingsError(
            [f"There is no {loaded.config}"], hint="name the project: --config FILE"
        )
    owner = loaded.project.stat()
    settings = loaded.settings
    host = settings.host or "127.0.0.1"
    return parts.Project(
        database=settings.database,
        copies=settings.backup_folder,
        owner=Owner(owner.st_uid, owner.st_gid),
    ), f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"


def _tell(done: parts.Done | None, *, is_restarted: bool, as_json: bool) -> None:
    if as_json:
        about = {
            "from": VERSION,
            "to": done.new if done else VERSION,
            "changed": done is not None,
            "servedAfter": done.served_after_s if done else None,
            "databaseCopy": str(done.copy) if done and done.copy else None,
        }
        _print(json.dumps(about))
    elif done is None:
        _print(f"{VERSION} is the version that was asked for: nothing to do")
    elif is_restarted:
        _print(f"Version {done.new} serves, {done.served_after_s:.1f} s after the restart began")
    else:
        _print(
            f"Version {done.new} is in place. No server runs from it as a service: restart it by hand"
        )


def _print(text: str) -> None:
    with suppress(OSError):  # the terminal has gone
        click.echo(text)


def _say(text: str) -> None:
    with suppress(OSError):
        click.echo(text, err=True)


def _progress() -> Callable[[int, int | None], None]:
    """Return what shows how far a download is: at a terminal only."""
    if not sys.stderr.isatty():
        return lambda _done, _total: None

    def show(done: int, total: int | None) -> None:
        with suppress(OSError):
            share = f" of {total / 1e6:.1f}" if total else ""
            end = "\n" if done == total else ""
            os.write(2, f"\r  {done / 1e6:.1f}{share} MB{end}".encode())

    return show
