"""A backup that is to take the place of what a server serves: who asked for it, and how it went.

A restore needs the database alone, so the server ends first, and begins anew afterwards. This is what
outlives it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from bakend.errors import ConflictError
from bakend.events.event import Actor
from bakend.structs import Struct


class RestoreWish(Struct, kw_only=True):
    """A restore that an administrator asked for."""

    name: str
    path: Path
    data_only: bool
    actor: Actor


class Outcome(Struct, kw_only=True):
    """How a restore went."""

    wish: RestoreWish
    at: str
    """When it was through."""
    problem: str = ""
    """Why nothing was restored; empty where it was."""
    kept: tuple[Path, ...] = ()
    """Folders with the state before."""

    def as_json(self) -> dict[str, object]:
        """Return `{"name", "at", "ok", "message", "kept"}`; the message is null where it went well."""
        return {
            "name": self.wish.name,
            "at": self.at,
            "ok": not self.problem,
            "message": self.problem or None,
            "kept": [str(each) for each in self.kept],
        }


class Replacement:
    """At most one restore at a time. Thread: `done` on the main thread, the rest on any."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._untold: Outcome | None = None
        self.wish: RestoreWish | None = None
        """What is to be restored as soon as the server has ended."""
        self.outcome: Outcome | None = None
        """How the last one went, since this process began; None while one is about to begin."""

    def ask(self, look: Callable[[], RestoreWish]) -> None:
        """Note what is to be restored.

        Args:
            look: Returns it, once it is sure that it can be; may take long.

        Raises:
            ConflictError: One is about to be restored, or looked at.
        """
        if not self._asking.acquire(blocking=False):
            raise ConflictError("Another restore is being prepared")
        try:
            if self.wish is not None:
                raise ConflictError(f"A backup is about to be restored: {self.wish.name}")
            self.wish = look()
            self.outcome = None
        finally:
            self._asking.release()

    def done(self, outcome: Outcome) -> None:
        """Note how it went."""
        self.outcome = self._untold = outcome
        self.wish = None

    def take_untold(self) -> Outcome | None:
        """Return an outcome that was not asked for yet."""
        outcome, self._untold = self._untold, None
        return outcome
