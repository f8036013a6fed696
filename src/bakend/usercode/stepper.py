"""A thread that takes one step after another, and outlives a step that fails."""

from __future__ import annotations

import logging
import threading
from typing import Final

from bakend.clock import Clock
from bakend.errors import BakendError

LOOK_S: Final = 1.0
"""How long a commit or a request of another process may go unseen, and the pause after a failure."""


class Stepper:
    """What functions and jobs have in common: both are looked after by one thread of their own.

    Thread: `start`, `stop` on the main thread; `wake` on any; `step` and `pause_s` on its own, or on
    the caller where that thread was not started.
    """

    def __init__(self, clock: Clock, *, name: str, what: str) -> None:
        """Take the parts; nothing runs yet.

        Args:
            clock: Where time comes from.
            name: Of the thread.
            what: What waits while a step fails, for the log: `Functions`.
        """
        self._clock = clock
        self._what = what
        self._log = logging.getLogger(f"bakend.{what.lower()}")
        self._something = threading.Event()
        self._stopped = threading.Event()
        self._fails = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopped.set()
        self._something.set()
        if self._thread.is_alive():
            self._thread.join()

    def wake(self) -> None:
        """Say that there is something to do."""
        self._something.set()

    @property
    def is_stopping(self) -> bool:
        """Whether nothing more is to begin."""
        return self._stopped.is_set()

    def step(self) -> None:
        """Do what there is to do; called again and again."""
        raise NotImplementedError

    def pause_s(self) -> float:
        """Return how long to wait for something to do until the next step."""
        raise NotImplementedError

    def _run(self) -> None:
        while not self.is_stopping:
            self._something.clear()
            try:
                self.step()
            except Exception as error:  # noqa: BLE001  the thread has to outlive a full disk
                self._complain(error)
                self._clock.wait(self._stopped, LOOK_S)
                continue
            if self._fails:
                self._log.info("%s go on", self._what)
                self._fails = False
            if not self.is_stopping:
                self._clock.wait(self._something, self.pause_s())

    def _complain(self, error: Exception) -> None:
        if self._fails:
            return
        self._fails = True
        if isinstance(error, BakendError):
            hint = f" ({error.hint})" if error.hint else ""
            self._log.warning("%s wait, and will catch up: %s%s", self._what, error.message, hint)
        else:
            self._log.error("%s wait, and will try again", self._what, exc_info=error)
