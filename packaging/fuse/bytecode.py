"""Compiled modules that are never compared with a source: Python 3.13 takes them as they are.

Must run on the Python that the executable carries.
"""

from __future__ import annotations

import importlib.util
import marshal
from typing import Final

UNCHECKED_HASH: Final = (1).to_bytes(4, "little")
"""The header's flags: a hash instead of a time, and nobody looks at it."""

ROOT: Final = "/proc/self/exe"
"""What the names in tracebacks begin with. A relative name would show the lines of any file of that
name in the current folder."""


def compiled(source: bytes, name: str) -> bytes:
    """Return the .pyc of a module, by its path in the zip."""
    code = compile(source, f"{ROOT}/{name}", "exec", dont_inherit=True, optimize=0)
    return b"".join(
        (
            importlib.util.MAGIC_NUMBER,
            UNCHECKED_HASH,
            importlib.util.source_hash(source),
            marshal.dumps(code),
        )
    )
