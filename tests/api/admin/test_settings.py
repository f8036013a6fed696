"""What is configured, for administrators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bakend.settings import Secret
from bakend.settings.table import TABLE
from bakend.testing import TestProject, temporary_project


@pytest.fixture
def project() -> Iterator[TestProject]:
    """A project whose secret is set."""
    secret = Secret("s3cret-" * 8)
    with temporary_project(settings={"auth_jwt_secret": secret, "port": 9}) as opened:
        yield opened


def test_every_setting_is_shown_and_no_secret(project: TestProject, ask: Any) -> None:
    """As `bak settings --json` prints them."""
    answer = ask("GET", "/api/admin/settings")

    shown = answer.get_json()
    rows = {row["key"]: row for row in shown["settings"]}
    assert shown["config"] == str(project.folder / "bakend.json")
    assert list(rows) == [line.key for line in TABLE.values()]
    assert (rows["port"]["value"], rows["port"]["variable"]) == (9, "BAKEND_PORT")
    assert "s3cret" not in answer.get_data(as_text=True)
