"""`bak init`: makes a project."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from bakend.errors import InvalidInputError, NotWritableError
from bakend.settings import NOBODYS, ensure_secret

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
    "*.db.lock",
    "backups/",
    "before-restore-*/",
    "logs/",
    ".DS_Store",
)
"""What must not get into a repository: data, secrets, and what systems leave behind."""


@click.command()
@click.argument("name", required=False)
def init(name: str | None) -> None:
    """Make a new project in the folder NAME, or here.

    The folder must be missing or empty. Besides bakend.json and folders for collections, functions
    and jobs it gets a secret of its own, in a file that only you can read and that git ignores.
    """
    import shlex  # here, because `bak start` imports this module for its `scaffold`

    folder = Path.cwd() / (name or "")
    made = scaffold(folder, title=name or folder.name)
    click.echo(f"Created Bakend project at {made}")
    click.echo(f"Next:  {f'cd {shlex.quote(name)} && ' if name else ''}bak dev")


def scaffold(folder: Path, *, title: str, config: str = "bakend.json") -> Path:
    """Make a project and return its folder, absolute. Where that fails, nothing is left of it.

    Args:
        folder: Missing, or empty but for a new repository or what a file system makes.
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
            if any(each.name not in NOBODYS for each in folder.iterdir()):
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
