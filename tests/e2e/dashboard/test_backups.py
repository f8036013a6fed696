"""Backups in the dashboard: made, verified, downloaded, deleted, restored; by schedule."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from screens import ADMIN, EMAIL, PASSWORD, SIZES, Screen, started
from verify.hosts.browser import Browser

from processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]


def backups_of(screen: Screen) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = screen.ask("GET", "/api/admin/backups")["items"]
    return items


@SIZES
def test_a_backup_is_made_verified_downloaded_and_deleted(screen: Screen) -> None:
    """It comes into the list by itself; a damaged one is called so; the last question is before the end."""
    window = screen.window
    screen.open("backups")
    window.wait_for("No backups yet")
    window.click_text("Make a backup", "main")
    wait_until(lambda: backups_of(screen), 60, what="the backup")
    name = backups_of(screen)[0]["name"]
    window.wait_for(name)
    window.click_text("Verify", "main")
    window.wait_for("whole,")

    window.run(
        "window.saved = []; const make = URL.createObjectURL;"
        "URL.createObjectURL = (blob) => { window.saved.push(blob.size); return make(blob); }"
    )
    window.click_text(f"Download {name}", "main")
    size = backups_of(screen)[0]["size"]
    window.run("", until=f"return window.saved.includes({size})", what="the whole archive")

    window.click_text(f"Delete {name}", "main")
    window.wait_for("Delete this backup?")
    window.click("dialog .danger.primary")
    window.wait_for("No backups yet")
    assert backups_of(screen) == []
    assert screen.complaints() == []


def titles(screen: Screen) -> list[str]:
    with screen.server.client() as client:
        return sorted(each["title"] for each in client.get("/api/notes").json["items"])


def add(screen: Screen, title: str) -> None:
    with screen.server.client() as client:
        assert client.post("/api/notes", {"title": title}).status == 201


def back_up(screen: Screen) -> str:
    """Have a backup made, and return its name."""
    name = str(screen.ask("POST", "/api/admin/backups")["name"])
    wait_until(lambda: backups_of(screen), 60, what="the backup")
    return name


@SIZES
def test_a_restore_brings_back_what_was(screen: Screen, axe: str) -> None:
    """Its name has to be typed; the page waits for the server, and says where the old state lies."""
    window = screen.window
    add(screen, "before")
    name = back_up(screen)
    add(screen, "after")
    screen.open("backups")
    window.click_text("Restore …", "main")
    window.wait_for("All data is replaced")

    assert screen.violations(axe) == []
    window.fill("dialog [name=typed]", name[:-1])
    assert window.run("return document.querySelector('dialog .danger.primary').disabled")
    window.press("Enter")  # does not get round it
    assert titles(screen) == ["after", "before"]
    window.fill("dialog [name=typed]", name)
    window.click("dialog .danger.primary")
    window.wait_for("What was there before is in")

    assert titles(screen) == ["before"]
    assert "before-restore-" in window.text("main")
    window.wait_for(name)
    assert not window.run("return document.querySelector('[data-new]').disabled")


def test_who_logged_in_after_the_backup_logs_in_again(screen: Screen) -> None:
    """The session is not in it; the page comes back to where it was, with the outcome."""
    window = screen.window
    name = back_up(screen)
    window.run("localStorage.removeItem('bakend.session')")
    screen.log_in()
    screen.open("backups")
    window.click_text("Restore …", "main")
    window.fill("dialog [name=typed]", name)
    window.click("dialog .danger.primary")
    window.wait_for("Your session has ended")
    window.fill("[name=email]", EMAIL)
    window.fill("[name=password]", PASSWORD)
    window.click("#login-form button[type=submit]")
    window.wait_for("What was there before is in")


def test_a_damaged_backup_is_refused_in_the_dialog(screen: Screen) -> None:
    """Nothing happens, and the reason stands where the question was."""
    window = screen.window
    add(screen, "before")
    name = back_up(screen)
    (path,) = screen.project.glob("backups/*.tar.gz")
    path.write_bytes(path.read_bytes()[:-30])
    screen.open("backups")
    window.click_text("Restore …", "main")
    window.fill("dialog [name=typed]", name)
    window.click("dialog .danger.primary")
    window.wait_for("The backup cannot be restored")
    window.click_text("Cancel", "dialog")

    add(screen, "after")
    assert titles(screen) == ["after", "before"]
    assert "Shutting down" not in screen.server.log


def choose(screen: Screen, name: str, value: str) -> None:
    """Put a value into a field of the form, as a person does who need not know how it is typed."""
    screen.window.run(
        """
        const field = document.querySelector(`dialog [name=${arguments[0]}]`);
        field.value = arguments[1];
        field.dispatchEvent(new Event(field.matches("select") ? "change" : "input", { bubbles: true }));
        """,
        name,
        value,
    )


@SIZES
def test_the_schedule_is_changed(screen: Screen, axe: str) -> None:
    """In words, with the next time; what the server refuses stands at its field; the file has it."""
    window = screen.window
    config = screen.project / "bakend.json"
    screen.open("backups")
    window.wait_for("The server makes no backups by itself")
    window.click_text("Change", "main")
    choose(screen, "rhythm", "weekly")
    choose(screen, "day", "1")
    choose(screen, "time", "04:30")
    choose(screen, "keep", "14")
    assert screen.violations(axe) == []
    window.click_text("Save", "dialog")
    window.wait_for("The server makes one Monday at 04:30, and keeps 14 of those.")
    window.wait_for("The next one:")
    assert json.loads(config.read_text())["backup"] == {"schedule": "30 4 * * 1", "keep": 14}

    window.click_text("Change", "main")
    assert window.run("return document.querySelector('dialog [name=time]').value") == "04:30"
    choose(screen, "rhythm", "own")
    window.fill("dialog [name=own]", "61 4 * * *")
    window.click_text("Save", "dialog")
    window.wait_for('The schedule "61 4 * * *"')
    assert window.run("return document.querySelector('dialog [name=own]').ariaInvalid") == "true"
    assert screen.violations(axe) == []
    window.fill("dialog [name=own]", "*/20 * * * *")
    window.wait_for("every 20 minutes")
    window.click_text("Save", "dialog")
    window.wait_for("The server makes one every 20 minutes")

    window.click_text("Change", "main")
    choose(screen, "rhythm", "off")
    window.click_text("Save", "dialog")
    window.wait_for("The server makes no backups by itself")
    assert json.loads(config.read_text())["backup"] == {"schedule": "off", "keep": 14}
    screen.open("settings")
    window.wait_for("backup.schedule")
    screen.open("audit")
    window.wait_for("backup.schedule: off → 30 4 * * 1")
    assert screen.complaints() == []


def test_what_a_variable_sets_is_only_shown(window: Browser, tmp_path: Path) -> None:
    """Its name stands where the button would."""
    environ = {**ADMIN, "BAKEND_BACKUP_SCHEDULE": "@daily"}
    with started(window, tmp_path, environ=environ) as screen:
        screen.log_in()
        screen.open("backups")
        window.wait_for("every day at 00:00")
        window.wait_for("Set by BAKEND_BACKUP_SCHEDULE")
        assert "Change" not in window.text("main")
