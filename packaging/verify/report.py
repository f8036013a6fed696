"""What the person at the terminal, and a program, are told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from verify.catalog import Check
from verify.outcome import Outcome, Verdict, exit_code


def line(outcome: Outcome) -> str:
    """Return one check in a line."""
    time = f"{outcome.seconds:5.1f} s"
    return f"{outcome.verdict:<12}  {outcome.check:<38} {time}  {outcome.seen}"


def total(outcomes: Sequence[Outcome]) -> str:
    """Return the last line."""
    counts = {
        verdict: sum(outcome.verdict is verdict for outcome in outcomes) for verdict in Verdict
    }
    seconds = sum(outcome.seconds for outcome in outcomes)
    return (
        ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + f" ({seconds:.0f} s)"
    )


def listing(checks: Sequence[Check]) -> str:
    """Return every check with its rule."""
    rows = [
        f"{check.name:<38} {'quick' if check.is_quick else '     '}  {check.claim}"
        for check in checks
    ]
    return "\n".join(rows)


def as_json(file: Path, sha256: str, outcomes: Sequence[Outcome]) -> str:
    """Return the whole run as JSON."""
    rows = [
        {
            "check": outcome.check,
            "verdict": outcome.verdict.value,
            "seen": outcome.seen,
            "seconds": round(outcome.seconds, 2),
        }
        for outcome in outcomes
    ]
    run = {
        "file": str(file),
        "sha256": sha256,
        "exitCode": exit_code(list(outcomes)),
        "checks": rows,
    }
    return json.dumps(run, indent=2, ensure_ascii=False) + "\n"
