"""The official JavaScript client, and the executable that it is tried against."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import pytest

from bakend import executable

import node

ROOT: Final = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def javascript() -> node.Node:
    """Return a Node with the client in it."""
    try:
        return node.make_ready()
    except node.NodeError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def one_file() -> Path:
    """Return the executable: the one that runs the tests, or `dist/bak`, which CI has built before."""
    if executable.IS_ONE_FILE:
        return Path(sys.executable)
    built = ROOT / "dist" / "bak"
    if not built.exists():
        reason = "there is no dist/bak: scripts/build makes it"
        if os.environ.get("CI"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return built
