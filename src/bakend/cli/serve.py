"""`bak start` and `bak dev`: the server in the foreground."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

import click

from bakend import executable, logs
from bakend.app import App
from bakend.backups.replacement import Outcome, Replacement, RestoreWish
from bakend.cli.init import scaffold
from bakend.cli.project import Project, config_option
from bakend.clock import Clock, SystemClock
from bakend.errors import InvalidInputError, SettingsError
from bakend.settings import Configured, Loaded, Mode, ensure_secret
from bakend.version import VERSION

if TYPE_CHECKING:
    from bakend.cli.service import Service

_log = logging.getLogger("bakend.app")


@click.command()
@config_option
@click.option("--host", metavar="ADDRESS", help="Listen on this address only.")
@click.option("--port", metavar="PORT", help="Listen on this port.")
@click.option("--watch", is_flag=True, help="The same as `bak dev`.")
@click.pass_obj
def start(project: Project, host: str | None, port: str | None, watch: bool) -> int:
    """Serve the project, on all addresses, until SIGTERM or Ctrl-C.

    New collections in collections/*.json are created. A file that differs from the database changes
    nothing: the log says so, and `bak migrate apply` does it.
    """
    return _serve(project, "dev" if watch else "start", {"host": host, "port": port})


@click.command()
@config_option
@click.option("--host", metavar="ADDRESS", help="Listen on this address, not only on 127.0.0.1.")
@click.option("--port", metavar="PORT", help="Listen on this port.")
@click.pass_obj
def dev(project: Project, host: str | None, port: str | None) -> int:
    """Serve the project on this machine for development.

    As `bak start`, but only for this machine, with pages on localhost allowed to call, and with
    collections/*.json applied as they are saved, as far as no stored value is lost.
    """
    return _serve(project, "dev", {"host": host, "port": port})


def _serve(project: Project, mode: Mode, flags: Mapping[str, object]) -> int:
    stopper = _Stopper()  # before anything else: a signal is never too early
    executable.require_intact()
    loaded = project.load(mode=mode, flags=flags)
    if loaded.is_missing:
        with suppress(InvalidInputError):  # another start was faster, and has made it
            made = scaffold(loaded.project, title=loaded.project.name, config=loaded.config.name)
            click.echo(f"Created Bakend project at {made}")
        loaded = project.load(mode=mode, flags=flags)
    settings, clock = loaded.settings, SystemClock()
    log = logs.configure(
        level=settings.log_level,
        clock=clock,
        log_file=settings.log_file,
        form=settings.log_format,
    )
    try:
        _say_what_is_odd(loaded)
        service = _service(project, clock)
        secret = settings.auth_jwt_secret or ensure_secret(loaded.project)
        configured, replacement = Configured(loaded), Replacement()
        while not stopper.is_asked():
            app = App(
                configured.loaded.settings.replaced(auth_jwt_secret=secret),
                loaded.project,
                clock=clock,
                config=loaded.config,
                first_admin=loaded.admin_email,
                recent_lines=log.recent,
                secrets=loaded.variables,
                configured=configured,
                replacement=replacement,
            )
            with stopper.stopping(app):
                _serve_once(app, loaded, service, replacement, develops=mode == "dev")
                if replacement.wish is None or stopper.is_asked():
                    break
                replacement.done(_restored(app, replacement.wish, clock, stopper))
    finally:
        log.close()
    return 0


def _serve_once(
    app: App,
    loaded: Loaded,
    service: Service | None,
    replacement: Replacement,
    *,
    develops: bool,
) -> None:
    """Open everything, serve until the stop, and close it."""
    try:
        if service is None:
            app.open()
        else:
            service.open(app)
        _make_named_admin(app, loaded)
        if service is None:
            addresses = app.listen(develops=develops)
        else:
            addresses = service.listen(
                app, develops=develops, configured=loaded.settings.port, replacement=replacement
            )
        _banner(addresses)
        _offer_setup(app, addresses, has_page=loaded.settings.dashboard_enabled)
        app.serve()
        _log.info("Stopped")
    finally:
        app.close()


def _restored(app: App, wish: RestoreWish, clock: Clock, stopper: _Stopper) -> Outcome:
    from bakend.cli.replacing import restored  # only where somebody asks for it

    return restored(app, wish, clock, is_stopped=stopper.is_asked)


def _service(project: Project, clock: Clock) -> Service | None:
    """Return what systemd started us as, or None."""
    if "NOTIFY_SOCKET" not in project.environ and "LISTEN_FDS" not in project.environ:
        return None
    from bakend.cli.service import Service  # only where systemd is

    return Service(project.environ, clock)


class _Stopper:
    """SIGTERM and SIGINT, from the first moment on."""

    def __init__(self) -> None:
        self._is_asked = False
        self._app: App | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def is_asked(self) -> bool:
        """Tell whether a signal has come."""
        return self._is_asked

    @contextmanager
    def stopping(self, app: App) -> Iterator[None]:
        """Let a signal stop the application, and no more than that: what else is done goes on."""
        self._app = app
        try:
            yield
        finally:
            self._app = None

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        # No log line here: the thread may be in the middle of one, and hold the lock of the log.
        self._is_asked = True
        if self._app is None:  # nothing is open
            raise SystemExit(0)
        self._app.stop()


def _say_what_is_odd(loaded: Loaded) -> None:
    for warning in loaded.warnings:
        _log.warning("%s", warning)


def _banner(addresses: list[tuple[str, int]]) -> None:
    for host, port in addresses:
        _log.info("Listening on %s port %d", host, port)
    click.echo(
        f"Bakend v{VERSION}\n\nDatabase: ready\nAPI: ready\n\nListening on :{addresses[0][1]}"
    )


def _make_named_admin(app: App, loaded: Loaded) -> None:
    """Make the administrator that the environment names, if there is none."""
    if loaded.admin_email is None or loaded.admin_password is None:
        return
    try:
        made = app.first_admin.ensure(loaded.admin_email, loaded.admin_password.reveal())
    except InvalidInputError as error:
        raise SettingsError(
            [f"BAKEND_ADMIN_EMAIL and BAKEND_ADMIN_PASSWORD make no account: {error.message}"]
        ) from error
    if made is not None:
        _log.info("Made the first administrator, %s", made.email)


def _offer_setup(app: App, addresses: list[tuple[str, int]], *, has_page: bool) -> None:
    """Say how the first administrator is made, as long as there is none.

    On a terminal, where only its owner reads; else in the log, where a service's output is read.
    """
    token = app.first_admin.new_token()
    if token is None:
        return
    if has_page:
        text = f"No administrator yet. Make one at {_own_url(addresses)}/_/setup#{token}"
    else:
        text = "No administrator yet. Make one with: bak users create EMAIL --role admin"
    if sys.stdout.isatty():
        click.echo(f"\n{text}")
    else:
        _log.info("%s", text)


def _own_url(addresses: list[tuple[str, int]]) -> str:
    """Return how this machine reaches the server."""
    host, port = addresses[0]
    if host in ("0.0.0.0", "::", "127.0.0.1", "::1"):  # noqa: S104  compared, not bound
        host = "localhost"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
