"""Values that are written into a config file while a server runs."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from bakend.errors import ConflictError
from bakend.settings.editing import change


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "bakend.json"


def test_all_else_stays_as_it_is(config: Path) -> None:
    """Unknown keys, their order, and what only their owner may read."""
    config.write_text(
        '{"title": "Läden", "auth": {"jwtSecret": "s"}, "backup": {"folder": "b", "keep": 3}, "x": [1.50]}'
    )
    config.chmod(0o600)

    change(config, {"backup.keep": 14, "backup.schedule": "0 3 * * *"})

    assert config.read_text("utf-8") == (
        "{\n"
        '  "title": "Läden",\n'
        '  "auth": {\n    "jwtSecret": "s"\n  },\n'
        '  "backup": {\n    "folder": "b",\n    "keep": 14,\n    "schedule": "0 3 * * *"\n  },\n'
        '  "x": [\n    1.5\n  ]\n'
        "}\n"
    )
    assert config.stat().st_mode & 0o777 == 0o600
    assert list(config.parent.iterdir()) == [config]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"backup.keep": 3}, {"backup.keep": 14}),
        ({"backup.keep": 3, "backup": {"folder": "b"}}, None),
        ({"backup": None, "z": 1}, {"backup": {"keep": 14}, "z": 1}),
        ({}, {"backup": {"keep": 14}}),
    ],
    ids=["dotted", "both", "null", "neither"],
)
def test_a_key_stays_where_it_is(
    config: Path, before: dict[str, object], after: dict[str, object] | None
) -> None:
    """Dotted or in its section; a new one goes into the section."""
    config.write_text(json.dumps(before))

    change(config, {"backup.keep": 14})

    expected = after if after is not None else {**before, "backup.keep": 14}
    assert json.loads(config.read_text()) == expected


def test_a_file_that_is_not_there_is_made(config: Path) -> None:
    """A project may live on the defaults."""
    change(config, {"backup.schedule": "@daily"})

    assert json.loads(config.read_text()) == {"backup": {"schedule": "@daily"}}


@pytest.mark.parametrize("text", ["{", "[]", '{"backup": "no"}', '{"a": 1, "a": 2}', "\xff"])
def test_what_makes_no_sense_is_not_written_over(config: Path, text: str) -> None:
    """Somebody is in the middle of it."""
    config.write_bytes(text.encode("latin-1"))

    with pytest.raises(ConflictError, match=r"bakend\.json"):
        change(config, {"backup.keep": 14})

    assert config.read_bytes() == text.encode("latin-1")


def test_half_a_character_comes_back(config: Path) -> None:
    """Only an escape can name it, and stays one."""
    config.write_text('{"title": "\\ud83d"}')

    change(config, {"backup.keep": 14})

    assert "\\ud83d" in config.read_text()


def test_a_link_stays_one(config: Path, tmp_path: Path) -> None:
    """What it points to is changed."""
    target = tmp_path / "etc" / "app.json"
    target.parent.mkdir()
    target.write_text("{}")
    config.symlink_to(target)

    change(config, {"backup.keep": 14})

    assert config.is_symlink()
    assert json.loads(target.read_text()) == {"backup": {"keep": 14}}


def test_what_cannot_be_written_is_to_be_written_by_hand(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the file and the line; nothing is left behind."""
    config.write_text("{}")

    def refuse(_self: Path, _target: Path) -> Path:
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", refuse)  # as a file that is mounted by itself does
    with pytest.raises(ConflictError) as raised:
        change(config, {"backup.schedule": "0 3 * * *", "backup.keep": 14})

    assert str(config) in raised.value.message
    assert '"backup.schedule": "0 3 * * *", "backup.keep": 14' in raised.value.message
    assert config.read_text() == "{}"
    assert list(config.parent.iterdir()) == [config]


def test_who_reads_meanwhile_reads_one_or_the_other(config: Path) -> None:
    """Never a part of it."""
    config.write_text(json.dumps({"backup": {"keep": 1}, "x": "y" * 100_000}))
    is_done = threading.Event()
    seen = []

    def read() -> None:
        while not is_done.is_set():
            seen.append(json.loads(config.read_text())["backup"]["keep"])

    thread = threading.Thread(target=read)
    thread.start()
    for keep in range(1, 20):
        change(config, {"backup.keep": keep})
    is_done.set()
    thread.join()

    assert seen == sorted(seen)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_its_owner_stays(config: Path) -> None:
    """A command of root must not take it from the service."""
    config.write_text("{}")
    os.chown(config, 65_534, 65_534)

    change(config, {"backup.keep": 14})

    assert (config.stat().st_uid, config.stat().st_gid) == (65_534, 65_534)


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_what_its_owner_has_shut_stays_shut(config: Path) -> None:
    """Though the folder would let us put another file in its place."""
    config.write_text("{}")
    config.chmod(0o400)

    with pytest.raises(ConflictError, match="by hand"):
        change(config, {"backup.keep": 14})

    assert config.read_text() == "{}"
