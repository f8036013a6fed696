"""Whether a project has Python of its own, without importing what would run it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bakend.database.connection import Database
from bakend.usercode.runs import Runs

FOLDERS: Final = ("functions", "jobs")
PATTERNS: Final = ("*.py", "*.ts")
"""The original's are not run, but told."""


def are_there(project: Path, database: Database, runs: Runs) -> bool:
    """Tell whether there are functions or jobs, or were: then their places must not stay."""
    with database.read() as snapshot:
        if snapshot.one("SELECT 1 FROM _functions") is not None:
            return True
        if runs.waiting_names(snapshot, "task"):
            return True
    return any(
        next((project / folder).rglob(pattern), None) is not None
        for folder in FOLDERS
        for pattern in PATTERNS
    )
