"""A database as the original leaves it: schema 3, with the orphans that it makes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

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
INSERT INTO _users VALUES ('usr_1', 'a@example.com', 'x', 'admin', '2026-01-01T00:00:00.000Z'),
    ('usr_2', 'b@example.com', 'x', 'authenticated', '2026-01-02T00:00:00.000Z');
INSERT INTO _sessions VALUES
    ('ses_1', 'usr_1', 'h1', '2027-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
    ('ses_2', 'usr_2', 'h2', '2027-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'),
    ('ses_3', 'usr_gone', 'h3', '2027-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z');
INSERT INTO _files VALUES
    ('fil_1', 'a.txt', 'text/plain', 1, 'public', 'usr_1', '2026-01-01T00:00:00.000Z'),
    ('fil_2', 'b.txt', 'text/plain', 2, 'protected', 'usr_gone', '2026-01-01T00:00:00.000Z');
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
    connection.executescript(TABLES)
    connection.execute("INSERT INTO _collections (name, definition) VALUES ('posts', ?)", (POSTS,))
    for number in range(records):
        at = f"2026-01-01T00:00:{number % 60:02}.000Z"
        connection.execute(
            ROW, (f"rec_{number}", at, at, f"Post {number}", number, "usr_1", "usr_2", f"s{number}")
        )
    connection.commit()
    connection.close()
