"""`python -m bakend`, and the entry of `bak`."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)  # as a shell tells it


# Before the long imports: as the first process of a container we would ignore a signal otherwise,
# and Ctrl-C would show a traceback. A server puts its own in their place.
for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, _leave)

from bakend.cli.main import main  # noqa: E402

if __name__ == "__main__":
    main()
