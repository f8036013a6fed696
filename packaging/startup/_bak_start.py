"""Imported by the executable right after Python started, in every mode and in every child.

What Python does for folders and not for a zip that is part of a larger file: `importlib.metadata` finds
the packages in it, and children of `multiprocessing` are started from it. Both wait until somebody asks,
since every process pays for what is done here. Imports from the zip are made quick (`_bak_import.py`).
And `bak -c` in a project sees the project's packages.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder

import _bak_import  # type: ignore[import-not-found]  # lies beside this in the zip

TYPE_CHECKING = False  # as in `typing`, which takes longer than all that is done here
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.abc import Loader
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType
    from typing import Any


class Distributions:
    """Lets `importlib.metadata` see the packages in the zip: versions, entry points."""

    @staticmethod
    def find_spec(
        _name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> None:
        """Find no module: `zipimport` does that."""

    @staticmethod
    def find_distributions(
        context: DistributionFinder.Context | None = None,
    ) -> Iterable[Distribution]:
        """Return the packages in the zip that the context asks for."""
        import _bak_distributions  # type: ignore[import-not-found]  # lies beside this in the zip

        found: Iterable[Distribution] = _bak_distributions.find(context)
        return found


class Spawn:
    """Makes `multiprocessing` start the version that runs, when another one took its place on disk.

    The path in `sys.executable` leads to the new file then; `/proc/self/exe` is the old one, also in the
    child that is about to execute it.
    """

    @classmethod
    def find_spec(
        cls, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Put ourselves before the loader of the one module that keeps the path."""
        if name != "multiprocessing.spawn":
            return None
        sys.meta_path.remove(cls)
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            spec.loader = SpawnLoader(spec.loader)  # type: ignore[assignment]  # all that is asked of one
        return spec


class SpawnLoader:
    """Loads `multiprocessing.spawn`, and tells it which file to start."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave that to the real loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run the module, then set what it took from `sys.executable`."""
        self._loader.exec_module(module)
        module.set_executable(sys.prefix)


def add_packages_of_project() -> None:
    """Let `bak -c` import what `bak add` installed in the project that is the current folder.

    Not for `-m`, by which pip runs, and not where the current folder is to have no say. At the end of
    the path, so that nothing of a user stands in for a part of Bakend.
    """
    if sys.argv[:1] != ["-c"] or sys.flags.safe_path:
        return
    # os.path: pathlib would cost every such process milliseconds.
    folder = os.path.realpath(".bakend/site-packages")  # a link, which the next `bak add` changes
    if os.path.isfile("bakend.json") and os.path.isdir(folder):  # noqa: PTH112, PTH113
        sys.path.append(folder)


add_packages_of_project()
sys.meta_path.append(Distributions)
if sys.prefix == "/proc/self/exe":
    _bak_import.install()
    sys.meta_path.insert(0, Spawn)
