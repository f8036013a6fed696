"""The database of a stopped server, read by the SQLite of the file itself."""

from __future__ import annotations

import json

from verify.hosts.host import Host
from verify.outcome import expect

PROGRAM = """
import json, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
whole = [row[0] for row in database.execute("PRAGMA integrity_check")]
notes = database.execute("SELECT count(*) FROM notes").fetchone()[0]
print(json.dumps([whole, notes]))
"""


def count_notes(host: Host, folder: str) -> int:
    """Return how many records a project has; fail the check unless its database is whole."""
    database = next(host.at(folder).rglob("*.db"), None)
    assert database is not None, "a started project has a database"
    place = host.inside(f"{folder}/{database.relative_to(host.at(folder))}")
    whole, notes = json.loads(host.must(host.inside(host.bak), "-I", "-c", PROGRAM, place))
    expect(whole == ["ok"], f"the database is not whole: {whole[:3]}")
    return int(notes)
