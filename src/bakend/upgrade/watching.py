"""Whether a restart goes well: until the new version answers, ends, or gives no sign of life."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from bakend.clock import Clock
from bakend.upgrade.service import Sight

LOOK_EVERY_S: Final = 0.1
PATIENCE_S: Final = 10.0
"""Without a sign of life for so long, a new version counts as hanging."""

PATIENCE_WITHOUT_SIGNS_S: Final = 60.0
"""The same, where a server cannot tell what it is doing: it may be migrating."""

Ask = Callable[[], tuple[Mapping[str, str], str | None]]
"""Asks `/health` once: the answer, and what is wrong with it."""


def wait_for_service(
    look: Callable[[], Sight],
    ask: Ask,
    *,
    version: str,
    before: str,
    clock: Clock,
    patience_s: float | None,
) -> str | None:
    """Wait for a unit that is being restarted; return what went wrong, None if it serves.

    The old process may take its time to end: systemd bounds that. From then on any change of what the
    unit or the process says of itself is a sign of life; a migration says every few seconds how long
    it has run.

    Args:
        look: Returns how the unit is.
        ask: Asks whether it is well.
        version: What has to answer.
        before: The start before this one.
        clock: Where time comes from.
        patience_s: So long may no sign come; None for what suits the unit.
    """
    mine, sign, since = "", None, clock.monotonic()
    while True:
        sight = look()
        is_old = sight.invocation == before
        if not mine and not is_old:
            mine = sight.invocation
        has_ended = sight.state == "failed" or sight.sub == "auto-restart"
        if mine and (has_ended or sight.invocation != mine):
            return f"it ended with exit code {sight.code}"
        if sight.sign != sign or (is_old and sight.pid):
            sign, since = sight.sign, clock.monotonic()
        problem = None
        if mine and sight.state == "active":
            answer, problem = ask()
            if problem is None and answer.get("version") == version:
                return None
            problem = problem or f"it answers as version {answer.get('version')}"
        limit = patience_s or (PATIENCE_S if sight.tells else PATIENCE_WITHOUT_SIGNS_S)
        if clock.monotonic() - since > limit:
            doing = f", at {sight.status!r}" if sight.status else ""
            return problem or f"it gave no sign of life for {limit:g} s{doing}"
        clock.pause(LOOK_EVERY_S)


def wait_for_answer(
    ask: Ask, *, version: str, clock: Clock, patience_s: float | None
) -> str | None:
    """Wait for a server of which nothing is known but its address; as `wait_for_service`."""
    limit = patience_s or PATIENCE_WITHOUT_SIGNS_S
    until = clock.monotonic() + limit
    while True:
        answer, problem = ask()
        if problem is None and answer.get("version") == version:
            return None
        if clock.monotonic() > until:
            problem = problem or f"version {answer.get('version')} still answers"
            return f"not within {limit:g} s: {problem}"
        clock.pause(LOOK_EVERY_S)
