"""What decides without a socket."""

from __future__ import annotations

import logging

import pytest

from bakend.server.limits import DESCRIPTOR_RESERVE, BodyLimits, connections_for, size_text

TABLE = {"/": 100, "/api": 200, "/api/storage/upload": 300}


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        pytest.param("/", 100, id="the root"),
        pytest.param("", 100, id="no path, as in OPTIONS *"),
        pytest.param("/other", 100, id="no prefix matches"),
        pytest.param("/api", 200, id="the prefix itself"),
        pytest.param("/api/posts", 200, id="below a prefix"),
        pytest.param("/apiary", 100, id="half a segment is no match"),
        pytest.param("/api/storage/upload", 300, id="the longest prefix wins"),
        pytest.param("//api///storage/./upload/", 300, id="empty and dot segments do not count"),
        pytest.param("/api/storage/upload/../../posts", 200, id="dots cannot borrow a limit"),
        pytest.param("/API/posts", 100, id="case matters"),
    ],
)
def test_the_longest_prefix_by_whole_segments_decides(path: str, limit: int) -> None:
    """A path is held to the limit of the longest prefix that the router would see, too."""
    assert BodyLimits(TABLE).limit_of(path) == limit


def test_a_table_without_a_root_is_refused() -> None:
    """There is no path without a limit."""
    with pytest.raises(ValueError, match='"/"'):
        BodyLimits({"/api": 1})


@pytest.mark.parametrize(
    ("size", "text"),
    [(1 << 20, "1 MiB"), (3 << 30, "3 GiB"), (65536, "64 KiB"), (1000, "1000 bytes")],
)
def test_sizes_read_well(size: int, text: str) -> None:
    """A size is written in the largest unit that it is a multiple of."""
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("wanted", "descriptors", "kept"),
    [
        pytest.param(1000, 20_000, 1000, id="plenty"),
        pytest.param(1000, -1, 1000, id="no limit at all"),
        pytest.param(1000, 1000 + DESCRIPTOR_RESERVE, 1000, id="just enough"),
    ],
)
def test_enough_descriptors_leave_the_setting(wanted: int, descriptors: int, kept: int) -> None:
    """Where the descriptors are there, as many connections are kept as were asked for."""
    assert connections_for(wanted, descriptors) == kept


@pytest.mark.parametrize(("descriptors", "kept"), [(1024, 768), (256, 64), (16, 4), (2, 1)])
def test_too_few_descriptors_lower_the_limit(
    descriptors: int, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit shrinks until the server can work within its descriptors, and a WARN says so."""
    with caplog.at_level(logging.WARNING, "bakend.server"):
        assert connections_for(1000, descriptors) == kept

    assert "raise the limit" in caplog.text
