"""What every test gets: a project of its own, and a look at what it left behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from bakend.testing import TestProject, temporary_project

from samples import COLLECTIONS

# The same examples each time: a failure on one machine is a failure on all.
settings.register_profile(
    "bakend",
    derandomize=True,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("bakend")


@pytest.fixture
def project() -> Iterator[TestProject]:
    """A project with the collections of `samples`."""
    with temporary_project(COLLECTIONS) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """Fail the test that leaves a thread of ours running or a database open."""
    yield
    threads = [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith(("bakend-", "waitress-"))
    ]
    assert threads == [], "threads left running"
    assert _open_databases() == [], "databases left open"


def _open_databases() -> list[str]:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        return []
    names = []
    for descriptor in descriptors.iterdir():
        try:
            name = os.readlink(descriptor)  # noqa: PTH115  Path.readlink trips on "(deleted)"
        except OSError:
            continue
        if ".db" in Path(name).name and not name.startswith(str(Path.cwd() / ".hypothesis")):
            names.append(name)
    return names
