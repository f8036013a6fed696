"""The command line inside the test's own process: `bak` as a function."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from bakend.cli.main import run


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What stdout got, line by line."""
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        """What stdout got, as the value that it is the JSON text of."""
        return json.loads(self.out)


class Terminal:
    """Runs commands in the current folder, with the current environment."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *args: str) -> Result:
        """Run `bak` with these arguments."""
        self._capsys.readouterr()  # what the test itself printed is not the command's
        code = run(args)
        captured = self._capsys.readouterr()
        return Result(code, captured.out, captured.err)
