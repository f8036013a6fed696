"""`bak users`: accounts from the command line of the host."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakend.testing import PASSWORD, temporary_project

from terminal import Terminal

ADA = "ada@example.com"


@pytest.fixture
def folder(bak: Terminal, tmp_path: Path) -> Path:
    """A new project, with a file that holds a password."""
    bak("init")
    (tmp_path / "password.txt").write_text(f"{PASSWORD}\n")
    return tmp_path


def create(bak: Terminal, email: str = ADA, *more: str) -> str:
    result = bak("users", "create", email, "--password-file", "password.txt", *more)
    assert result.code == 0, result.err
    return result.out


def test_an_account_is_made_listed_changed_and_deleted(bak: Terminal, folder: Path) -> None:
    """Each command says what it did, with address, role and id."""
    create(bak, "root@example.com", "--role", "admin")
    made = create(bak)
    user_id = made.split()[-1]

    assert made == f"created {ADA} (authenticated) {user_id}\n"
    assert user_id.startswith("usr_")
    (line, _root) = bak("users", "list").lines
    assert line.split("\t")[:3] == [user_id, ADA, "authenticated"]
    assert bak("users", "set-role", ADA, "public").out == f"changed {ADA} (public) {user_id}\n"
    assert bak("users", "delete", ADA, "--yes").out == f"deleted {ADA} (public) {user_id}\n"
    assert len(bak("users", "list").lines) == 1


def test_a_password_is_given_anew(bak: Terminal, folder: Path) -> None:
    """Whoever has lost it logs in with the new one."""
    create(bak)
    (folder / "password.txt").write_text("another password\r\nnot this line\n")

    assert bak("users", "set-password", ADA.upper(), "--password-file", "password.txt").code == 0

    with temporary_project(folder=folder) as project:
        for password, status in ((PASSWORD, 401), ("another password", 200)):
            body = {"email": ADA, "password": password}
            assert project.client.post("/api/auth/login", json=body).status_code == status


def test_json_is_what_the_api_shows(bak: Terminal, folder: Path) -> None:
    """For scripts."""
    result = bak("users", "create", ADA, "--password-file", "password.txt", "--json")

    assert result.json == bak("users", "list", "--json").json["items"][0]
    assert set(result.json) == {"id", "email", "role", "createdAt"}
    assert bak("users", "list", "--json").json["total"] == 1
    assert bak("users", "list", "--search", "nobody", "--json").json == {"items": [], "total": 0}


def test_a_long_list_is_cut_and_says_so(bak: Terminal, folder: Path) -> None:
    """Results on stdout, the rest on stderr."""
    for number in range(3):
        create(bak, f"user{number}@example.com")

    result = bak("users", "list", "--limit", "2")

    assert len(result.lines) == 2
    assert result.err == "1 more: --limit or --search\n"


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("create", "ada", "--password-file", "password.txt"), 1, "Invalid email address"),
        (("create", "x@y.z", "--password-file", "short.txt"), 1, "at least 8 characters"),
        (("create", ADA, "--password-file", "password.txt"), 1, "already registered"),
        (("create", "x@y.z", "--password-file", "none.txt"), 2, "none.txt"),
        (("create", "x@y.z", "--role", "king"), 2, "king"),
        (("create", "x@y.z"), 2, "--password-file"),
        (("set-role", "no@example.com", "admin"), 1, "No user has the address no@example.com"),
        (("set-role", ADA, "public"), 1, "last administrator"),
        (("delete", ADA, "--yes"), 1, "last administrator"),
        (("delete", ADA), 2, "--yes"),
    ],
)
def test_what_cannot_be_done_is_said(
    bak: Terminal, folder: Path, args: tuple[str, ...], code: int, message: str
) -> None:
    """A sentence on stderr, an exit code, and nothing changed."""
    (folder / "short.txt").write_text("short")
    create(bak, ADA, "--role", "admin")
    before = bak("users", "list").out

    result = bak("users", *args)

    assert (result.code, result.out) == (code, "")
    assert message in result.err
    assert bak("users", "list").out == before


def test_looking_makes_no_database(bak: Terminal, folder: Path) -> None:
    """A project that never ran has no users, and no file comes of asking."""
    assert bak("users", "list").out == "No users found.\n"
    assert not (folder / "bakend.db").exists()


def test_the_audit_can_tell_the_command_line(bak: Terminal, folder: Path) -> None:
    """What is done there is done with an administrator's rights, by no user."""
    create(bak)

    with temporary_project(folder=folder) as project:
        (event,) = project.events()
    assert (event.type, event.actor, event.by_admin) == ("auth.register", None, True)
