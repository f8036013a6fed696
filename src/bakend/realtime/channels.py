"""Channels: what clients subscribe to, and which types of events each of them covers.

`posts.created` is one type. `posts.*` covers every type that begins with `posts.`, at any depth. Other
names that keep to the form are taken, and cover nothing.
"""

from __future__ import annotations

import re
from typing import Final

LENGTH_MAX: Final = 200

_CHANNEL: Final = re.compile(r"[a-zA-Z0-9_-]+(?:\.[a-zA-Z0-9_*-]+)*")


def is_valid(channel: str) -> bool:
    """Tell whether a text has the form of a channel."""
    return len(channel) <= LENGTH_MAX and _CHANNEL.fullmatch(channel) is not None


def covering(kind: str) -> tuple[str, ...]:
    """Return every channel that covers a type: for `a.b.c` these are `a.b.c`, `a.b.*` and `a.*`."""
    found = [kind]
    head = kind
    while "." in head:
        head = head.rpartition(".")[0]
        found.append(f"{head}.*")
    return tuple(found)
