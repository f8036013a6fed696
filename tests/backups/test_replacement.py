"""What a server is asked to restore."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakend.backups.replacement import Outcome, Replacement, RestoreWish
from bakend.errors import BackupError, ConflictError
from bakend.events.event import OPERATOR

WISH = RestoreWish(name="a.tar.gz", path=Path("a.tar.gz"), data_only=False, actor=OPERATOR)


def test_one_at_a_time() -> None:
    """Neither while one is looked at nor while it waits for the server's end; then the next one may."""
    replacement = Replacement()

    def look() -> RestoreWish:
        with pytest.raises(ConflictError, match="being prepared"):
            replacement.ask(lambda: WISH)
        return WISH

    replacement.ask(look)
    with pytest.raises(ConflictError, match=r"a\.tar\.gz"):
        replacement.ask(lambda: WISH)
    replacement.done(Outcome(wish=WISH, at="2026-01-01T00:00:00.000Z"))
    replacement.ask(lambda: WISH)

    assert replacement.outcome is None  # that of the one before would be taken for its own


def test_what_is_refused_is_not_wished_for() -> None:
    """The next one may be asked for at once."""
    replacement = Replacement()

    def refuse() -> RestoreWish:
        raise BackupError("no")

    with pytest.raises(BackupError):
        replacement.ask(refuse)

    assert replacement.wish is None
    replacement.ask(lambda: WISH)


def test_an_outcome_is_told_once() -> None:
    """And shown as long as there is no other."""
    replacement = Replacement()
    replacement.ask(lambda: WISH)
    outcome = Outcome(wish=WISH, at="2026-01-01T00:00:00.000Z", problem="no")
    replacement.done(outcome)

    assert replacement.take_untold() is outcome
    assert replacement.take_untold() is None
    assert outcome.as_json() == {
        "name": "a.tar.gz",
        "at": "2026-01-01T00:00:00.000Z",
        "ok": False,
        "message": "no",
        "kept": [],
    }
