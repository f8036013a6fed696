"""Imports from the zip as `zipimport` does, but quick for what is not compressed in it.

A start imports some 400 modules. For each of them, `zipimport` asks three times where it is, opens the
file, looks for its end, and reads a header before it reads the module: a fifth of the time to the first
answer. The fuse step compresses none of them (`fuse/payload.py`), so that one read is enough. All else is
left to `zipimport`: compressed modules, sources, data.
"""

from __future__ import annotations

import marshal
import os
import sys
import zipimport
from importlib._bootstrap_external import MAGIC_NUMBER
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # as in `typing`, which takes longer than all that is done here
if TYPE_CHECKING:
    from types import CodeType, ModuleType

HEADER = 30
"""Of an entry, before its name; `fuse/archive.py` writes nothing behind the name."""

PYC_HEADER = 16
"""The magic number, and what would tell whether a source has changed."""


class Importer(zipimport.zipimporter):
    """The importer of one folder in this zip."""

    def __init__(self, path: str) -> None:
        if not path.startswith(f"{sys.prefix}/"):
            raise zipimport.ZipImportError(f"not in this executable: {path}")
        super().__init__(path)
        self._entries = self._get_files()  # type: ignore[attr-defined]  # of the Python that is packed

    def _stored(self, fullname: str) -> str | None:
        """Return the entry of a module that is not compressed; None of any other."""
        path = self.prefix + fullname.rpartition(".")[2]
        for name in (f"{path}/__init__.pyc", f"{path}.pyc"):
            if name in self._entries:
                return name if self._entries[name][1] == 0 else None
        return None

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the same as `zipimport`."""
        name = self._stored(fullname)
        if name is None:
            return super().find_spec(fullname, target)
        folder, _, file = name.rpartition("/")
        is_package = file == "__init__.pyc"
        origin = f"{self.archive}/{name}"
        spec = ModuleSpec(fullname, self, origin=origin, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(f"{self.archive}/{folder}")
        return spec

    def get_code(self, fullname: str) -> CodeType:
        """Return the same as `zipimport`, read in one go."""
        name = self._stored(fullname)
        if name is None:
            return super().get_code(fullname)
        size, header_at = self._entries[name][3:5]
        file = os.open(self.archive, os.O_RDONLY)
        try:
            content = os.pread(file, size, header_at + HEADER + len(name.encode()))
        finally:
            os.close(file)
        if not content.startswith(MAGIC_NUMBER):  # damaged
            return super().get_code(fullname)
        code: CodeType = marshal.loads(memoryview(content)[PYC_HEADER:])  # noqa: S302
        return code


def install() -> None:
    """Take the place of `zipimport` for everything in the zip."""
    sys.path_hooks.insert(0, Importer)
    for path in [each for each in sys.path_importer_cache if each.startswith(f"{sys.prefix}/")]:
        del sys.path_importer_cache[path]
