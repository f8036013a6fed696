"""The zip: the same entries give the same bytes, and Python imports from it in place."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Container, Mapping
from typing import Final

TIME: Final = (1980, 1, 1, 0, 0, 0)
"""Of every entry; when it was built stands in bak.json."""

FILE_MODE: Final = 0o100644
FOLDER_MODE: Final = 0o040755
MS_DOS_FOLDER: Final = 0x10
UNIX: Final = 3


def build(entries: Mapping[str, bytes], stored: Container[str]) -> bytes:
    """Return a zip with sorted entries and every folder on their way.

    Args:
        entries: Path to content.
        stored: Paths that are not compressed, since each start reads them.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for name in sorted({*entries, *folders(entries)}):
            info = zipfile.ZipInfo(name, TIME)
            info.create_system = UNIX
            if name.endswith("/"):
                # Without them, Python 3.13 finds no package that has no __init__.py.
                info.external_attr = FOLDER_MODE << 16 | MS_DOS_FOLDER
                file.writestr(info, b"")
                continue
            info.external_attr = FILE_MODE << 16
            info.compress_type = zipfile.ZIP_STORED if name in stored else zipfile.ZIP_DEFLATED
            file.writestr(info, entries[name], compresslevel=9)
    return out.getvalue()


def folders(names: Mapping[str, bytes]) -> set[str]:
    """Return every folder that a name lies in, with a slash at its end."""
    found: set[str] = set()
    for name in names:
        *parents, _ = name.split("/")
        for depth in range(1, len(parents) + 1):
            found.add("/".join(parents[:depth]) + "/")
    return found
