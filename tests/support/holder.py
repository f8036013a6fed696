"""A process that takes the write lock of a database, keeps it for a while, and does so again.

Run as `python holder.py DATABASE HOLD_S GAP_S`; it says `held` on stdout each time that it has the
lock, and goes on until it is killed.
"""

from __future__ import annotations

import sqlite3
import sys

from processes import CLOCK

TRY_S = 0.0005
"""It competes with a server that tries every 2 ms, and must win as often."""


def main(database: str, hold_s: str, gap_s: str) -> None:
    """Run the program."""
    connection = sqlite3.connect(database, timeout=0, isolation_level=None)
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            CLOCK.pause(TRY_S)
            continue
        connection.execute("CREATE TABLE IF NOT EXISTS by_another (number INTEGER)")
        connection.execute("INSERT INTO by_another VALUES (1)")
        sys.stdout.write("held\n")
        sys.stdout.flush()
        CLOCK.pause(float(hold_s))
        connection.execute("COMMIT")
        CLOCK.pause(float(gap_s))


if __name__ == "__main__":
    main(*sys.argv[1:])
