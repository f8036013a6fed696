"""The packages in the zip, as `importlib.metadata` wants them; imported when it first asks."""

from __future__ import annotations

import re
import zipfile
import zipimport
from collections.abc import Iterator
from importlib.metadata import Distribution, DistributionFinder
from typing import TYPE_CHECKING

# Written by the fuse step: normalized name to folder.
from _bak_index import DISTRIBUTIONS  # type: ignore[import-not-found]

if TYPE_CHECKING:
    from os import PathLike

ZIP = zipimport.zipimporter(__file__.rpartition("/")[0])
"""The zip, from the folder that this module lies in on."""

PACKAGES = f"{ZIP.archive}/{ZIP.prefix.rstrip('/')}"
"""That folder, as `sys.path` has it."""


class ZippedDistribution(Distribution):
    """One package in the zip."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read_text(self, filename: str) -> str | None:
        """Return a file of the package's metadata; None when there is none of that name."""
        try:
            return ZIP.get_data(f"{PACKAGES}/{self._folder}/{filename}").decode()
        except OSError:
            return None

    def locate_file(self, path: str | PathLike[str]) -> zipfile.Path:
        """Return a file of the package as a path in the zip."""
        return zipfile.Path(ZIP.archive, f"{ZIP.prefix}{path}")


def find(context: DistributionFinder.Context | None) -> Iterator[ZippedDistribution]:
    """Yield the packages that the context asks for, by name or all."""
    context = DistributionFinder.Context() if context is None else context
    if PACKAGES not in context.path:
        return
    if context.name is None:
        yield from map(ZippedDistribution, DISTRIBUTIONS.values())
        return
    folder = DISTRIBUTIONS.get(re.sub(r"[-_.]+", "_", context.name).lower())
    if folder is not None:
        yield ZippedDistribution(folder)
