"""Backups for administrators."""

from __future__ import annotations

import pytest
from people import Ask, Person

from bakend.backups.verifying import verify
from bakend.testing import TestProject

from processes import wait_until

BACKUPS = "/api/admin/backups"


@pytest.fixture
def made(project: TestProject, ask: Ask) -> str:
    """The name of a backup that an administrator has made."""
    answer = ask("POST", BACKUPS)
    assert answer.status_code == 202
    assert answer.get_json()["status"] == "running"
    wait_until(lambda: project.app.upkeep.keeper().running is None, 30, what="it is made")
    wait_until(
        lambda: project.events()[-1].type == "system.backup.created", 30, what="the event is there"
    )
    return str(answer.get_json()["name"])


def test_what_is_made_is_listed(ask: Ask, made: str, project: TestProject) -> None:
    """With its size and time; it is whole."""
    answer = ask("GET", BACKUPS).get_json()

    (item,) = answer["items"]
    assert item["name"] == made
    assert set(item) == {"name", "size", "createdAt", "scheduled"}
    assert (answer["total"], answer["running"], answer["failed"]) == (1, None, None)
    assert verify(project.folder / "backups" / made).files == 0


def test_it_is_downloaded_whole_or_in_parts(
    ask: Ask, made: str, project: TestProject, admin: Person
) -> None:
    """As a file to be saved."""
    content = (project.folder / "backups" / made).read_bytes()

    whole = ask("GET", f"{BACKUPS}/{made}", buffered=True)
    part = project.client.get(
        f"{BACKUPS}/{made}", headers={"Range": "bytes=5-9", **admin.headers}, buffered=True
    )

    assert (whole.status_code, whole.data) == (200, content)
    assert whole.headers["Content-Disposition"] == f'attachment; filename="{made}"'
    assert whole.headers["Content-Type"] == "application/gzip"
    assert whole.headers["Cache-Control"] == "private, no-cache"
    assert (part.status_code, part.data) == (206, content[5:10])


def test_it_is_verified(ask: Ask, made: str, project: TestProject) -> None:
    """200 either way: the question was answered."""
    good = ask("POST", f"{BACKUPS}/{made}/verify")
    path = project.folder / "backups" / made
    path.write_bytes(path.read_bytes()[:-1])
    bad = ask("POST", f"{BACKUPS}/{made}/verify")

    assert (good.status_code, good.get_json()["ok"], good.get_json()["files"]) == (200, True, 0)
    assert (bad.status_code, bad.get_json()["ok"]) == (200, False)
    assert bad.get_json()["error"]


def test_it_is_deleted(ask: Ask, made: str) -> None:
    """And then is not found."""
    assert ask("DELETE", f"{BACKUPS}/{made}").status_code == 204
    for method, path in (("DELETE", ""), ("GET", ""), ("POST", "/verify")):
        answer = ask(method, f"{BACKUPS}/{made}{path}")
        assert answer.status_code == 404
        assert answer.get_json()["error"]["message"] == "Backup not found"


def test_all_of_it_is_in_the_audit(
    ask: Ask, made: str, project: TestProject, admin: Person
) -> None:
    """Who made, took and removed it."""
    ask("GET", f"{BACKUPS}/{made}", buffered=True)
    ask("HEAD", f"{BACKUPS}/{made}").close()
    ask("DELETE", f"{BACKUPS}/{made}")
    project.app.audit.catch_up()

    entries = project.app.audit.page(after=0, limit=100, actor=admin.id)

    assert [(each.type, each.subject) for each in entries if "backup" in each.type] == [
        ("system.backup.created", made),
        ("system.backup.downloaded", made),
        ("system.backup.deleted", made),
    ]


@pytest.mark.parametrize(
    "name", ["..%2F..%2Fbakend.db", "%2e%2e", "x.tar", "link.tar.gz", ".x.tar.gz", "x%00.tar.gz"]
)
def test_no_name_leads_elsewhere(ask: Ask, project: TestProject, name: str) -> None:
    """404, whatever is there."""
    folder = project.folder / "backups"
    folder.mkdir()
    (folder / "link.tar.gz").symlink_to(project.folder / "bakend.db")
    for method in ("GET", "DELETE"):
        assert ask(method, f"{BACKUPS}/{name}").status_code in (404, 405)
    assert (project.folder / "bakend.db").exists()


def test_nobody_else_may(ask: Ask, user: Person) -> None:
    """Before there is anything else to say."""
    for who, status in ((user, 403), (None, 401)):
        for method, path in (("GET", ""), ("POST", ""), ("POST", "/x/restore"), ("DELETE", "/x")):
            assert ask(method, BACKUPS + path, who=who).status_code == status


def test_only_a_server_that_comes_back_restores(ask: Ask, made: str) -> None:
    """Here nobody would serve again: the command is named, and nothing is done."""
    answer = ask("POST", f"{BACKUPS}/{made}/restore")

    assert answer.status_code == 409
    assert "bak backup restore" in answer.get_json()["error"]["message"]
    assert ask("GET", BACKUPS).get_json()["restore"] is None
