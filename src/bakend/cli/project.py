"""The project that a command works on: found, opened, made (`bak init`)."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from bakend.errors import InvalidInputError, NotWritableError
from bakend.settings import Loaded, Mode, ensure_secret, load
from bakend.structs import Struct

if TYPE_CHECKING:
    from bakend.app import App

Command = TypeVar("Command", bound=Callable[..., Any])

FOLDERS: Final = ("collections", "functions", "jobs")

CONFIG: Final[Mapping[str, object]] = MappingProxyType(
    {
        "port": 8080,
        "database": "./bakend.db",
        "storage": "./storage",
        "logLevel": "INFO",
        "auth": {"accessTokenTtl": "15m", "refreshTokenTtl": "7d"},
    }
)

IGNORED: Final = (
    "*.db",
    "*.db-wal",
    "*.db-shm",
    "storage/",
    ".bakend/",
    ".env",
    "backups/",
    "logs/",
    ".DS_Store",
)
"""What must not get into a repository: data, secrets, and what systems leave behind."""


class Project(Struct):
    """Which project was asked for, and the environment: the only place that has it."""

    config: str | None
    environ: Mapping[str, str]

    def load(self, *, mode: Mode, flags: Mapping[str, object] = MappingProxyType({})) -> Loaded:
        """Return the settings of the project.

        Raises:
            SettingsError: They are wrong, or there is no project.
        """
        config = self.config or self.environ.get("BAKEND_CONFIG") or None
        return load(
            Path(config) if config else None,
            cwd=Path.cwd(),
            environ=self.environ,
            flags=flags,
            mode=mode,
        )

    @contextmanager
    def opened(self, *, writes: bool) -> Iterator[App]:
        """Open the project for a short command.

        Args:
            writes: Whether the command changes anything. One that doesn't makes no database where
                there is none, and migrates none.
        """
        # Here, because most commands need no application, and it takes most of the time of a start.
        from bakend.app import App
        from bakend.clock import SystemClock

        loaded = self.load(mode="command")
        warn(loaded)
        settings = loaded.settings
        with tempfile.TemporaryDirectory(prefix="bak-") as nowhere:
            if not writes and _is_absent(settings.database):
                settings = settings.replaced(database=Path(nowhere) / "empty.db")
            app = App(settings, loaded.project, clock=SystemClock())
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


@click.command()
@click.argument("name", required=False)
def init(name: str | None) -> None:
    """Make a new project in the folder NAME, or here.

    The folder must be missing or empty. Besides bakend.json and folders for collections, functions
    and jobs it gets a secret of its own, in a file that only you can read and that git ignores.
    """
    folder = Path.cwd() / (name or "")
    made = scaffold(folder, title=name or folder.name)
    click.echo(f"Created Bakend project at {made}")
    click.echo(f"Next:  {f'cd {shlex.quote(name)} && ' if name else ''}bak dev")


def scaffold(folder: Path, *, title: str, config: str = "bakend.json") -> Path:
    """Make a project and return its folder, absolute. Where that fails, nothing is left of it.

    Args:
        folder: Missing, or empty but for a new repository.
        title: Heading of its README.
        config: Name of its config file.

    Raises:
        InvalidInputError: There is something else.
        NotWritableError: It cannot be written.
    """
    folder = Path(folder).resolve()
    try:
        with ExitStack() as locked, ExitStack() as undo:
            for each in reversed([folder, *folder.parents]):
                if not each.exists():
                    _make_folder(each, undo)
            locked.enter_context(_alone(folder))
            if any(each.name != ".git" for each in folder.iterdir()):
                raise InvalidInputError(
                    f"Directory is not empty: {folder}", hint="name another folder: bak init NAME"
                )
            for name in FOLDERS:
                _make_folder(folder / name, undo)
            undo.callback(shutil.rmtree, folder / ".bakend", ignore_errors=True)
            ensure_secret(folder)
            _write(folder / ".gitignore", "".join(f"{line}\n" for line in IGNORED), undo)
            _write(folder / "README.md", _readme(title), undo)
            # Last, because it is what makes the folder a project.
            _write(folder / config, f"{json.dumps(dict(CONFIG), indent=2)}\n", undo)
            undo.pop_all()
    except OSError as error:
        raise NotWritableError(
            f"The project cannot be made at {folder}: {error.strerror or error}",
            hint="choose a folder that you may write to",
        ) from error
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold a folder against others who would make a project of it; the system lets go if we die."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _make_folder(folder: Path, undo: ExitStack) -> None:
    folder.mkdir()
    undo.callback(_remove, folder)


def _write(path: Path, text: str, undo: ExitStack) -> None:
    with path.open("x", encoding="utf-8") as file:
        undo.callback(_remove, path)
        file.write(text)


def _remove(path: Path) -> None:
    with suppress(OSError):  # a folder into which somebody has put something stays
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()


def _readme(title: str) -> str:
    return f"""# {title}

A project for Bakend: a backend in one file.

    bak dev

Then open http://localhost:8080/health.

- `bakend.json`: settings; `bak settings` shows each with where it comes from
- `collections/`: one JSON file for each collection
- `functions/`, `jobs/`: your Python, run after events and on schedules
- `.bakend/`: what belongs to this machine, its secret among it; never in git
"""
