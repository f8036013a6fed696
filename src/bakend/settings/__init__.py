"""What is configured: one typed table, filled from bakend.json, .env, environment and flags.

`table.py` has every setting with its default; `values.py` what a written value may look like;
`sources.py` reads files and variables; `load.py` merges them and reports every fault at once;
`secret.py` owns the signing secret; `show.py` says what holds and where it came from.
`configured.py` has what holds while a server runs, and `editing.py` writes what is changed there into
the config file. Nothing here reads `os.environ`; only that and `ensure_secret` write.
"""

from __future__ import annotations

from .configured import Configured
from .load import NOBODYS, Loaded, Mode, load
from .secret import Secret, ensure_secret
from .table import LOCALHOST, Settings

__all__ = [
    "LOCALHOST",
    "NOBODYS",
    "Configured",
    "Loaded",
    "Mode",
    "Secret",
    "Settings",
    "ensure_secret",
    "load",
]
