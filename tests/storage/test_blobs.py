"""The folders with the bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.ids import new_id
from bakend.storage.blobs import Blobs, is_file_id
from bakend.testing import FakeClock

GRACE_S = 3_600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def blobs(tmp_path: Path, clock: FakeClock) -> Blobs:
    return Blobs(tmp_path, clock=clock, grace_s=GRACE_S)


def keep(blobs: Blobs, content: bytes = b"content") -> str:
    """Put a file in its place."""
    file_id = new_id("fil")
    with blobs.receive(max_bytes=100) as incoming:
        incoming.write(content)
        incoming.finish()
        blobs.keep(incoming, file_id)
    return file_id


def files(folder: Path) -> Iterator[str]:
    return (str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_nothing_is_made_before_it_is_needed(tmp_path: Path, blobs: Blobs) -> None:
    """A project that stores no files has no folders for them."""
    blobs.clean()
    assert list(blobs.ids(older_than_s=0)) == []
    assert blobs.open(new_id("fil")) is None

    assert list(tmp_path.iterdir()) == []


def test_a_file_lies_under_its_id(tmp_path: Path, blobs: Blobs) -> None:
    """As in the original, so that its files are found, and ours by whoever copies them."""
    file_id = keep(blobs, b"hello")

    assert list(files(tmp_path)) == [f"files/{file_id}"]
    stream = blobs.open(file_id)
    assert stream is not None
    with stream:
        assert stream.read() == b"hello"


def test_what_was_deleted_can_be_read_for_a_while(
    tmp_path: Path, blobs: Blobs, clock: FakeClock
) -> None:
    """The trash keeps it for the time that is set, whatever its age was."""
    file_id = keep(blobs)
    os.utime(tmp_path / "files" / file_id, (0, 0))

    blobs.discard(file_id)
    blobs.discard(file_id)  # again, or what never was: nothing happens
    clock.advance(GRACE_S - 1)
    blobs.clean()
    kept = list(files(tmp_path))
    clock.advance(1)
    blobs.clean()

    assert kept == [f"trash/{file_id}"]
    assert list(files(tmp_path)) == []


def test_without_grace_nothing_is_kept(tmp_path: Path, clock: FakeClock) -> None:
    """A setting of 0 gives the space back at once."""
    blobs = Blobs(tmp_path, clock=clock, grace_s=0)

    blobs.discard(keep(blobs))

    assert list(files(tmp_path)) == []


def test_a_deleted_file_is_read_to_its_end(blobs: Blobs) -> None:
    """Whoever has opened it reads on."""
    file_id = keep(blobs, b"hello")
    stream = blobs.open(file_id)
    assert stream is not None
    with stream:
        blobs.discard(file_id)
        assert stream.read() == b"hello"
    assert blobs.open(file_id) is None


def test_what_a_crash_left_half_is_removed(tmp_path: Path, blobs: Blobs) -> None:
    """What is being written stays."""
    with blobs.receive(max_bytes=9) as incoming:
        (incoming.path.parent / "up_left").write_bytes(b"half")
        blobs.clean()
        assert list(incoming.path.parent.iterdir()) == [incoming.path]


def test_only_files_of_ours_are_listed(tmp_path: Path, blobs: Blobs, clock: FakeClock) -> None:
    """What else lies in the folder is nobody's business; the young are left out where that is asked."""
    old, young = keep(blobs), keep(blobs)
    (tmp_path / "files" / ".DS_Store").touch()
    (tmp_path / "files" / new_id("fil")).mkdir()
    (tmp_path / "files" / new_id("fil")).symlink_to(tmp_path / "files" / old)
    now = clock.now().timestamp()
    os.utime(tmp_path / "files" / old, (now - 60, now - 60))
    os.utime(tmp_path / "files" / young, (now - 59, now - 59))

    assert sorted(blobs.ids(older_than_s=0)) == sorted([old, young])
    assert list(blobs.ids(older_than_s=60)) == [old]


@pytest.mark.parametrize(
    "text",
    [
        *("", "fil_", "../bakend.db", "fil_../../../../etc/passwd", "fil_1"),
        *("fil_00000000-0000-4000-8000-00000000000A", "fil_00000000-0000-4000-8000-000000000001\n"),
        *(
            "fil_00000000-0000-4000-8000-000000000001/..",
            "usr_00000000-0000-4000-8000-000000000001",
        ),
    ],
)
def test_no_other_text_becomes_a_path(tmp_path: Path, blobs: Blobs, text: str) -> None:
    """An id is `fil_` and a UUID; anything else finds nothing and touches nothing."""
    secret = tmp_path / "bakend.db"
    secret.write_bytes(b"secret")
    keep(blobs)

    assert blobs.open(text) is None
    assert not blobs.has(text)
    blobs.discard(text)
    with pytest.raises(ValueError, match="no id"):
        blobs.remove(text)
    assert secret.read_bytes() == b"secret"


@given(st.text(alphabet="fil_./\\\x00%2e0a-", max_size=50))
def test_an_id_has_no_way_up(text: str) -> None:
    """Whatever passes for an id is one name."""
    assert not is_file_id(text) or not {"/", "\\", ".", "\x00"} & set(text)


def test_made_ids_are_ids() -> None:
    """Those of this server, and so those of the original, which makes them alike."""
    assert is_file_id(new_id("fil"))
