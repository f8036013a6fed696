"""Backups for administrators."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta

import pytest
from people import Ask, Person

from bakend.backups.verifying import verify
from bakend.testing import TestProject

from processes import CLOCK, wait_until

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
        for method, path in (
            ("GET", ""),
            ("POST", ""),
            ("POST", "/x/restore"),
            ("PUT", "/schedule"),
            ("DELETE", "/x"),
        ):
            assert ask(method, BACKUPS + path, who=who).status_code == status


def test_only_a_server_that_comes_back_restores(ask: Ask, made: str) -> None:
    """Here nobody would serve again: the command is named, and nothing is done."""
    answer = ask("POST", f"{BACKUPS}/{made}/restore")

    assert answer.status_code == 409
    assert "bak backup restore" in answer.get_json()["error"]["message"]
    assert ask("GET", BACKUPS).get_json()["restore"] is None


SCHEDULE = f"{BACKUPS}/schedule"


def plan_of(ask: Ask) -> dict[str, object]:
    plan: dict[str, object] = ask("GET", BACKUPS).get_json()["schedule"]
    return plan


def test_a_schedule_is_written_and_followed(ask: Ask, project: TestProject, admin: Person) -> None:
    """At once, in the file, in the settings, and in the audit with what it was before."""
    (project.folder / "bakend.json").write_text('{"title": "x"}')
    before = plan_of(ask)

    answer = ask("PUT", SCHEDULE, json={"schedule": " 0 3 * * * ", "keep": 14})

    nothing = {"schedule": None, "keep": 7, "next": None}
    assert before == {**nothing, "source": "default", "keepSource": "default"}
    assert answer.status_code == 200
    assert answer.get_json() == plan_of(ask)
    plan = plan_of(ask)
    assert (plan["schedule"], plan["keep"], plan["source"]) == ("0 3 * * *", 14, "bakend.json")
    due = datetime.fromisoformat(str(plan["next"])).astimezone()
    assert (due.hour, due.minute) == (3, 0)
    assert timedelta() < due - CLOCK.now() <= timedelta(hours=25)
    assert json.loads((project.folder / "bakend.json").read_text()) == {
        "title": "x",
        "backup": {"schedule": "0 3 * * *", "keep": 14},
    }
    shown = {row["key"]: row for row in ask("GET", "/api/admin/settings").get_json()["settings"]}
    assert shown["backup.schedule"]["value"] == "0 3 * * *"
    assert shown["backup.schedule"]["source"] == "bakend.json"
    project.app.audit.catch_up()
    (entry,) = [
        each
        for each in project.app.audit.page(after=0, limit=100, actor=admin.id)
        if each.type == "system.settings.updated"
    ]
    assert entry.detail == {"changes": ["backup.schedule: off → 0 3 * * *", "backup.keep: 7 → 14"]}


def test_a_schedule_is_ended_and_the_rest_stays(ask: Ask, project: TestProject) -> None:
    """`null` is off; what is left out is as it was; what holds already is no change."""
    ask("PUT", SCHEDULE, json={"schedule": "@daily", "keep": 3})
    ask("PUT", SCHEDULE, json={"schedule": "@daily"})
    answer = ask("PUT", SCHEDULE, json={"schedule": None})

    plan = answer.get_json()
    assert (plan["schedule"], plan["keep"], plan["next"]) == (None, 3, None)
    written = json.loads((project.folder / "bakend.json").read_text())
    assert written == {"backup": {"schedule": "off", "keep": 3}}
    changes = [each for each in project.events() if each.type == "system.settings.updated"]
    assert len(changes) == 2


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"schedule": "every day"}, ["schedule"]),
        ({"schedule": "61 3 * * *"}, ["schedule"]),
        ({"schedule": "0 0 30 2 *"}, ["schedule"]),
        ({"schedule": "@never"}, ["schedule"]),
        ({"schedule": 5}, ["schedule"]),
        ({"schedule": ""}, ["schedule"]),
        ({"schedule": f"{'1,' * 200}1 * * * *"}, ["schedule"]),
        ({"keep": 0}, ["keep"]),
        ({"keep": "7"}, ["keep"]),
        ({"keep": None}, ["keep"]),
        ({"schedule": "x", "keep": 0}, ["schedule", "keep"]),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(
    ask: Ask, project: TestProject, body: dict[str, object], fields: list[str]
) -> None:
    """Each fault at its field, and nothing is written."""
    answer = ask("PUT", SCHEDULE, json=body)

    assert answer.status_code == 400
    assert [each["field"] for each in answer.get_json()["error"]["details"]] == fields
    assert not (project.folder / "bakend.json").exists()


def test_a_body_with_neither_is_refused(ask: Ask) -> None:
    """A key that is written wrong is not passed over."""
    assert ask("PUT", SCHEDULE, json={"times": "@daily"}).status_code == 400


def test_a_file_that_cannot_be_changed_is_left_alone(ask: Ask, project: TestProject) -> None:
    """Nothing is followed either, and nobody is told of a change."""
    (project.folder / "bakend.json").write_text("{ half")

    answer = ask("PUT", SCHEDULE, json={"schedule": "@daily"})

    assert answer.status_code == 409
    assert "bakend.json" in answer.get_json()["error"]["message"]
    assert (project.folder / "bakend.json").read_text() == "{ half"
    assert plan_of(ask)["schedule"] is None
    assert "system.settings.updated" not in {each.type for each in project.events()}


def test_two_changes_at_once_are_one_after_the_other(ask: Ask, project: TestProject) -> None:
    """File, settings and schedule are of the same one in the end."""
    times = [f"{minute} 3 * * *" for minute in range(8)]
    threads = [
        threading.Thread(target=ask, args=("PUT", SCHEDULE), kwargs={"json": {"schedule": each}})
        for each in times
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    plan = plan_of(ask)
    written = json.loads((project.folder / "bakend.json").read_text())["backup"]["schedule"]
    assert plan["schedule"] == written
    assert datetime.fromisoformat(str(plan["next"])).minute == int(written.split()[0])
    changes = [
        each.payload["changes"][0]
        for each in project.events()
        if each.type == "system.settings.updated"
    ]
    assert [each["from"] for each in changes] == ["off", *(each["to"] for each in changes[:-1])]
