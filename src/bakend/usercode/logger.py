"""What a handler says: `ctx.logger`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

LOG_LINES_MAX: Final = 200
LOG_LINE_MAX: Final = 1_000


class Logger:
    """Writes to the server's log, and keeps the lines for whoever looks at the run."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._log = logging.getLogger("bakend.functions")
        self.lines: list[str] = []

    def debug(self, message: object, *values: object) -> None:
        """Write a line for those who look for a fault."""
        self._write(logging.DEBUG, message, values)

    def info(self, message: object, *values: object) -> None:
        """Write what happened."""
        self._write(logging.INFO, message, values)

    def warning(self, message: object, *values: object) -> None:
        """Write what should be looked at."""
        self._write(logging.WARNING, message, values)

    warn = warning

    def error(self, message: object, *values: object) -> None:
        """Write what went wrong."""
        self._write(logging.ERROR, message, values)

    def exception(self, message: object, *values: object) -> None:
        """Write what went wrong, with the traceback of the exception that is being handled."""
        self._write(logging.ERROR, message, values, shows_trace=True)

    def _write(
        self, level: int, message: object, values: Sequence[object], *, shows_trace: bool = False
    ) -> None:
        text = str(message)
        try:
            text = text % tuple(values) if values else text
        except (TypeError, ValueError):
            text = f"{text} {values!r}"
        if len(self.lines) < LOG_LINES_MAX:
            word = logging.getLevelName(level).replace("WARNING", "WARN")
            self.lines.append(f"{word} {text[:LOG_LINE_MAX]}")
        self._log.log(level, "%s: %s", self._name, text, exc_info=shows_trace)
