"""What a file is called."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.storage.names import NAME_MAX_BYTES, UNNAMED, clean_name, extension_of


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("ein Brief.txt", "ein Brief.txt"),
        ("☃ 日本.txt", "☃ 日本.txt"),
        ("e\u0301.txt", "\u00e9.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\a.png", "a.png"),
        ("a/b\\c", "c"),
        ('a"b;c.txt', 'a"b;c.txt'),
        ("a\r\nX-Evil: 1.txt", "aX-Evil: 1.txt"),
        ("nul\x00.png\x7f", "nul.png"),
        ("gpj\u202e.exe", "gpj.exe"),
        ("", UNNAMED),
        ("/", UNNAMED),
        (".", UNNAMED),
        ("..", UNNAMED),
        (" . ", UNNAMED),
        ("\x00\x01", UNNAMED),
        (".env", ".env"),
        (" a ", "a"),
    ],
)
def test_a_name_is_the_last_part_and_printable(sent: str, kept: str) -> None:
    """No folders, nothing that controls a terminal or a header, and always something."""
    assert clean_name(sent) == kept


def test_a_long_name_keeps_its_extension() -> None:
    """What is cut is the middle, at a character, so that the type can still be seen."""
    assert clean_name("a" * 5_000 + ".jpeg") == "a" * 250 + ".jpeg"
    assert clean_name("ä" * 200 + ".txt") == "ä" * 125 + ".txt"
    assert clean_name("x." + "y" * 5_000) == ("x." + "y" * 5_000)[:NAME_MAX_BYTES]


@given(st.text(max_size=400))
def test_a_clean_name_is_short_whole_and_stays(sent: str) -> None:
    """A name fits a file system, is one segment, and cleaning it again changes nothing."""
    name = clean_name(sent)

    assert 0 < len(name.encode()) <= NAME_MAX_BYTES
    assert not {"/", "\\", "\x00", "\n", "\r"} & set(name)
    assert name not in (".", "..")
    assert unicodedata.is_normalized("NFC", name)
    assert clean_name(name) == name


@pytest.mark.parametrize(
    ("name", "extension"),
    [("a.TXT", "txt"), ("a.tar.gz", "gz"), ("a", ""), (".env", ""), ("a.", "")],
)
def test_extensions(name: str, extension: str) -> None:
    """Compared in lower case; a name that only begins with a dot has none."""
    assert extension_of(name) == extension
