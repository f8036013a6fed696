"""The helper process that patterns run in which could take for ever.

Never imported by the server: it runs the source of this file, so that it needs no package of ours
and works from inside a zip. A request is a line of JSON, `[pattern, text]`, in UTF-8 that may hold
surrogates; the answer is `1` or `0`. Whoever runs out of time is ended by the system, without a word.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from typing import Final


def main() -> None:
    """Answer until the pipe closes; the first argument is how many seconds a check may compute."""
    limit_s: Final = float(sys.argv[1])
    sys.stdout.buffer.write(b"ready\n")
    sys.stdout.buffer.flush()
    for line in sys.stdin.buffer:
        # Not escaped: JSON would join two escaped surrogates, which the pattern wants apart.
        pattern, text = json.loads(line.decode("utf-8", "surrogatepass"))
        # Counts the time that this process computes, so that a busy machine changes no verdict. The
        # signal's own action ends the process, without asking an interpreter that is busy.
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        found = re.search(pattern, text, re.ASCII)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.buffer.write(b"0\n" if found is None else b"1\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
