"""`bak` in an empty folder, with an environment of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from terminal import Terminal


@pytest.fixture
def bak(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Terminal]:
    """The command line; `tmp_path` is the folder that it is called in."""
    monkeypatch.chdir(tmp_path)
    for name in [each for each in os.environ if each.startswith("BAKEND_")]:
        monkeypatch.delenv(name)
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield Terminal(capsys)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)  # `bak start` takes them before it does anything else
