"""examples/todo: where it lies, and its seed.py as a module, which lies outside every package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any, Final

PROJECT: Final = Path(__file__).parents[2] / "examples" / "todo"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("seed", PROJECT / "seed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


seed: Final[Any] = _load()
