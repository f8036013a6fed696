"""What an archive says of itself."""

from __future__ import annotations

import json

import pytest

from bakend.backups import manifest
from bakend.backups.manifest import Manifest, Member
from bakend.errors import BackupError

FILE = "storage/files/fil_0f6c2f4e-9f43-4c39-8a53-0d9d5c1f1b01"
WHOLE = Manifest(
    bakend="0.1.0",
    schema=6,
    created_at="2026-11-25T21:00:00.000Z",
    last_event=42,
    damaged=("fil_a",),
    missing=("fil_b",),
    members=(Member("bakend.db", 1, "0" * 64), Member(FILE, 2, "f" * 64)),
)


def test_it_reads_back() -> None:
    """Every value."""
    assert manifest.decode(WHOLE.encode()) == WHOLE
    assert WHOLE.total_bytes == 3


@pytest.mark.parametrize(
    "name",
    [
        "bakend.db",
        "bakend.json",
        "packages.lock",
        FILE,
        "functions/a/b c.py",
        "jobs/..a",
        "collections/é.json",
    ],
)
def test_names_that_we_write_are_taken(name: str) -> None:
    """Whatever a project may hold."""
    assert manifest.is_allowed(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../x",
        "functions",
        "functions/",
        "functions/../x",
        "functions//x",
        "functions/./x",
        "functions/a\0b",
        "functions/" + "a" * 5_000,
        ".bakend/jwt_secret",
        ".env",
        "storage/files/x",
        f"{FILE}/x",
        f"{FILE}\n",
        "storage/trash/fil_0f6c2f4e-9f43-4c39-8a53-0d9d5c1f1b01",
        "bakend.db-wal",
    ],
)
def test_no_other_name_is_taken(name: str) -> None:
    """Nothing leads out of its folder, and nothing gets where no backup writes."""
    assert not manifest.is_allowed(name)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": "6"},
        {"schema": True},
        {"members": []},
        {"members": [{"name": FILE, "size": 1, "sha256": "0" * 64}]},
        {"members": [{"name": "bakend.db", "size": -1, "sha256": "0" * 64}]},
        {"members": [{"name": "bakend.db", "size": 1, "sha256": "x"}]},
        {"members": [{"name": "bakend.db", "size": 1, "sha256": "0" * 64}] * 2},
        {"members": None},
        {"lastEvent": None},
        {"missing": 1},
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    """Types, sizes, checksums, the database in front, each name once."""
    with pytest.raises(BackupError, match="makes no sense"):
        manifest.decode(json.dumps({**json.loads(WHOLE.encode()), **change}).encode())


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    """Whatever it is."""
    with pytest.raises(BackupError):
        manifest.decode(content)


def test_a_newer_format_is_told() -> None:
    """With the way out."""
    with pytest.raises(BackupError, match="has format 2") as caught:
        manifest.decode(json.dumps({"format": 2}).encode())
    assert "newer" in caught.value.hint
