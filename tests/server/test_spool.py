"""An answer that waits for a slow client."""

from __future__ import annotations

import logging
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakend.server.spool import AnswerBuffer

KIB = 1 << 10
CONTENT = bytes(range(256)) * 4 * 512  # 512 KiB


@pytest.fixture
def buffer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AnswerBuffer]:
    """A buffer that goes to the disk at 64 KiB, and holds a head of which a part has been sent."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = AnswerBuffer(64 * KIB)
    made.append(b"sent" + b"h" * 10_000)
    made.skip(4)
    yield made
    made.close()


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file may grow beyond 100 KiB: as on a full disk, a write fails half-way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100 * KIB, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_goes_to_the_disk_when_large(buffer: AnswerBuffer) -> None:
    """A large answer leaves the memory, and comes back from the disk as it was."""
    buffer.append(CONTENT)

    assert buffer.overflowed
    assert (len(buffer), buffer.get()) == (10_000 + len(CONTENT), b"h" * 10_000 + CONTENT)


@pytest.mark.usefixtures("small_files")
def test_stays_in_memory_when_the_disk_is_full(
    buffer: AnswerBuffer, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not fit on the disk stays in memory, whole, and so does what follows."""
    with caplog.at_level(logging.WARNING):
        buffer.append(CONTENT)
        buffer.append(b"more")

    assert not buffer.overflowed
    assert buffer.get() == b"h" * 10_000 + CONTENT + b"more"
    assert len(caplog.messages) == 1


def test_stays_in_memory_without_a_folder(
    buffer: AnswerBuffer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder for temporary files that is gone costs no answer."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))

    buffer.append(CONTENT)

    assert buffer.get() == b"h" * 10_000 + CONTENT
