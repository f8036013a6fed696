"""The settings of a running server: those that it was started with, and what was changed since."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from bakend.errors import ConflictError

from .load import Loaded
from .table import TABLE

_FIELDS: Final = {line.key: name for name, line in TABLE.items()}


class Configured:
    """What holds now. Thread: any; one change at a time."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._lock = threading.Lock()

    @property
    def loaded(self) -> Loaded:
        """The settings, and where each came from."""
        return self._loaded

    def change(
        self,
        values: Mapping[str, object],
        *,
        ready: Callable[[Mapping[str, tuple[object, object]]], None],
    ) -> Loaded:
        """Write settings into the config file, and let them hold from now on.

        Args:
            values: Key to value, as the table's kinds have parsed it; what holds already is left out.
            ready: Called once it is sure that they may be changed, and not if nothing is: takes key to
                the value before and the new one, as they stand in the file. What it raises ends it.

        Raises:
            ConflictError: Something that comes before the file says otherwise, or the file cannot be
                changed; nothing was.
            StorageFullError: There is no room to write it.
        """
        from .editing import change  # most servers never do

        with self._lock:
            loaded = self._loaded
            now = {key: getattr(loaded.settings, _FIELDS[key]) for key in values}
            wanted = {key: value for key, value in values.items() if value != now[key]}
            if not wanted:
                return loaded
            for key in wanted:
                self._require_free(key)
            lines = {key: TABLE[_FIELDS[key]] for key in wanted}
            shown = {key: line.kind.show(wanted[key]) for key, line in lines.items()}
            ready({key: (lines[key].kind.show(now[key]), shown[key]) for key in wanted})
            change(loaded.config, shown)
            self._loaded = loaded.replaced(
                settings=loaded.settings.replaced(
                    **{_FIELDS[key]: value for key, value in wanted.items()}
                ),
                sources=MappingProxyType(
                    {**loaded.sources, **dict.fromkeys(wanted, loaded.config.name)}
                ),
            )
            return self._loaded

    def _require_free(self, key: str) -> None:
        source = self._loaded.sources[key]
        if source not in ("default", self._loaded.config.name):
            variable = TABLE[_FIELDS[key]].variable
            where = f"{variable} in .env" if source == ".env" else source
            raise ConflictError(f"{key} is set by {where}, which comes before the config file")
