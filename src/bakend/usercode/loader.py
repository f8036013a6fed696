"""Loads the user's Python: every file as a fresh module, below a package of ours.

A load makes a package of its own, `bakend_user_<n>`, whose folder is the project. So `from ._helpers
import slug` finds the file beside, a changed helper is taken in with the next load, and a load that
fails has touched nothing that runs. Sources are compiled each time: no cache is written into the
project, and none is believed.

A file that cannot be loaded is reported with the line; the others are loaded all the same.
"""

from __future__ import annotations

import importlib.util
import itertools
import logging
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, MappingProxyType, ModuleType
from typing import Any, Final

from bakend.structs import Struct
from bakend.usercode.marks import NOTED, Mark

PACKAGE: Final = "bakend_user_"

_SKIPPED: Final = frozenset({"conftest", "__pycache__"})
_numbers = itertools.count(1)
_lock: Final = threading.Lock()
_log: Final = logging.getLogger("bakend.functions")


class UserFile(Struct, kw_only=True):
    """One file, as a load found it."""

    path: str
    """From the project's folder on: `functions/posts/notify.py`."""
    marks: tuple[Mark, ...] = ()
    names: Mapping[str, Any] = MappingProxyType({})
    """What the module has under which name."""
    error: str | None = None
    """Why it could not be loaded, with the line."""


def files_of(project: Path, folder: str) -> list[Path]:
    """Return the files that a load would take, in the order of their names."""
    return sorted(_walk(project / folder))


def foreign_files(project: Path, folder: str) -> list[str]:
    """Return the TypeScript files of the original, which nobody runs here."""
    base = project / folder
    found = (path.relative_to(project) for path in base.rglob("*.ts"))
    return sorted(
        str(path)
        for path in found
        if not any(part.startswith((".", "_")) or part == "node_modules" for part in path.parts)
    )


def warn_of_foreign(project: Path, folder: str) -> None:
    """Name each TypeScript file of the original in the log."""
    for path in foreign_files(project, folder):
        _log.warning(
            "%s is TypeScript of the original Bakend and does not run here:"
            " docs/guide/port-functions.md says how it is ported",
            path,
        )


def load(project: Path, folder: str) -> list[UserFile]:
    """Load all files of a folder and return what became of each.

    Args:
        project: The folder of `bakend.json`.
        folder: `functions` or `jobs`.
    """
    with _lock:
        if not any(isinstance(each, _Finder) for each in sys.meta_path):
            sys.meta_path.insert(0, _Finder())  # before Python's own, which believes caches
        number = next(_numbers)
    package = f"{PACKAGE}{number}"
    sys.modules[package] = _package(package, project)
    return [_load_file(project, package, path) for path in files_of(project, folder)]


def forget(files: Sequence[UserFile]) -> None:
    """Let go of the modules of earlier loads, except those that these files came from."""
    kept = {str(file.names.get("__name__", "")).partition(".")[0] for file in files}
    for name in [each for each in sys.modules if each.startswith(PACKAGE)]:
        if name.partition(".")[0] not in kept:
            del sys.modules[name]


def _walk(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.name.startswith((".", "_")) or path.stem in _SKIPPED:
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix == ".py":
            yield path


def _package(name: str, folder: Path) -> ModuleType:
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    return importlib.util.module_from_spec(spec)


def _load_file(project: Path, package: str, path: Path) -> UserFile:
    relative = path.relative_to(project)
    name = ".".join((package, *relative.with_suffix("").parts))
    shown = relative.as_posix()
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001  it is theirs; the others go on
        return UserFile(path=shown, error=_where(error, project, shown))
    marks = tuple(getattr(module, NOTED, ()))
    setattr(module, NOTED, marks)  # sealed: what registers later is told so
    return UserFile(path=shown, marks=marks, names=vars(module))


def _where(error: BaseException, project: Path, path: str) -> str:
    """Say in a line what went wrong, and where in the user's files."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        place, line = _shown(project, error.filename), error.lineno
        return f"{place}:{line}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(project)]
    at = f"{_shown(project, own[-1].filename)}:{own[-1].lineno}" if own else path
    return f"{at}: {type(error).__name__}: {error}"


def _shown(project: Path, filename: str) -> str:
    path = Path(filename)
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else filename


class _Source(SourceFileLoader):
    """Compiles what the file says now; time and size alone do not tell two quick edits apart."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


class _Finder(MetaPathFinder):
    """Finds modules below the packages of `load`, and only these."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a file or folder of the project."""
        del target
        if not fullname.startswith(PACKAGE) or path is None:
            return None
        place = Path(next(iter(path)), fullname.rpartition(".")[2])
        for file, inside in (
            (place / "__init__.py", [str(place)]),
            (place.with_name(place.name + ".py"), None),
        ):
            if file.is_file():
                return importlib.util.spec_from_file_location(
                    fullname,
                    file,
                    loader=_Source(fullname, str(file)),
                    submodule_search_locations=inside,
                )
        if place.is_dir():
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(place)]
            return spec
        return None
