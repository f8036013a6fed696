"""A project that somebody has worked with for a while: something of everything the dashboard shows."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from screens import PASSWORD, Screen

import forms
from processes import Client, wait_until

AUTHORS: Final[dict[str, Any]] = {
    "name": "authors",
    "fields": [
        {"name": "name", "type": "string", "required": True, "unique": True, "max": 80},
        {"name": "born", "type": "integer", "min": 0, "max": 2100},
    ],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "authenticated"),
}

BOOKS: Final[dict[str, Any]] = {
    "name": "books",
    "fields": [
        {"name": "title", "type": "string", "required": True, "min": 1, "max": 120},
        {"name": "author", "type": "relation", "collection": "authors"},
        {"name": "about", "type": "text", "max": 2000},
        {"name": "pages", "type": "integer", "min": 1},
        {"name": "price", "type": "float", "min": 0},
        {"name": "in_print", "type": "boolean"},
        {"name": "published", "type": "datetime"},
        {"name": "words", "type": "json"},
        {"name": "cover", "type": "file"},
    ],
    "permissions": {
        "create": "authenticated",
        "read": "public",
        "update": "owner",
        "delete": "admin",
    },
}

FUNCTIONS: Final[Mapping[str, str]] = {
    "functions/broken.py": "x = (\n",
    "functions/shelf.py": (
        "from bakend import before_create, on_create, route\n\n\n"
        "@before_create('books')\n"
        "def tidy(ctx):\n"
        "    ctx.record['title'] = ctx.record['title'].strip()\n\n\n"
        "@on_create('books', attempts=1)\n"
        "def announce(ctx):\n"
        "    ctx.logger.info('announcing %s', ctx.record['title'])\n"
        "    if ctx.record['pages'] > 1000:\n"
        "        raise ValueError(f\"{ctx.record['title']} does not fit on the shelf\")\n\n\n"
        "@route('GET', '/shelf/<name>')\n"
        "def shelf(ctx, name):\n"
        "    return {'shelf': name}\n"
    ),
}

JOBS: Final[Mapping[str, str]] = {
    "jobs/nightly.py": (
        "schedule = '30 3 * * *'\ntimezone = 'Europe/Berlin'\n\n\n"
        "def run(ctx):\n    ctx.logger.info('counted the books')\n"
    ),
    "jobs/often.py": (
        "schedule = '*/5 * * * *'\nattempts = 1\n\n\n"
        "def run(ctx):\n    raise RuntimeError('the printer is out of paper')\n"
    ),
}

TITLES: Final[Sequence[tuple[str, str, int, float]]] = (
    ("A Room of One's Own", "Virginia Woolf", 172, 9.5),
    ("The Waves", "Virginia Woolf", 324, 12),
    ("Middlemarch", "George Eliot", 880, 14.25),
    ("Infinite Jest", "David Foster Wallace", 1079, 18.9),
    ("Beloved", "Toni Morrison", 324, 11),
    ("The Left Hand of Darkness", "Ursula K. Le Guin", 304, 10.4),
    ("Austerlitz", "W. G. Sebald", 416, 13),
    ("Season of Migration to the North", "Tayeb Salih", 139, 8.75),
)

USERS: Final = ("mary@example.com", "ursula@example.com", "toni@example.com")


def live_in(screen: Screen) -> None:
    """Fill a project of these collections, functions and jobs, through its API, as an administrator."""
    with screen.server.client() as client:
        login = client.post("/api/auth/login", {"email": "ada@example.com", "password": PASSWORD})
        who = {"Authorization": f"Bearer {login.json['token']}"}

        def make(path: str, content: object) -> Any:
            answer = client.request("POST", path, content, who)
            assert answer.status < 300, answer.body
            return answer.json

        for email in USERS:
            make("/api/admin/users", {"email": email, "password": PASSWORD})
        covers = [_upload(client, who, f"cover-{n}.png", picture(n)) for n in range(3)]
        _upload(client, who, "a list of everything that is still to be read.txt", b"Ulysses\n")
        authors = {
            name: make("/api/authors", {"name": name, "born": 1900 + number})["id"]
            for number, name in enumerate(dict.fromkeys(each[1] for each in TITLES))
        }
        for number, (title, author, pages, price) in enumerate(TITLES):
            book = {
                "title": title,
                "author": authors[author],
                "about": f"{title}, by {author}. " * (1 + number % 4),
                "pages": pages,
                "price": price,
                "in_print": number % 3 != 0,
                "published": f"{1920 + 9 * number}-0{1 + number % 9}-14T09:30:00Z",
                "words": {"language": "en", "words": [pages * 300, "about"]},
                "cover": covers[number % len(covers)] if number % 2 == 0 else "",
            }
            make("/api/books", book)
        for job in ("nightly", "often"):
            make(f"/api/admin/jobs/{job}/run", None)
        make("/api/admin/backups", None)

    for path in ("backups", "functions/runs?status=failed", "jobs/often/runs?status=failed"):
        _wait_for_items(screen, f"/api/admin/{path}")


def _wait_for_items(screen: Screen, path: str) -> None:
    wait_until(lambda: screen.ask("GET", path)["items"], 30, what=path)


def picture(number: int, width: int = 90, height: int = 120) -> bytes:
    """Return a PNG: a cover with stripes, another one for each number."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    colours = [bytes((40 + 60 * number % 200, 90, 160)), bytes((235, 225, 200 - 40 * number % 90))]
    rows = b"".join(b"\0" + colours[(row // 15) % 2] * width for row in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"IDAT", zlib.compress(rows)),
            chunk(b"IEND", b""),
        )
    )


def _upload(client: Client, who: Mapping[str, str], filename: str, content: bytes) -> str:
    answer = client.send(
        "POST",
        forms.UPLOAD,
        forms.form(content, filename=filename),
        {**who, "Content-Type": forms.CONTENT_TYPE},
    )
    assert answer.status == 201, answer.body
    return str(json.loads(answer.body)["id"])
