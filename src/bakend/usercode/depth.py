"""How many handlers may follow from each other."""

from __future__ import annotations

from typing import Final

from bakend.errors import UserCodeError

DEPTH_MAX: Final = 16
"""More is two that call each other for ever."""


def require_shallow(name: str, depth: int) -> None:
    """Refuse a change.

    Args:
        name: Of the handler that makes it.
        depth: How many handlers deep it is.

    Raises:
        UserCodeError: Too many have followed from one change.
    """
    if depth > DEPTH_MAX:
        raise UserCodeError(
            f"{name} is the {depth}th handler that follows from one change",
            hint="two of them seem to change what the other one reacts to",
        )
