"""What the original leaves: a database of schema 3 with the orphans that it makes, and a project."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any, Final

PASSWORD: Final = "U*U"
BCRYPT: Final = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
"""Of `usr_1`, from the tests of crypt_blowfish, which is in the public domain."""
REFRESH_TOKEN: Final = "rt_5f0f2f6e-2a5e-4b57-9d0d-3f7c0a1b2c3d00112233445566778899aabbccddeeff"
"""Of `ses_1`, which is one of `usr_1`."""

PUBLIC_FILE: Final = "fil_0f6c2f4e-9f43-4c39-8a53-0d9d5c1f1b01"
PROTECTED_FILE: Final = "fil_0f6c2f4e-9f43-4c39-8a53-0d9d5c1f1b02"
"""Of a user who is gone."""

TABLES: Final = """
CREATE TABLE _bakend_meta (key TEXT PRIMARY KEY, value TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (datetime('now')));
CREATE TABLE _collections (name TEXT PRIMARY KEY, definition TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at TEXT NOT NULL DEFAULT (datetime('now')));
CREATE TABLE _users (id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, password_hash TEXT NOT NULL,
    role TEXT NOT NULL DEFAULT 'authenticated', created_at TEXT NOT NULL);
CREATE TABLE _sessions (id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES _users(id) ON DELETE CASCADE,
    refresh_token_hash TEXT NOT NULL UNIQUE, expires_at TEXT NOT NULL, created_at TEXT NOT NULL);
CREATE TABLE _files (id TEXT PRIMARY KEY, filename TEXT NOT NULL, mime_type TEXT NOT NULL,
    size INTEGER NOT NULL, visibility TEXT NOT NULL CHECK (visibility IN ('public', 'protected')),
    user_id TEXT NOT NULL REFERENCES _users(id) ON DELETE CASCADE, created_at TEXT NOT NULL);
CREATE TABLE "posts" (id TEXT PRIMARY KEY, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    "title" TEXT NOT NULL, "views" INTEGER, "author_id" TEXT, "user_id" TEXT, "slug" TEXT UNIQUE);
CREATE INDEX "idx_posts_author_id" ON "posts" ("author_id");
INSERT INTO _bakend_meta (key, value) VALUES ('schema_version', '3');
INSERT INTO _users VALUES
    ('usr_1', 'a@example.com', '{bcrypt}', 'admin', '2026-01-01T00:00:00.000Z'),
    ('usr_2', 'b@example.com', 'x', 'authenticated', '2026-01-02T00:00:00.000Z');
INSERT INTO _sessions VALUES
    ('ses_1', 'usr_1', '{token}', '2027-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
    ('ses_2', 'usr_2', 'h2', '2027-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
    ('ses_3', 'usr_gone', 'h3', '2027-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
INSERT INTO _files VALUES
    ('{public}', 'a.txt', 'text/plain', 1, 'public', 'usr_1', '2026-01-01T00:00:00.000Z'),
    ('{protected}', 'b.txt', 'text/plain', 2, 'protected', 'usr_gone', '2026-01-01T00:00:00.000Z');
"""

POSTS: Final = (
    '{"name":"posts","fields":[{"name":"title","type":"string","required":true},'
    '{"name":"views","type":"integer"},'
    '{"name":"authorId","type":"relation","collection":"users"},'
    '{"name":"user_id","type":"string"},{"name":"slug","type":"string","unique":true}]}'
)
"""Written by an early original, which turned `authorId` into a column `author_id`."""

ROW: Final = """
INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


def make(path: Path, *, records: int = 3) -> None:
    """Write such a database with some records."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    token = hashlib.sha256(REFRESH_TOKEN.encode()).hexdigest()
    values = {"bcrypt": BCRYPT, "token": token, "public": PUBLIC_FILE, "protected": PROTECTED_FILE}
    connection.executescript(TABLES.format(**values))
    connection.execute("INSERT INTO _collections (name, definition) VALUES ('posts', ?)", (POSTS,))
    for number in range(records):
        at = f"2026-01-01T00:00:{number % 60:02}.000Z"
        connection.execute(
            ROW, (f"rec_{number}", at, at, f"Post {number}", number, "usr_1", "usr_2", f"s{number}")
        )
    connection.commit()
    connection.close()


CONFIG: Final = """{
  "port": 8080,
  "database": "./bakend.db",
  "storage": "./storage",
  "logLevel": "INFO",
  "auth": {
    "jwtSecret": "dev-only-change-me",
    "accessTokenTtl": "15m",
    "refreshTokenTtl": "7d"
  }
}
"""

EVERYONE: Final = dict.fromkeys(("create", "read", "update", "delete"), "public")

NOTES: Final[dict[str, Any]] = {
    "name": "notes",
    "fields": [
        {"name": "body", "type": "text", "required": True},
        {"name": "score", "type": "float"},
        {"name": "shown", "type": "boolean"},
        {"name": "due", "type": "datetime"},
        {"name": "extra", "type": "json"},
    ],
    "permissions": EVERYONE,
}
"""In the database, and in a file with its keys in another order: the original would not start."""

COMMENTS: Final[dict[str, Any]] = {
    "name": "comments",
    "fields": [
        {"name": "body", "type": "text", "required": True},
        {"name": "post", "type": "relation", "collection": "posts"},
    ],
    "permissions": EVERYONE,
}
"""In a file only, which sorts before that of its relation's target: the original would not start."""

NOTES_TABLE: Final = """
CREATE TABLE "notes" (id TEXT PRIMARY KEY, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    "body" TEXT NOT NULL, "score" REAL, "shown" INTEGER, "due" TEXT, "extra" TEXT);
INSERT INTO notes VALUES ('rec_note', '2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z',
    'Zoë 😀', 2.0, 1, '2026-02-03', '{"a":[1,2.5,null]}');
"""

HANDLER: Final = "export default async function ({ event }) { console.log(event.type); }\n"


def make_project(folder: Path, *, records: int = 3) -> None:
    """Write a whole project into an empty folder: config, definitions, code and database."""
    make(folder / "bakend.db", records=records)
    connection = sqlite3.connect(folder / "bakend.db")
    connection.executescript(NOTES_TABLE)
    connection.execute(
        "INSERT INTO _collections (name, definition) VALUES ('notes', ?)",
        (json.dumps(NOTES, separators=(",", ":")),),
    )
    connection.commit()
    connection.close()
    (folder / "bakend.json").write_text(CONFIG)
    (folder / ".gitignore").write_text("bakend.db\nstorage/\n.bakend-cache/\n.DS_Store\n")
    for name in ("collections", "functions", "jobs", "storage/files"):
        (folder / name).mkdir(parents=True)
    for file_id, content in ((PUBLIC_FILE, b"a"), (PROTECTED_FILE, b"bb")):
        (folder / "storage" / "files" / file_id).write_bytes(content)
    reordered = dict(reversed(NOTES.items()))
    for name, text in (
        ("posts", POSTS),
        ("notes", json.dumps(reordered, indent=2)),
        ("comments", json.dumps(COMMENTS, indent=2)),
    ):
        (folder / "collections" / f"{name}.json").write_text(text)
    (folder / "functions" / "posts.created.ts").write_text(HANDLER)
    (folder / "jobs" / "cleanup.ts").write_text(f'export const schedule = "0 * * * *";\n{HANDLER}')
