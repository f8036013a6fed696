"""The packages that the user's own Python needs: asked for, locked, installed, on the path.

`packages.txt` (what was asked for) and `packages.lock` (each version, with the hashes of all its
wheels, so that one lock serves every platform) lie beside `bakend.json` and belong into git. What
is installed from them is in `.bakend/site-packages` and belongs to one machine.
"""

from typing import Final

LOCK_FILE: Final = "packages.lock"
"""Here, so that a start without packages does not import what reads it."""
