"""A project of the original is served as it is."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pytest

from bakend.auth.bcrypt import matches_bcrypt
from bakend.database.migrations import NEWEST
from bakend.testing import temporary_project

import original
from processes import bak, make_project, running_server
from samples import LISTS

pytestmark = pytest.mark.e2e


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project that the original made and filled."""
    original.make_project(tmp_path)
    return tmp_path


def _execute(folder: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database:
        for each in statements:
            database.execute(each)
        database.commit()


def test_its_records_are_served(folder: Path) -> None:
    """Records written by the original are listed, read, changed and deleted; new ones are created."""
    with running_server(folder) as server, server.client() as client:
        listed = client.get("/api/posts").json["items"]
        assert [post["id"] for post in listed] == ["rec_2", "rec_1", "rec_0"]
        assert client.get("/api/posts/rec_1").json == {
            "id": "rec_1",
            "createdAt": "2026-01-01T00:00:01.000Z",
            "updatedAt": "2026-01-01T00:00:01.000Z",
            "title": "Post 1",
            "views": 1,
            "authorId": "usr_1",
            "user_id": "usr_2",
            "slug": "s1",
        }
        assert client.get("/api/notes/rec_note").json == {
            "id": "rec_note",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "updatedAt": "2026-01-02T00:00:00.000Z",
            "body": "Zoë 😀",
            "score": 2,
            "shown": True,
            "due": "2026-02-03",
            "extra": {"a": [1, 2.5, None]},
        }

        changed = client.put("/api/posts/rec_1", {"title": "Changed"})
        assert (changed.status, changed.json["title"], changed.json["slug"]) == (
            200,
            "Changed",
            "s1",
        )
        created = client.post("/api/posts", {"title": "New", "authorId": "usr_1", "slug": "new"})
        assert (created.status, created.json["authorId"]) == (201, "usr_1")
        again = client.post("/api/posts", {"title": "New", "slug": "s1"})
        assert (again.status, again.code) == (400, "validation_error")
        assert client.delete("/api/posts/rec_2").status == 204
        assert client.get("/api/posts/rec_2").status == 404

        comment = {"body": "First", "post": "rec_0"}
        assert client.post("/api/comments", comment).status == 201
        assert client.post("/api/comments", {**comment, "post": "rec_2"}).code == "validation_error"


def test_its_start_says_what_was_done_and_what_to_mend(folder: Path) -> None:
    """The published secret is warned about and replaced, the database copied and migrated, once."""
    with running_server(folder) as server:
        log = server.log

    assert "WARN auth.jwtSecret is a default/demo value that everybody knows" in log
    assert "dev-only-change-me" not in log
    assert (folder / ".bakend" / "jwt_secret").stat().st_mode & 0o777 == 0o600
    assert f"Database: migrated from schema 3 to {NEWEST}" in log
    assert 'Collection "comments": The collection is created' in log
    assert " ERROR " not in log
    assert "differs from its file" not in log
    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        assert database.execute("SELECT id FROM _users ORDER BY id").fetchall() == [
            ("usr_1",),
            ("usr_2",),
        ]
        assert database.execute("SELECT id FROM _sessions ORDER BY id").fetchall() == [
            ("ses_1",),
            ("ses_2",),
        ]
        assert database.execute("SELECT id, user_id FROM _files ORDER BY id").fetchall() == [
            (original.PUBLIC_FILE, "usr_1"),
            (original.PROTECTED_FILE, None),
        ]
    copies = list((folder / "backups").iterdir())
    assert [copy.name.split("-20")[0] for copy in copies] == [f"bakend-before-schema-{NEWEST}"]

    with running_server(folder) as server, server.client() as client:
        assert "migrated" not in server.log
        assert len(client.get("/api/posts").json["items"]) == 3


def test_its_files_and_database_agree(folder: Path) -> None:
    """`bak migrate` understands the project before its first start; the order of keys is no change."""
    assert bak(folder, "migrate", "status").stdout.splitlines() == [
        "comments\tfile_only",
        "notes\tsynced",
        "posts\tsynced",
    ]
    assert bak(folder, "migrate", "plan").stdout == "comments\tThe collection is created\n"


def test_production_refuses_its_published_secret(folder: Path) -> None:
    """In production the start ends with 78, and the database stays as the original left it."""
    before = (folder / "bakend.db").read_bytes()

    done = bak(folder, "start", "--port", "1", environ={"BAKEND_ENV": "production"})

    assert done.returncode == 78
    assert "auth.jwtSecret is a default/demo value" in done.stderr
    assert (folder / "bakend.db").read_bytes() == before


BREAKAGES = {
    "a definition that is no JSON": "UPDATE _collections SET definition = '{' WHERE name = 'posts'",
    "a definition that is none": "UPDATE _collections SET definition = '[1]' WHERE name = 'posts'",
    "a field named created_at": (
        "UPDATE _collections SET definition = "
        """'{"name":"posts","fields":[{"name":"created_at","type":"string"}]}'"""
        " WHERE name = 'posts'"
    ),
    "the definition of another": (
        "UPDATE _collections SET definition = replace(definition, 'posts', 'other')"
        " WHERE name = 'posts'"
    ),
    "a column that is gone": "ALTER TABLE posts DROP COLUMN views",
    "a system column that is gone": "ALTER TABLE posts RENAME COLUMN updated_at TO changed_at",
}


@pytest.mark.parametrize("statement", BREAKAGES.values(), ids=BREAKAGES)
@pytest.mark.parametrize(
    "has_file",
    [
        pytest.param(True, id="with its file"),
        pytest.param(False, id="without its file", marks=pytest.mark.slow),
    ],
)
def test_a_broken_collection_stops_nobody(folder: Path, statement: str, has_file: bool) -> None:
    """It is reported and answers 503; the others are served, and `bak migrate status` says why."""
    _execute(folder, statement)
    if not has_file:
        (folder / "collections" / "posts.json").unlink()

    with running_server(folder) as server, server.client() as client:
        assert 'ERROR Collection "posts" is broken and answers nothing' in server.log
        for method, path, content in (
            ("GET", "/api/posts", None),
            ("GET", "/api/posts/rec_1", None),
            ("POST", "/api/posts", {"title": "New"}),
            ("PUT", "/api/posts/rec_1", {"title": "New"}),
            ("DELETE", "/api/posts/rec_1", None),
        ):
            answer = client.request(method, path, content)
            assert (answer.status, answer.code) == (503, "unavailable"), method
            assert answer.headers["Retry-After"] is not None
        assert client.get("/api/notes/rec_note").status == 200
        assert client.post("/api/notes", {"body": "New"}).status == 201
        assert client.get("/health").status == 200

        status = bak(folder, "migrate", "status")
    rows = [line.split("\t") for line in status.stdout.splitlines()]
    words = {row[0]: row[1] for row in rows}
    assert (words["posts"], words["notes"]) == ("broken", "synced")
    assert next(row for row in rows if row[0] == "posts")[2]
    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database:
        assert database.execute("SELECT count(*) FROM posts").fetchone() == (3,)


def test_a_missing_table_is_made_again(folder: Path) -> None:
    """A collection whose table is gone gets an empty one, as with the original."""
    _execute(folder, "DROP TABLE posts")

    with running_server(folder) as server, server.client() as client:
        assert client.get("/api/posts").json == {"items": []}
        assert client.post("/api/posts", {"title": "New"}).status == 201


def test_a_file_that_differs_waits_for_its_command(folder: Path) -> None:
    """`start` keeps the database's definition and names plan and command; a running server follows."""
    posts = json.loads(original.POSTS)
    posts["fields"].append({"name": "summary", "type": "text"})
    (folder / "collections" / "posts.json").write_text(json.dumps(posts))

    with running_server(folder) as server, server.client() as client:
        assert (
            'WARN Collection "posts" differs from its file and stays as it is: Field "summary" (text)'
            " is added. Run `bak migrate apply` to change it"
        ) in server.log
        assert "summary" not in client.get("/api/posts/rec_1").json

        done = bak(folder, "migrate", "apply")

        assert (done.returncode, done.stdout) == (0, "updated posts\n")
        assert client.get("/api/posts/rec_1").json["summary"] is None
        assert client.put("/api/posts/rec_1", {"summary": "Short"}).json["summary"] == "Short"
        assert client.get("/api/posts/rec_1").json["authorId"] == "usr_1"


def test_a_file_that_would_lose_values_names_the_flag(folder: Path) -> None:
    """Where the plan deletes values, the warning's command says so."""
    posts = json.loads(original.POSTS)
    posts["fields"] = [field for field in posts["fields"] if field["name"] != "views"]
    (folder / "collections" / "posts.json").write_text(json.dumps(posts))

    with running_server(folder) as server, server.client() as client:
        assert "Run `bak migrate apply --destructive` to change it" in server.log
        assert client.get("/api/posts/rec_1").json["views"] == 1


def test_nothing_to_change_waits_for_nobody(tmp_path: Path) -> None:
    """A start that has nothing to write doesn't wait for another process that writes."""
    make_project(tmp_path, [LISTS], **{"database.busyTimeout": "1s"})
    with running_server(tmp_path):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "bakend.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        with running_server(tmp_path) as server, server.client() as client:
            assert client.get("/api/lists").json == {"items": []}


def test_its_users_come_in_by_session_and_by_password(folder: Path) -> None:
    """A refresh token of the original goes on; a password is verified by bcrypt, and hashed anew."""
    if matches_bcrypt(original.PASSWORD, original.BCRYPT) is None:
        pytest.skip("no bcrypt on this machine")
    login = {"email": "a@example.com", "password": original.PASSWORD}
    with running_server(folder) as server, server.client() as client:
        refreshed = client.post("/api/auth/refresh", {"refreshToken": original.REFRESH_TOKEN})
        assert refreshed.status == 200
        assert refreshed.json["user"]["id"] == "usr_1"
        bearer = {"Authorization": f"Bearer {refreshed.json['token']}"}
        assert client.request("GET", "/api/auth/me", headers=bearer).status == 200
        assert client.post("/api/auth/login", {**login, "password": "x"}).status == 401
        assert client.post("/api/auth/login", login).status == 200

    with contextlib.closing(sqlite3.connect(folder / "bakend.db")) as database:
        stored = database.execute("SELECT password_hash FROM _users WHERE id = 'usr_1'").fetchone()
    assert stored[0].startswith("scrypt$14$8$5$")
    with running_server(folder) as server, server.client() as client:
        assert client.post("/api/auth/login", login).status == 200


def test_without_bcrypt_the_log_names_the_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The user is told as for a wrong password; the operator is told what to do."""
    monkeypatch.setattr("bakend.auth.bcrypt._crypt", lambda: None)
    with temporary_project(folder=folder) as project:
        answer = project.client.post(
            "/api/auth/login", json={"email": "a@example.com", "password": original.PASSWORD}
        )

    assert answer.status_code == 401
    assert "bak users set-password" in caplog.text


def test_its_files_are_served(folder: Path) -> None:
    """Public ones to all; what a user who is gone had protected, to administrators."""
    with running_server(folder) as server, server.client() as client:
        public = client.get(f"/api/storage/{original.PUBLIC_FILE}")
        assert (public.status, public.body) == (200, b"a")
        assert public.headers["Content-Type"] == "text/plain"
        assert client.get(f"/api/storage/{original.PROTECTED_FILE}").status == 401
        refreshed = client.post("/api/auth/refresh", {"refreshToken": original.REFRESH_TOKEN})
        bearer = {"Authorization": f"Bearer {refreshed.json['token']}"}
        path = f"/api/storage/{original.PROTECTED_FILE}"
        protected = client.request("GET", path, headers=bearer)
        assert (protected.status, protected.body) == (200, b"bb")
