"""How much a client may send and how many may be connected: plain decisions, no socket."""

from __future__ import annotations

import logging
import resource
from collections.abc import Mapping
from typing import Final

from bakend.paths import normal_path

DESCRIPTOR_RESERVE: Final = 256
"""Descriptors beside one per connection: three per database connection and thread, bodies and
answers that lie in temporary files, log files, refused connections that are still being read."""

_log = logging.getLogger("bakend.server")


class BodyLimits:
    """The largest body of a path: the longest prefix that matches, by whole segments, decides."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        """Take a table of path prefix to bytes; it must say what holds for `/`."""
        if "/" not in limits:
            raise ValueError('body limits need an entry for "/"')
        self._longest_first = sorted(
            ((_normal(prefix), limit) for prefix, limit in limits.items()),
            key=lambda entry: len(entry[0]),
            reverse=True,
        )

    def limit_of(self, path: str) -> int:
        """Return the bytes that a percent-decoded path takes."""
        asked = _normal(path)
        return next(limit for prefix, limit in self._longest_first if asked.startswith(prefix))


def _normal(path: str) -> str:
    """Return a path in normal form with a slash at its end, so that prefixes end at segments."""
    return normal_path(path).rstrip("/") + "/"


def size_text(size_bytes: int) -> str:
    """Write a size for a reader: `1 MiB`, `64 KiB`, `1000 bytes`."""
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size_bytes >= unit and size_bytes % unit == 0:
            return f"{size_bytes // unit} {name}"
    return f"{size_bytes} bytes"


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError) as failure:  # macOS names a hard limit that it refuses
            _log.info("the limit of open files stays at %d: %s", soft, failure)
        else:
            soft = hard
    return soft


def connections_for(wanted: int, descriptors: int) -> int:
    """Return how many connections so many descriptors carry; WARN when that is less than wanted.

    Args:
        wanted: The setting.
        descriptors: The limit of open files; negative when there is none.
    """
    if descriptors < 0 or wanted + DESCRIPTOR_RESERVE <= descriptors:
        return wanted
    possible = max(descriptors - DESCRIPTOR_RESERVE, descriptors // 4, 1)
    _log.warning(
        "only %d files may be open, so at most %d of %d connections are kept; raise the limit "
        "(ulimit -n, or LimitNOFILE= of systemd) to %d",
        descriptors,
        min(wanted, possible),
        wanted,
        wanted + DESCRIPTOR_RESERVE,
    )
    return min(wanted, possible)
