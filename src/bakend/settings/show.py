"""What holds and where it came from, for `bak settings` and the dashboard (pure)."""

from __future__ import annotations

from typing import TypedDict

from .load import Loaded
from .table import TABLE


class Row(TypedDict):
    """One setting as JSON; `value` is written as it may stand in the config file."""

    key: str
    value: object
    source: str
    variable: str
    expected: str
    help: str


class Shown(TypedDict):
    """All that holds, as JSON."""

    config: str
    settings: list[Row]


def shown(loaded: Loaded) -> Shown:
    """Return what `bak settings --json` and the API show; secrets are masked."""
    return {"config": str(loaded.config), "settings": rows(loaded)}


def rows(loaded: Loaded) -> list[Row]:
    """Return every setting in the order of the table; secrets are masked."""
    return [
        {
            "key": line.key,
            "value": line.kind.show(getattr(loaded.settings, name)),
            "source": loaded.sources[line.key],
            "variable": line.variable,
            "expected": line.kind.expected,
            "help": line.help,
        }
        for name, line in TABLE.items()
    ]
