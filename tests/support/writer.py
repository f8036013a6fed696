"""A client in a process of its own that writes and keeps a journal of what was acknowledged.

Run as `python writer.py PORT JOURNAL NAME SEED`. For each line on its stdin it writes to the
collection `things` until the server is gone, says `down` on stdout, and waits for the next line.

The journal has a line for each request, written and flushed to the disk before the next request:

    ["ack", key, operation, value]    the server has said that it is done
    ["lost", key, operation, value]   no answer came: done or not, and the record is left alone
    ["bad", key, operation, answer]   any other answer

`key` is the record's own unique text, so that a create whose answer was lost can be found too.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from processes import Client

COLLECTION: Final[dict[str, Any]] = {
    "name": "things",
    "fields": [
        {"name": "key", "type": "string", "required": True, "unique": True},
        {"name": "value", "type": "integer", "required": True},
        {"name": "note", "type": "text"},
    ],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "public"),
}

Change = tuple[str, int | None]
"""Operation, and the value that it wrote: `("create", 1)`, `("delete", None)`."""


@dataclass(slots=True)
class Story:
    """What a writer knows about one record."""

    acknowledged: list[Change] = field(default_factory=list)
    """In order."""
    lost: Change | None = None
    """The last change, if its answer did not come."""


def read_journals(paths: Iterable[Path]) -> dict[str, Story]:
    """Return the story of each record, by its key; fail at an answer that should not have come."""
    stories: dict[str, Story] = {}
    for path in paths:
        for line in path.read_text().splitlines():
            word, key, operation, value = json.loads(line)
            story = stories.setdefault(key, Story())
            assert word in ("ack", "lost"), f"{operation} was answered with {value}"
            assert story.lost is None, f"{key} was touched after its lost {story.lost}"
            if word == "ack":
                story.acknowledged.append((operation, value))
            else:
                story.lost = (operation, value)
    return stories


class _Writer:
    def __init__(self, port: int, journal: int, name: str, seed: int) -> None:
        self._client = Client(port)
        self._journal = journal
        self._name = name
        self._random = random.Random(seed)
        self._count = 0
        self._ids: dict[str, str] = {}
        """Key to id of the records that are there for certain."""

    def write_until_down(self) -> None:
        while self._write():
            pass

    def _write(self) -> bool:
        """Send one request; False when no answer came."""
        self._count += 1
        operation = self._random.choices(("create", "update", "delete"), (50, 35, 15))[0]
        value: int | None = self._count
        if not self._ids or operation == "create":
            operation, key = "create", f"{self._name}-{self._count}"
            content = {"key": key, "value": value, "note": "n" * self._random.randrange(2_000)}
            request = ("POST", "/api/things", content)
        else:
            key = self._random.choice(list(self._ids))
            path = f"/api/things/{self._ids[key]}"
            if operation == "update":
                request = ("PUT", path, {"value": value})
            else:
                value = None
                request = ("DELETE", path, {})
        try:
            answer = self._client.request(*request)
        except (OSError, http.client.HTTPException):
            self._ids.pop(key, None)
            self._note("lost", key, operation, value)
            return False
        if answer.status not in (200, 201, 204):
            self._note("bad", key, operation, f"{answer.status} {answer.body!r}")
            return True
        self._note("ack", key, operation, value)
        if operation == "create":
            self._ids[key] = answer.json["id"]
        elif operation == "delete":
            del self._ids[key]
        return True

    def _note(self, *line: object) -> None:
        os.write(self._journal, f"{json.dumps(line)}\n".encode())
        os.fsync(self._journal)


def main(port: str, journal: str, name: str, seed: str) -> None:
    """Run the program."""
    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    writer = _Writer(int(port), descriptor, name, int(seed))
    for _line in sys.stdin:
        writer.write_until_down()
        sys.stdout.write("down\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
