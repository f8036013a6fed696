"""`python -m bakend`, and the entry of `bak`."""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType


def _leave(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
    sys.exit(128 + number)  # only the first process of a container outlives that


# Before the long imports, which a Ctrl-C would end in a traceback, and which the first process of a
# container would go on with after a SIGTERM. A server puts handlers of its own in their place.
for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, _leave)

# Imports leave no garbage, and looking for it takes 5 % of a start; cli/main.py goes on with it.
gc.disable()

try:
    from bakend.cli.main import main
except ImportError as _error:
    # The one file has its packages compiled for the Python inside of it, and no other can read them.
    if "magic number" not in str(_error):
        raise
    print(  # noqa: T201
        f"bak: this file is not for Python {sys.version_info[0]}.{sys.version_info[1]}: run it by itself,"
        " without a Python, or download bakend-v….pyz",
        file=sys.stderr,
    )
    sys.exit(2)

signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on somebody catches it

if __name__ == "__main__":
    main()
