"""The executable that tests of it run: the one that runs them, or `dist/bak`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

from bakend import executable

ROOT: Final = Path(__file__).resolve().parents[2]

# Its own modules import each other by the names they have below this folder.
sys.path.append(str(ROOT / "packaging"))


@pytest.fixture(scope="session")
def one_file() -> Path:
    """Return the executable."""
    if executable.IS_ONE_FILE:
        return Path(sys.executable)
    built = ROOT / "dist" / "bak"
    if not built.exists():
        pytest.skip("there is no dist/bak: scripts/build makes it")
    return built
