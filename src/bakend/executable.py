"""The executable that carries its own interpreter, as the program inside sees it."""

from __future__ import annotations

import importlib
import sys
from typing import Final

_MODULE: Final = "_bak"  # built into the executable by packaging/head/main.c, and nowhere else

IS_ONE_FILE: Final = _MODULE in sys.builtin_module_names

PYTHON: Final = sys.prefix if IS_ONE_FILE else sys.executable
"""What to start for a Python like this one. In the one file it is /proc/self/exe: behind its name a
newer one may lie by now."""


def require_intact() -> None:
    """Return if the executable is whole; else end the process with a sentence and exit code 70.

    Imports from it check nothing: changed code would run. `bak start` checks beside its imports, so
    that this waits for next to nothing. From source there is nothing to check.
    """
    if IS_ONE_FILE:
        importlib.import_module(_MODULE).verify()
