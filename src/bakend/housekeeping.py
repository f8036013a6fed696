"""What has to be done now and then: one thread that sleeps until the next thing is due."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from bakend.clock import Clock
from bakend.errors import BakendError
from bakend.structs import Struct

STOP_TIMEOUT_S = 5.0

_log = logging.getLogger("bakend.housekeeping")


class Chore(Struct, kw_only=True):
    """Something that is done again and again."""

    name: str
    every_s: float
    run: Callable[[], object]


class Housekeeper:
    """Does its chores, one after the other.

    Thread: `start` and `stop` on any; the chores run on `bakend-housekeeper`.
    """

    def __init__(self, chores: Sequence[Chore], *, clock: Clock) -> None:
        self._chores = chores
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bakend-housekeeper", daemon=True)

    def start(self) -> None:
        """Begin; each chore is done for the first time when its time has passed once."""
        self._thread.start()

    def stop(self) -> None:
        """End; a chore that runs is waited for."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT_S)
            if self._thread.is_alive():
                _log.warning("gave up on a chore that is still running")

    def _work(self) -> None:
        begun = self._clock.monotonic()
        due = {chore.name: begun + chore.every_s for chore in self._chores}
        while not self._stopped.is_set():
            now = self._clock.monotonic()
            for chore in self._chores:
                if due[chore.name] <= now:
                    self._do(chore)
                    due[chore.name] = self._clock.monotonic() + chore.every_s
            self._clock.wait(self._stopped, min(due.values()) - self._clock.monotonic())

    def _do(self, chore: Chore) -> None:
        try:
            chore.run()
        except BakendError as error:  # busy, disk full: the next time may be better
            _log.warning("%s failed and is tried again later: %s", chore.name, error.message)
        except Exception:  # noqa: BLE001  # logged; the other chores go on
            _log.exception("%s failed and is tried again later", chore.name)
