"""Runs a built file on real hosts, and says what it came to: `scripts/verify-release`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from interpreter.store import cache_folder, file_digest
from verify import report
from verify.catalog import Check, all_checks, choose
from verify.lab import Lab
from verify.outcome import Failed, NotRun, Outcome, Verdict, exit_code

ROOT: Final = Path(__file__).resolve().parents[2]
USAGE: Final = 2


def run(check: Check, lab: Lab) -> Outcome:
    """Run one check; whatever goes wrong in it is no pass."""
    begin = time.monotonic()
    try:
        verdict, seen = Verdict.PASSED, check.run(lab)
    except Failed as failed:
        verdict, seen = Verdict.FAILED, str(failed)
    except NotRun as reason:
        verdict, seen = Verdict.NOT_RUN, str(reason)
    except Exception as error:  # noqa: BLE001 - a fault of the check must not hide the others
        place = traceback.extract_tb(error.__traceback__)[-1]
        seen = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
        verdict = Verdict.FAILED
    return Outcome(check.name, verdict, " ".join(seen.split()), time.monotonic() - begin)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/verify-release",
        description="Run a built file on real hosts, and say what was seen.",
        epilog="Exit code: 0 all passed, 1 something failed, 3 nothing failed, but not all could run.",
    )
    add = parser.add_argument
    add("file", nargs="?", type=Path, default=ROOT / "dist" / "bak", help="default: dist/bak")
    add("--quick", action="store_true", help="only what takes a few minutes in all")
    add("--only", nargs="+", action="extend", default=[], metavar="NAME",
        help="these checks: names, subjects, patterns; -- ends them")  # fmt: skip
    add("--list", action="store_true", help="name the checks and run none")
    add("--json", type=Path, metavar="FILE", help="also write what was seen to FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for, one check after the other."""
    asked = parse(arguments)
    try:
        checks = choose(all_checks(), asked.only, quick_only=asked.quick)
    except LookupError as error:
        return wrong(f"no check is named {error}; --list names them")
    if asked.list:
        say(report.listing(checks))
        return 0
    if not asked.file.is_file():
        return wrong(f"{asked.file} is missing; scripts/build makes it")

    signal.signal(signal.SIGTERM, _end)
    os.umask(0o022)
    lab = Lab(asked.file.resolve(), cache_folder(os.environ))
    proven = file_digest(lab.bak)
    say(f"{lab.bak}  sha256 {proven}")
    outcomes = []
    try:
        with lab.keeping:
            for check in checks:
                outcomes.append(run(check, lab))
                say(report.line(outcomes[-1]))
    except KeyboardInterrupt:
        return 130
    if file_digest(lab.bak) != proven:
        another = "another file took its place during the run: what was seen is of two files"
        outcomes.append(Outcome("the-file-itself", Verdict.FAILED, another, 0.0))
        say(report.line(outcomes[-1]))
    say(report.total(outcomes))
    if asked.json:
        asked.json.write_text(report.as_json(lab.bak, proven, outcomes))
    return exit_code(outcomes)


def say(text: str) -> None:
    """Tell the person at the terminal, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def wrong(text: str) -> int:
    """Say what is wrong with the command."""
    sys.stderr.write(f"verify-release: {text}\n")
    return USAGE


def _end(_number: int, _frame: FrameType | None) -> None:
    # Through every `finally` on the way: what was started is stopped, what was mounted goes.
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
