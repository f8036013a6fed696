"""What a file is, and whether a browser may show it (pure)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from bakend.storage.names import extension_of

UNKNOWN: Final = "application/octet-stream"

DECLARED_MAX: Final = 255
"""Characters of a type that a client may name."""

TYPES: Final = MappingProxyType(
    {
        # As the original has them, to the letter: stored types are compared by clients.
        "txt": "text/plain;charset=utf-8",
        "html": "text/html;charset=utf-8",
        "css": "text/css;charset=utf-8",
        "js": "text/javascript;charset=utf-8",
        "json": "application/json;charset=utf-8",
        "png": "image/png",
        "jpg": "image/jpeg",
        "webp": "image/webp",
        "svg": "image/svg+xml",
        "pdf": "application/pdf",
        "zip": "application/zip",
        "mp4": "video/mp4",
        "xml": "application/xml",
        "csv": "text/csv",
        "md": "text/markdown",
        # And what else people store.
        "htm": "text/html;charset=utf-8",
        "mjs": "text/javascript;charset=utf-8",
        "xhtml": "application/xhtml+xml",
        "wasm": "application/wasm",
        "jpeg": "image/jpeg",
        "gif": "image/gif",
        "avif": "image/avif",
        "bmp": "image/bmp",
        "ico": "image/x-icon",
        "tif": "image/tiff",
        "tiff": "image/tiff",
        "heic": "image/heic",
        "mp3": "audio/mpeg",
        "m4a": "audio/mp4",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "ogg": "audio/ogg",
        "opus": "audio/ogg",
        "webm": "video/webm",
        "mov": "video/quicktime",
        "mkv": "video/x-matroska",
        "ogv": "video/ogg",
        "gz": "application/gzip",
        "tar": "application/x-tar",
        "7z": "application/x-7z-compressed",
        "doc": "application/msword",
        "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "xls": "application/vnd.ms-excel",
        "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "ppt": "application/vnd.ms-powerpoint",
        "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "odt": "application/vnd.oasis.opendocument.text",
        "ods": "application/vnd.oasis.opendocument.spreadsheet",
        "epub": "application/epub+zip",
        "rtf": "application/rtf",
        "ttf": "font/ttf",
        "otf": "font/otf",
        "woff": "font/woff",
        "woff2": "font/woff2",
    }
)
"""Extension to type. Our own table: the one of `mimetypes` also reads what the machine has to say."""

PDF: Final = "application/pdf"

_SHOWN: Final = frozenset(
    {
        "text/plain",
        PDF,
        *("image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"),
        *("image/x-icon", "image/vnd.microsoft.icon", "image/tiff", "image/heic", "image/apng"),
    }
)
_TOKEN: Final = r"[A-Za-z0-9!#$&^_.+-]+"  # noqa: S105  # a word of a header
_WELL_FORMED: Final = re.compile(
    rf"{_TOKEN}/{_TOKEN}(?: *; *{_TOKEN}=(?:{_TOKEN}|\"[ -!#-\[\]-~]*\"))*"
)


def media_type(filename: str, declared: str) -> str:
    """Return the type of a file: by its extension, else what the client says, if that can be one.

    The extension comes first because clients say little: some name every file an octet-stream.
    """
    known = TYPES.get(extension_of(filename))
    if known is not None:
        return known
    declared = declared.strip()
    return declared if is_well_formed(declared) else UNKNOWN


def is_well_formed(kind: str) -> bool:
    """Tell whether a text can be a type."""
    return len(kind) <= DECLARED_MAX and _WELL_FORMED.fullmatch(kind) is not None


def sendable(stored: str) -> str:
    """Return a stored type that may stand in a header: what a database brings may be anything."""
    return stored if _WELL_FORMED.fullmatch(stored) is not None else UNKNOWN


def is_shown(stored: str) -> bool:
    """Tell whether a browser may show a file instead of saving it.

    Only what cannot run and is not marked up: HTML, SVG, XML or a script from our own origin could
    do whatever its reader may. What is not known is not shown.
    """
    kind = essence(stored)
    return kind in _SHOWN or kind.startswith(("audio/", "video/"))


def essence(stored: str) -> str:
    """Return a type without its parameters, in lower case."""
    return stored.partition(";")[0].strip().lower()
