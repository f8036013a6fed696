"""One browser for all tests of the dashboard in a process; each has a server, and an origin, of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from screens import DESKTOP, Screen, a_window, started
from verify.hosts.browser import Browser
from verify.outcome import NotRun

import node


@pytest.fixture(scope="session")
def window() -> Iterator[Browser]:
    """A window of Chromium; without one the tests fail, and say what to install."""
    try:
        with a_window() as opened:
            yield opened
    except NotRun as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe, from the dashboard's own packages."""
    try:
        node.make_ready(node.DASHBOARD)
    except node.NodeError as error:
        pytest.fail(str(error), pytrace=False)
    return (node.DASHBOARD / "node_modules" / "axe-core" / "axe.min.js").read_text()


@pytest.fixture
def size() -> tuple[int, int]:
    """How large the window is: that of a desktop, unless a test wants more than one."""
    return DESKTOP


@pytest.fixture
def screen(window: Browser, tmp_path: Path, size: tuple[int, int]) -> Iterator[Screen]:
    """The window, logged in, in front of a server with a collection of notes."""
    with started(window, tmp_path) as opened:
        opened.log_in()
        window.look(*size)
        yield opened
