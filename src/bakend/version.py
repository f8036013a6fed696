"""The version of Bakend, its only place, and how this copy of it was built."""

from __future__ import annotations

import json
import pkgutil
from typing import Final

from bakend.structs import Struct

VERSION: Final = "0.1.0"


class Build(Struct, kw_only=True):
    """What the build wrote down; from source, nothing but that word."""

    commit: str = "source"
    """With `-dirty` at its end when files differed from it."""
    built_at: str = "source"
    """When the commit was made, ISO 8601 in UTC: the same inputs give the same bytes."""
    target: str = "source"
    """Such as `linux-x64`; `any` for the zipapp."""
    glibc: str | None = None
    """The oldest glibc that the executable runs on; None where it carries no interpreter."""


def build() -> Build:
    """Return how this copy was built, from `build.json` beside this module."""
    try:
        content = pkgutil.get_data("bakend", "build.json")
    except OSError:
        content = None
    if content is None:
        return Build()
    about = json.loads(content)
    return Build(
        commit=about["commit"],
        built_at=about["builtAt"],
        target=about["target"],
        glibc=about["glibc"],
    )
