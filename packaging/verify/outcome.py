"""What a check can come to, and how it says so."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Failed(Exception):
    """Raised by a check when the file does not do what it should; its text says what was seen."""


class NotRun(Exception):
    """Raised by a check when this machine cannot run it; its text says why. It is no pass."""


class Verdict(StrEnum):
    """What a check came to."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run here"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check, run."""

    check: str
    verdict: Verdict
    seen: str
    """Figures of a pass, what was wrong, or why it could not run."""
    seconds: float


EXIT_PASSED = 0
EXIT_FAILED = 1
EXIT_NOT_ALL_RUN = 3


def exit_code(outcomes: list[Outcome]) -> int:
    """Return 0 only if every check ran and passed; no check at all proves nothing either."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if Verdict.FAILED in verdicts:
        return EXIT_FAILED
    return EXIT_PASSED if verdicts == {Verdict.PASSED} else EXIT_NOT_ALL_RUN


def expect(condition: object, seen: str) -> None:
    """Fail the check, with what was seen, unless the condition holds."""
    if not condition:
        raise Failed(seen)
