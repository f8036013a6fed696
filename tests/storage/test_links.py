"""Links that open one file for a while."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bakend.storage.links import LIFETIME_S, make_link, opens

KEY = b"k" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FILE = "fil_00000000-0000-4000-8000-000000000001"


def test_a_link_opens_its_file_until_it_ends() -> None:
    """Ten minutes, and not a second more."""
    link = make_link(KEY, FILE, NOW)
    given = (KEY, FILE, str(link.expires), link.token)

    assert link.expires_at == NOW + timedelta(minutes=10)
    assert opens(*given, NOW)
    assert opens(*given, NOW + timedelta(seconds=LIFETIME_S - 1))
    assert not opens(*given, NOW + timedelta(seconds=LIFETIME_S))


def test_a_link_opens_nothing_else() -> None:
    """Another file, another end, another key, another token: each makes it worthless."""
    link = make_link(KEY, FILE, NOW)
    end, token = str(link.expires), link.token

    assert not opens(KEY, FILE.replace("1", "2"), end, token, NOW)
    assert not opens(KEY, FILE, str(link.expires + 1), token, NOW)
    assert not opens(b"x" * 32, FILE, end, token, NOW)
    assert not opens(KEY, FILE, end, token[:-1], NOW)
    assert not opens(KEY, FILE, end, token + "=", NOW)


@pytest.mark.parametrize(
    ("expires", "token"),
    [
        ("", ""),
        ("x", "x"),
        ("-1", "x"),
        ("1e9", "x"),
        ("٣", "x"),
        ("9" * 5_000, "x"),
        ("9", "ä\ud800"[:1]),
    ],
)
def test_nonsense_opens_nothing(expires: str, token: str) -> None:
    """Whatever a query may hold is no more than no link."""
    assert not opens(KEY, FILE, expires, token, NOW)
