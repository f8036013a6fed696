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

from bakend.cli.main import main  # noqa: E402

signal.signal(signal.SIGINT, signal.default_int_handler)  # from here on somebody catches it

if __name__ == "__main__":
    main()
