"""What can go wrong while fusing, in words for the person at the terminal."""

from __future__ import annotations


class FuseError(Exception):
    """Raised when the parts do not make an executable; its text says which part, and why."""
