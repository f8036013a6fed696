"""The helper process that patterns run in which could take for ever.

Never imported by the server: it runs the source of this file, so that it needs no package of ours
and works from inside a zip. A request is a line of JSON, `[pattern, text]`, in UTF-8 that may hold
surrogates; the answer is `1` or `0`.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from typing import Final

LAST_RESORT_S: Final = 5
"""The server kills us long before; this ends us when the server itself was killed in the middle."""


def main() -> None:
    """Answer until the pipe closes."""
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    for line in sys.stdin.buffer:
        # Not escaped: JSON would join two escaped surrogates, which the pattern wants apart.
        pattern, text = json.loads(line.decode("utf-8", "surrogatepass"))
        # The alarm's own action ends the process, without asking an interpreter that is busy.
        signal.setitimer(signal.ITIMER_REAL, LAST_RESORT_S)
        found = re.search(pattern, text, re.ASCII)
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.buffer.write(b"0\n" if found is None else b"1\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
