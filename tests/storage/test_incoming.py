"""A file while it arrives."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from bakend.errors import InvalidInputError, StorageFullError, UnavailableError
from bakend.storage.incoming import Incoming, remove_abandoned, size_in_words


def test_what_arrives_is_written_counted_and_hashed(tmp_path: Path) -> None:
    """In pieces of any size."""
    with Incoming(tmp_path, max_bytes=100) as incoming:
        for piece in (b"one", b"", b"two", b"three"):
            incoming.write(piece)
        digest = incoming.finish()
        incoming.require_fit()

        assert incoming.path.read_bytes() == b"onetwothree"
        assert (incoming.size_bytes, digest) == (11, hashlib.sha256(b"onetwothree").hexdigest())


def test_what_is_not_moved_away_is_removed(tmp_path: Path) -> None:
    """Also when the block ends by an error."""
    with pytest.raises(RuntimeError), Incoming(tmp_path, max_bytes=9) as incoming:
        incoming.write(b"x")
        raise RuntimeError

    assert list(tmp_path.iterdir()) == []


def test_more_than_allowed_is_not_written(tmp_path: Path) -> None:
    """The limit holds while the file arrives; all of it may be used."""
    with Incoming(tmp_path, max_bytes=10_485_760) as incoming:
        for _ in range(160):
            incoming.write(bytes(65_536))
        incoming.require_fit()
        for _ in range(100):
            incoming.write(b"x" * 65_536)

        assert incoming.path.stat().st_size == 10_485_760
        with pytest.raises(InvalidInputError, match=r"^File exceeds maximum size of 10 MB$"):
            incoming.require_fit()


def test_nothing_is_no_file(tmp_path: Path) -> None:
    """As in the original."""
    with Incoming(tmp_path, max_bytes=9) as incoming:
        incoming.write(b"")
        with pytest.raises(InvalidInputError, match=r"^File cannot be empty$"):
            incoming.require_fit()


@pytest.mark.parametrize(
    ("size", "words"),
    [
        *((10_485_760, "10 MB"), (10_000_000, "10 MB"), (2**30, "1 GB"), (500 * 1024, "512 KB")),
        *((64 * 1024, "64 KB"), (1_000, "1 KB"), (1, "1 bytes"), (1_500_001, "1500001 bytes")),
    ],
)
def test_sizes_are_said_as_they_are_set(size: int, words: str) -> None:
    """In the largest unit that needs no fraction."""
    assert size_in_words(size) == words


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, StorageFullError), (errno.EMFILE, UnavailableError)]
)
def test_a_disk_that_takes_no_more_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    """What the system says becomes an error of ours, and the half of a file is gone."""

    def fails(_descriptor: int, _data: object) -> int:
        raise OSError(number, os.strerror(number))

    with pytest.raises(kind), Incoming(tmp_path, max_bytes=9) as incoming:
        incoming.write(b"a")
        monkeypatch.setattr(os, "write", fails)
        incoming.write(b"b")

    assert list(tmp_path.iterdir()) == []


def test_who_cleans_up_leaves_what_is_being_written(tmp_path: Path) -> None:
    """Only what nobody holds any more is removed, however old or new it is."""
    left = tmp_path / "up_left-by-a-crash"
    left.write_bytes(b"half")

    with Incoming(tmp_path, max_bytes=9) as incoming:
        incoming.write(b"x")
        assert remove_abandoned(left)
        assert not remove_abandoned(incoming.path)
        assert not remove_abandoned(tmp_path / "never was")
        assert list(tmp_path.iterdir()) == [incoming.path]
