"""What counts as an address and as a password."""

from __future__ import annotations

import pytest

from bakend.auth.credentials import normal_email, require_good_password
from bakend.errors import InvalidInputError


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("ada@example.com", "ada@example.com"),
        ("  Ada@Example.COM ", "ada@example.com"),
        ("a.b+tag@sub.example.co", "a.b+tag@sub.example.co"),
        ("o'neil@example.com", "o'neil@example.com"),
        ("admin@localhost", "admin@localhost"),
        ("jürgen@müller.de", "jürgen@müller.de"),
        ("用户@例子.中国", "用户@例子.中国"),
        (f"{'a' * 64}@example.com", f"{'a' * 64}@example.com"),
    ],
)
def test_an_address_is_stored_in_its_normal_form(given: str, normal: str) -> None:
    """Blanks around it and capital letters make no difference."""
    assert normal_email(given) == normal


@pytest.mark.parametrize(
    "given",
    [
        "",
        "@",
        "x@ ",
        "@@@",
        "ada",
        "ada@",
        "@example.com",
        "ada@exa mple.com",
        "ada lovelace@example.com",
        "ada@example..com",
        ".ada@example.com",
        "ada.@example.com",
        "a..b@example.com",
        "ada@-example.com",
        "ada@example-.com",
        "ada@exa_mple.com",
        "ada@example.com\nbcc: x@y.z",
        "ada\0@example.com",
        "<ada@example.com>",
        "ada,bob@example.com",
        f"{'a' * 65}@example.com",
        f"ada@{'a' * 64}.com",
        f"{'a' * 60}@{'a.' * 120}com",
    ],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    """No mail system would deliver to it, or it would put something into a header."""
    with pytest.raises(InvalidInputError, match="Invalid email address"):
        normal_email(given)


@pytest.mark.parametrize("password", ["12345678", "ä" * 8, "x" * 1024, "\0" * 8, " " * 8])
def test_a_password_may_be_anything_of_the_right_length(password: str) -> None:
    """Nothing is forbidden that can be typed."""
    require_good_password(password)


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("1234567", "Password must be at least 8 characters"),
        ("ä" * 7, "Password must be at least 8 characters"),
        ("x" * 1025, "Password must not be longer than 1024 bytes"),
        ("ä" * 513, "Password must not be longer than 1024 bytes"),
    ],
)
def test_a_password_has_a_least_and_a_most_length(password: str, message: str) -> None:
    """Short ones can be guessed, endless ones only cost."""
    with pytest.raises(InvalidInputError, match=message):
        require_good_password(password)
