"""A project whose folder stays when it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bakend.testing import TestProject, temporary_project

from samples import LISTS


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of the project."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def project(home: Path) -> Iterator[TestProject]:
    """A project in that folder, which stays."""
    with temporary_project([LISTS], folder=home) as opened:
        opened.make_user("ada@example.com")
        yield opened
