"""What is configured: one typed table, filled from bakend.json, .env, environment and flags.

`table.py` has every setting with its default; `values.py` what a written value may look like;
`sources.py` reads files and variables; `load.py` merges them and reports every fault at once;
`secret.py` owns the signing secret; `show.py` says what holds and where it came from.
Nothing here reads `os.environ`, and only `ensure_secret` writes.
"""

from __future__ import annotations

from .load import NOBODYS, Loaded, Mode, load
from .secret import Secret, ensure_secret
from .table import LOCALHOST, Settings

__all__ = [
    "LOCALHOST",
    "NOBODYS",
    "Loaded",
    "Mode",
    "Secret",
    "Settings",
    "ensure_secret",
    "load",
]
