"""Backups in the dashboard: made, verified, downloaded, deleted."""

from __future__ import annotations

from typing import Any

import pytest
from screens import Screen

from processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]


def backups_of(screen: Screen) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = screen.ask("GET", "/api/admin/backups")["items"]
    return items


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

    window.click_text("Restore", "main")
    window.wait_for("bak backup restore --force")
    window.press("Escape")
    window.click_text(f"Delete {name}", "main")
    window.wait_for("Delete this backup?")
    window.click("dialog .danger.primary")
    window.wait_for("No backups yet")
    assert backups_of(screen) == []
    assert screen.complaints() == []
