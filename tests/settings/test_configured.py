"""What of the settings can be changed while a server runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bakend.errors import ConflictError
from bakend.settings import Configured, load


@pytest.mark.parametrize(
    ("environ", "dotenv", "named"),
    [
        ({"BAKEND_BACKUP_KEEP": "3"}, "", "BAKEND_BACKUP_KEEP,"),
        ({}, "BAKEND_BACKUP_KEEP=3", "BAKEND_BACKUP_KEEP in .env"),
    ],
)
def test_what_comes_before_the_file_is_named(
    tmp_path: Path, environ: dict[str, str], dotenv: str, named: str
) -> None:
    """A change would be written and hold nothing; what it sets already may be said again."""
    (tmp_path / "bakend.json").write_text('{"backup": {"schedule": "@daily"}}')
    (tmp_path / ".env").write_text(dotenv)
    configured = Configured(load(None, cwd=tmp_path, environ=environ, mode="command"))
    told: list[object] = []

    with pytest.raises(ConflictError) as raised:
        configured.change({"backup.keep": 4}, ready=told.append)
    configured.change({"backup.keep": 3, "backup.schedule": None}, ready=told.append)

    assert f"set by {named}" in raised.value.message.replace("which", "")
    assert told == [{"backup.schedule": ("@daily", "off")}]
    assert configured.loaded.settings.backup_schedule is None
    assert configured.loaded.settings.backup_keep == 3
    assert '"off"' in (tmp_path / "bakend.json").read_text()


def test_what_is_not_agreed_to_is_not_written(tmp_path: Path) -> None:
    """Whoever is asked may say no, and all is as it was."""
    (tmp_path / "bakend.json").write_text("{}")
    configured = Configured(load(None, cwd=tmp_path, environ={}, mode="command"))

    def refuse(_changes: object) -> None:
        raise ConflictError("no")

    with pytest.raises(ConflictError, match="no"):
        configured.change({"backup.keep": 4}, ready=refuse)

    assert (tmp_path / "bakend.json").read_text() == "{}"
    assert configured.loaded.settings.backup_keep == 7
