"""Looks for changed files, and tells once it is quiet again.

An editor saves in several steps, and a pull changes many files at once; what is read in between is
half a change. So files are looked at again until two looks see the same. Polling instead of the
kernel's notices: it works the same on every system and on mounted folders, and a project has tens
of files.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bakend.clock import Clock

LOOK_EVERY_S: Final = 0.5
"""Between two looks; a saved file takes effect within two of them."""

_log = logging.getLogger("bakend.watcher")

_Seen = dict[Path, tuple[int, int]]


class Watcher:
    """A thread that looks at the files of one folder.

    Thread: `start` and `stop` on any; `changed` is called on `bakend-watcher`.
    """

    def __init__(
        self, folder: Path, pattern: str, changed: Callable[[], None], *, clock: Clock
    ) -> None:
        """Say what to look at.

        Args:
            folder: May be missing, and come and go.
            pattern: Which files in it, as a glob.
            changed: Called after a change; what it raises is logged, and the watch goes on.
            clock: Where time comes from.
        """
        self._folder = folder
        self._pattern = pattern
        self._changed = changed
        self._clock = clock
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bakend-watcher", daemon=True)
        self._known: _Seen = {}

    def start(self) -> None:
        """Take what is there now as known, and begin to look."""
        self._known = self._look()
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a call of `changed` that runs is waited for."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pending: _Seen | None = None
        while not self._clock.wait(self._stopped, LOOK_EVERY_S):
            seen = self._look()
            if seen == self._known:
                pending = None
            elif seen != pending:
                pending = seen
            else:
                self._known, pending = seen, None
                try:
                    self._changed()
                except Exception:  # noqa: BLE001  one bad change must not end the watch
                    _log.exception("A change in %s could not be taken in", self._folder)

    def _look(self) -> _Seen:
        """Return each file with its time and size."""
        seen: _Seen = {}
        for path in self._folder.glob(self._pattern):
            try:
                status = path.stat()
            except OSError:
                continue  # gone since the listing
            seen[path] = (status.st_mtime_ns, status.st_size)
        return seen
