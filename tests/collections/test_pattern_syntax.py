"""JavaScript's regular expressions, read and written for Python."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.collections.pattern_syntax import invert, parse, to_python, units
from bakend.errors import PatternError

PARTS = (
    *"abc.^$|()*+?[]{}\\/-,1:=!<>é😀",
    *("(?:", "(?=", "(?!", "(?<=", "(?<n>", "\\k<n>", "\\d", "\\W", "\\b", "\\B", "\\1", "\\cA"),
    *("{2}", "{1,2}", "{,2}", "{2,}", "[^", "[]", "\\u0041", "\\x4", "\\07", "\\p{L}", "*?"),
)


def search(pattern: str, text: str) -> bool:
    return re.search(to_python(parse(pattern)), units(text), re.ASCII) is not None


@pytest.mark.parametrize(
    ("pattern", "found", "not_found"),
    [
        ("b", ["abc"], ["ac"]),
        ("a$", ["a", "ba"], ["a\n", "a\nb"]),
        ("^a", ["ab"], ["\na"]),
        (r"^\d$", ["7"], ["٧", "x"]),
        (r"^\w$", ["_"], ["é"]),
        (r"^\s$", ["\ufeff", "\u2028", "\xa0"], ["\x1c", "\x85"]),
        ("^.$", ["é"], ["\r", "\u2028", "😀"]),
        ("^..$", ["😀"], ["é"]),
        ("^[😀]{2}$", ["😀"], ["é"]),
        (r"\bé", ["aé"], ["é", " é"]),
        (r"^\B$", [""], ["a"]),
        ("[^]", ["\n"], [""]),
        ("[]", [], ["", "a"]),
        (r"^[\b]$", ["\x08"], ["b"]),
        (r"^[\w-]$", ["-", "a"], ["+"]),
        (r"^[\d-x]$", ["-", "x"], ["a"]),
        (r"^\cJ$", ["\n"], ["cJ"]),
        (r"^\c$", [r"\c"], ["c"]),
        (r"^\x41\u0042\x4$", ["ABx4"], ["AB\x04"]),
        (r"^\u{3}$", ["uuu"], ["\x03"]),
        (r"^\p{L}$", ["p{L}"], ["a"]),
        (r"^\0\101\8$", ["\0A8"], []),
        ("^a{,2}$", ["a{,2}"], ["aa"]),
        ("^a{2}$", ["aa"], ["a", "aaa"]),
        ("^a{2,}?$", ["aaa"], ["a"]),
        ("^{]}$", ["{]}"], []),
        (r"^(?<word>a|b)\k<word>$", ["aa", "bb"], ["ab"]),
        (r"^(?<$1>a)$", ["a"], []),
        (r"^(a)?\1b$", ["aab", "b"], ["ab"]),
        (r"^\1(a)$", ["a"], ["aa"]),
        (r"^(a\1)$", ["a"], ["aa"]),
        (r"^\2(a)$", ["\x02a"], ["a"]),
        (r"^\k<n>$", ["k<n>"], []),
        (r"(?<=\$)5", ["$5"], ["5"]),
        ("(?<!a)b", ["b"], ["ab"]),
        ("^(?=ab)*a", ["a"], ["b"]),
        (r"^a\/b$", ["a/b"], []),
        ("[[&&--||~~]", ["["], ["x"]),  # Python warns of these in sets; -W error would show
    ],
)
def test_a_pattern_means_what_it_means_in_javascript(
    pattern: str, found: list[str], not_found: list[str]
) -> None:
    """Texts match as they do in a browser."""
    assert [text for text in found + not_found if search(pattern, text)] == found


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "a ( without its ) at character 1"),
        ("a)", "a ) without its ( at character 2"),
        ("a[b", "a [ without its ] at character 2"),
        ("[z-a]", "a range from high to low at character 2"),
        ("a**", "nothing to repeat at character 3"),
        ("^+", "nothing to repeat at character 1"),
        ("(?<=a)*", "nothing to repeat at character 1"),
        ("{3}", "nothing to repeat at character 1"),
        ("a{2,1}", "a repeat from more to less at character 1"),
        ("a\\", "a \\ with nothing after it at character 2"),
        ("(?i)a", "an unknown kind of group at character 1"),
        ("(?<1>a)", "a group without a proper name at character 1"),
        ("(?<n>a)(?<n>b)", "a second group of the same name at character 8"),
        (r"(?<n>a)\k<m>", "a reference to an unknown group at character 8"),
        (
            r"(a)(?<=\1)",
            "a reference inside a look-behind, which Python reads otherwise at character 8",
        ),
        ("(" * 51 + ")" * 51, "more than 50 groups inside each other at character 51"),
        ("a" * 2001, "longer than 2,000 characters at character 2001"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(pattern: str, message: str) -> None:
    """The author of a definition learns what is wrong with a pattern, and where."""
    with pytest.raises(PatternError) as caught:
        parse(pattern)

    assert caught.value.message == message


@given(st.lists(st.sampled_from(PARTS)).map("".join) | st.text())
def test_any_text_is_a_pattern_or_refused(source: str) -> None:
    """Reading and writing a pattern raises nothing but its own error."""
    try:
        python = to_python(parse(source))
    except PatternError:
        return
    try:
        re.compile(python, re.ASCII)
    except re.error as error:
        assert "look-behind requires fixed-width" in str(error)  # noqa: PT017 - the only reason left


def test_a_set_inverted_twice_is_itself() -> None:
    """No unit is lost at the ends of the range."""
    for chars in ((), ((0, 0xFFFF),), ((0, 5),), ((5, 0xFFFF),), ((1, 2), (4, 4))):
        assert invert(invert(chars)) == chars
