"""The checks by name: what `--list` shows, and what `--quick` and `--only` choose from."""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verify.lab import Lab

# In the order they are run: what is quick to fail comes first.
SUBJECTS: Final = (
    "names",
    "bare",
    "restricted",
    "damage",
    "signals",
    "together",
    "replaced",
    "start_time",
    "systemd",
    "install",
    "upgrade",
    "assets",
    "pythons",
    "older",
    "arm64",
    "packages",
    "container",
    "proxy",
    "programs",
    "browser",
    "dashboard",
)

Run = Callable[[Lab], str]
"""Returns what was seen, for a person; raises Failed or NotRun."""

_MARK: Final = "bakend_check"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is proven."""

    name: str
    """Subject, a slash, and the rule in a few words."""
    claim: str
    """The rule, in a sentence."""
    is_quick: bool
    run: Run


def quick(run: Run) -> Run:
    """Mark a check that belongs to every run of continuous integration: seconds, no network."""
    setattr(run, _MARK, True)
    return run


def full(run: Run) -> Run:
    """Mark a check that is run before a release."""
    setattr(run, _MARK, False)
    return run


def all_checks() -> list[Check]:
    """Return every check, in the order they run."""
    return [check for subject in SUBJECTS for check in _of(subject)]


def _of(subject: str) -> Iterator[Check]:
    module = importlib.import_module(f"verify.checks.{subject}")
    for name, function in vars(module).items():
        if hasattr(function, _MARK) and function.__module__ == module.__name__:
            claim = (inspect.getdoc(function) or "").partition("\n")[0]
            shown = f"{subject.replace('_', '-')}/{name.replace('_', '-')}"
            yield Check(shown, claim, getattr(function, _MARK), function)


def subjects_on_disk() -> set[str]:
    """Return the subjects there are files for."""
    return {found.name for found in pkgutil.iter_modules([str(Path(__file__).parent / "checks")])}


def choose(checks: Iterable[Check], only: Sequence[str], *, quick_only: bool) -> list[Check]:
    """Return the checks that were asked for.

    Args:
        only: Names, subjects, or patterns such as `damage/*`; empty is all.

    Raises:
        LookupError: One of them is the name of nothing.
    """
    candidates = [check for check in checks if check.is_quick or not quick_only]
    if not only:
        return candidates
    chosen: set[str] = set()
    for wanted in only:
        found = {
            check.name
            for check in candidates
            if fnmatch.fnmatchcase(check.name, wanted) or check.name.partition("/")[0] == wanted
        }
        if not found:
            raise LookupError(wanted)
        chosen |= found
    return [check for check in candidates if check.name in chosen]
