"""What the guides tell to type, so that it can be typed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from verify.outcome import Failed, expect

GUIDES: Final = Path(__file__).resolve().parents[3] / "docs" / "guide"

_BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(guide: str, language: str, *, below: str | None = None) -> list[str]:
    """Return the blocks of a language in a guide; the check fails if there are none.

    Args:
        below: Only those below this heading, up to the next one.
    """
    text = (GUIDES / guide).read_text()
    if below is not None:
        _, found, text = text.partition(f"\n{below}\n")
        if not found:
            raise Failed(f"{guide} has no heading {below!r}")
        text = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]
    contents = [content for kind, content in _BLOCK.findall(text) if kind == language]
    expect(contents, f"{guide} shows no {language} below {below!r}")
    return contents


def shell_blocks(guide: str, *, below: str | None = None) -> list[str]:
    """Return what a guide tells to type."""
    return blocks(guide, "sh", below=below)
