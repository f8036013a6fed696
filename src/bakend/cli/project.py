"""The project that a command works on: found and opened. `init.py` makes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bakend.structs import Struct

if TYPE_CHECKING:
    from bakend.app import App
    from bakend.settings import Loaded, Mode

Command = TypeVar("Command", bound=Callable[..., Any])


class Project(Struct):
    """Which project was asked for, and the environment: the only place that has it."""

    config: str | None
    environ: Mapping[str, str]

    def load(self, *, mode: Mode, flags: Mapping[str, object] = MappingProxyType({})) -> Loaded:
        """Return the settings of the project.

        Raises:
            SettingsError: They are wrong, or there is no project.
        """
        from bakend.settings import load  # here, because `bak version` has no settings

        config = self.config or self.environ.get("BAKEND_CONFIG") or None
        return load(
            Path(config) if config else None,
            cwd=Path.cwd(),
            environ=self.environ,
            flags=flags,
            mode=mode,
        )

    @contextmanager
    def opened(self, *, writes: bool, warns: bool = True) -> Iterator[App]:
        """Open the project for a short command.

        Args:
            writes: Whether the command changes anything. One that doesn't makes no database where
                there is none, and migrates none.
            warns: Whether it is printed what is odd about the settings.
        """
        import tempfile

        # Here, because most commands need no application, and it takes most of the time of a start.
        from bakend.app import App
        from bakend.clock import SystemClock

        loaded = self.load(mode="command")
        if warns:
            warn(loaded)
        settings = loaded.settings
        with tempfile.TemporaryDirectory(prefix="bak-") as nowhere:
            if not writes and _is_absent(settings.database):
                settings = settings.replaced(database=Path(nowhere) / "empty.db")
            app = App(
                settings,
                loaded.project,
                config=loaded.config,
                clock=SystemClock(),
                secrets=loaded.variables,
            )
            try:
                app.open(writes=writes)
                yield app
            finally:
                app.close()


def _is_absent(database: Path) -> bool:
    """True also for an empty file, as `touch` or a start that was killed at once leaves it."""
    try:
        return database.stat().st_size == 0
    except OSError:
        return not database.exists()


def warn(loaded: Loaded) -> None:
    """Print what is odd about the settings; for commands that have no log."""
    for warning in loaded.warnings:
        click.echo(f"Warning: {warning}", err=True)


def config_option(command: Command) -> Command:
    """Let a command take `--config` behind its name, as well as before it."""

    def keep(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.obj = ctx.obj.replaced(config=value)

    option = click.option(
        "--config",
        metavar="FILE",
        expose_value=False,
        callback=keep,
        help="The project's bakend.json (default: ./bakend.json).",
    )
    return option(command)
