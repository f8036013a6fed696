"""A restore that an administrator asked a server for: done by its process, once the server has ended."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bakend.app import App
from bakend.backups.replacement import Outcome, RestoreWish
from bakend.clock import Clock, to_text
from bakend.errors import BakendError

_log: Final = logging.getLogger("bakend.backups")


def restored(
    app: App, wish: RestoreWish, clock: Clock, *, is_stopped: Callable[[], bool]
) -> Outcome:
    """Put a backup in the place of a project, whose server is closed, and say how it went.

    Whatever goes wrong, the old state is in its place, and is what has to be served.

    Args:
        app: What served it, closed.
        wish: What is asked for.
        clock: Where time comes from.
        is_stopped: Asked now and then, before anything is replaced; True ends it.
    """
    _log.info("Restoring the backup %s", wish.name)
    problem = ""
    kept: tuple[Path, ...] = ()
    try:
        done = app.upkeep.restoring(wish.actor).run(
            wish.path, replaces=True, data_only=wish.data_only, is_stopped=is_stopped
        )
    except BakendError as error:
        problem = error.message
        _log.error("The backup %s was not restored: %s", wish.name, problem)
    except Exception:  # noqa: BLE001  whatever it is, the server has to come back
        problem = "Internal error; the log says more"
        _log.exception("The backup %s was not restored", wish.name)
    else:
        kept = done.kept
        _log.info("Restored the backup %s", wish.name)
        for folder in kept:
            _log.info("What was there before is in %s", folder)
    return Outcome(wish=wish, at=to_text(clock.now()), problem=problem, kept=kept)
