"""What a file is, and whether a browser may show it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.storage.media import TYPES, UNKNOWN, is_shown, media_type, sendable


@pytest.mark.parametrize(
    ("name", "declared", "expected"),
    [
        ("a.txt", "application/octet-stream", "text/plain;charset=utf-8"),
        ("a.HTML", "text/plain", "text/html;charset=utf-8"),
        ("a.css", "", "text/css;charset=utf-8"),
        ("a.js", "", "text/javascript;charset=utf-8"),
        ("a.json", "", "application/json;charset=utf-8"),
        ("a.png", "text/html", "image/png"),
        ("a.svg", "", "image/svg+xml"),
        ("a.xml", "", "application/xml"),
        ("a.csv", "", "text/csv"),
        ("a.md", "", "text/markdown"),
        ("a.blend", "application/x-blender", "application/x-blender"),
        ("a", "text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1"),
        ("a", "", UNKNOWN),
        ("a.blend", "application/octet-stream", UNKNOWN),
        ("a", "nonsense", UNKNOWN),
        ("a", "text/plain\r\nX-Evil: 1", UNKNOWN),
        ("a", "text/pläin", UNKNOWN),
        ("a", "a/" + "b" * 300, UNKNOWN),
    ],
)
def test_the_extension_comes_first(name: str, declared: str, expected: str) -> None:
    """Then what the client says, if it can be a type, then that nothing is known."""
    assert media_type(name, declared) == expected


@pytest.mark.parametrize(
    "shown",
    [
        "text/plain;charset=utf-8",
        "IMAGE/PNG",
        "image/jpeg",
        "video/mp4",
        "audio/mpeg",
        "application/pdf",
    ],
)
def test_what_cannot_run_is_shown(shown: str) -> None:
    """Pictures, sound, film, plain text and PDF."""
    assert is_shown(shown)


@pytest.mark.parametrize(
    "saved",
    [
        *("text/html", "text/html;charset=utf-8", "TEXT/HTML ; charset=x", "application/xhtml+xml"),
        *("image/svg+xml", "application/xml", "text/xml", "application/mathml+xml", "text/xsl"),
        *("text/javascript", "application/ecmascript", "text/css", "application/json", UNKNOWN),
        *("multipart/x-mixed-replace", "application/x-shockwave-flash", "text/vtt", "", "video"),
    ],
)
def test_what_may_run_or_is_unknown_is_saved(saved: str) -> None:
    """Markup and scripts would run with the rights of whoever opens them."""
    assert not is_shown(saved)


@given(st.text(max_size=300))
def test_any_declared_type_can_be_sent(declared: str) -> None:
    """What is kept as a type may stand in a header as it is."""
    kept = media_type("a", declared)

    assert sendable(kept) == kept
    assert kept.isascii()
    assert kept.isprintable()


def test_what_a_database_brings_is_checked() -> None:
    """A stored type that could end the header is none; those of our table are all right."""
    assert sendable("text/html\r\nSet-Cookie: a=b") == UNKNOWN
    assert [sendable(each) for each in TYPES.values()] == list(TYPES.values())
