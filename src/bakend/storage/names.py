"""Names of files as they were sent, made fit to be kept, shown and given back (pure)."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

NAME_MAX_BYTES: Final = 255
"""Of UTF-8: what the usual file systems take, so that whoever downloads a file can save it."""

EXTENSION_MAX_BYTES: Final = 32
"""What is longer behind the last dot is no extension, and is cut like the rest."""

UNNAMED: Final = "unnamed"

# Control characters, line separators, lone surrogates, and marks that turn the direction of writing:
# with those a name shows another extension than it has.
_UNWANTED: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SEPARATOR: Final = re.compile(r"[/\\]")


def clean_name(sent: str) -> str:
    """Return the name that a file is kept under; only ever a label, never a path of ours."""
    name = unicodedata.normalize("NFC", _UNWANTED.sub("", sent))
    name = _SEPARATOR.split(name)[-1].strip()
    if not name.strip(". "):
        return UNNAMED
    return _shortened(name)


def extension_of(name: str) -> str:
    """Return what stands behind the last dot, in lower case; empty where there is none."""
    stem, _dot, extension = name.rpartition(".")
    return extension.lower() if stem else ""


def _shortened(name: str) -> str:
    if len(name.encode()) <= NAME_MAX_BYTES:
        return name
    stem, _dot, extension = name.rpartition(".")
    kept = f".{extension}" if stem and len(extension.encode()) <= EXTENSION_MAX_BYTES else ""
    room = NAME_MAX_BYTES - len(kept.encode())
    cut = (stem if kept else name).encode()[:room].decode(errors="ignore")
    return f"{cut}{kept}".strip()
