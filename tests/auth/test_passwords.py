"""Passwords: hashed, verified, renewed, and those of the original."""

from __future__ import annotations

import hashlib

import pytest

from bakend.auth import bcrypt
from bakend.auth.passwords import Cost, Passwords

CHEAP = Cost(log2_n=4, r=1, p=1)

OF_THE_ORIGINAL = [
    ("password123", "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy", False),
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", True),
    ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", True),
    ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", False),
]
"""Passwords and hashes; those that fit are test vectors of crypt_blowfish, in the public domain."""


@pytest.mark.parametrize("password", ["correct horse", "ä\0ö", "x" * 1024, "🐎" * 8])
def test_a_password_fits_its_own_hash_only(password: str) -> None:
    """What was hashed is recognised, and nothing else is."""
    passwords = Passwords(CHEAP)
    stored = passwords.hash(password)

    assert passwords.verify(password, stored) is True
    assert passwords.verify(password + " ", stored) is False
    assert passwords.verify("", stored) is False


def test_equal_passwords_have_different_hashes() -> None:
    """Each has a salt of its own."""
    passwords = Passwords(CHEAP)

    assert passwords.hash("correct horse") != passwords.hash("correct horse")


def test_the_hash_says_how_it_was_made() -> None:
    """Its numbers stand in the text, and verify with them, not with today's."""
    old = Passwords(CHEAP).hash("correct horse")
    stronger = Passwords(Cost(log2_n=5, r=2, p=1))

    assert old.startswith("scrypt$4$1$1$")
    assert stronger.verify("correct horse", old) is True
    assert stronger.is_outdated(old)
    assert not stronger.is_outdated(stronger.hash("correct horse"))


def test_the_default_is_what_is_documented() -> None:
    """16 MiB and five passes: a weaker default would go unnoticed otherwise."""
    stored = Passwords().hash("correct horse")

    assert stored.startswith("scrypt$14$8$5$")
    assert Passwords().verify("correct horse", stored) is True


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "plain",
        "scrypt$14$8$5$AAAA",
        "scrypt$x$8$5$AAAA$AAAA",
        "scrypt$14$8$5$?$AAAA",
        "scrypt$63$8$5$AAAA$AAAA",
        "scrypt$20$32$1$AAAA$AAAA",
        "scrypt$0$8$1$AAAA$AAAA",
        "other$4$1$1$AAAA$AAAA",
    ],
)
def test_a_hash_that_is_none_fits_nothing(stored: str) -> None:
    """A damaged row refuses its user; one that asks for gigabytes does not get them."""
    assert Passwords(CHEAP).verify("correct horse", stored) is False


def test_nobody_costs_one_verification(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a user exists cannot be told by the time that an answer takes."""
    calls: list[dict[str, object]] = []
    real = hashlib.scrypt

    def counting(password: bytes, **given: object) -> bytes:
        calls.append({name: value for name, value in given.items() if name != "salt"})
        return real(password, **given)  # type: ignore[arg-type]

    passwords = Passwords(CHEAP)
    stored = passwords.hash("correct horse")
    monkeypatch.setattr(hashlib, "scrypt", counting)

    assert passwords.verify("wrong horse", stored) is False
    assert passwords.verify("wrong horse", None) is False
    assert passwords.verify("wrong horse", None) is False

    assert len(calls) == 3
    assert calls[0] == calls[1] == calls[2]


@pytest.mark.parametrize(("password", "stored", "fits"), OF_THE_ORIGINAL)
def test_a_hash_of_the_original_is_verified(password: str, stored: str, fits: bool) -> None:
    """By the system's libcrypt or the wheel."""
    if bcrypt._crypt() is None:
        pytest.skip("no bcrypt on this machine")
    assert Passwords(CHEAP).verify(password, stored) is fits
    assert Passwords(CHEAP).is_outdated(stored)


def test_a_long_password_of_the_original_was_hashed_first() -> None:
    """Beyond 72 bytes the original took the raw SHA-512; bcrypt itself would cut."""
    crypt = bcrypt._crypt()
    if crypt is None:
        pytest.skip("no bcrypt on this machine")
    settings = b"$2b$05$CCCCCCCCCCCCCCCCCCCCC."
    long = next(
        text
        for number in range(100)
        if b"\0" not in hashlib.sha512((text := f"{number:0100}").encode()).digest()
    )
    stored = crypt(hashlib.sha512(long.encode()).digest(), settings)
    assert stored is not None

    assert bcrypt.matches_bcrypt(long, stored.decode()) is True
    assert bcrypt.matches_bcrypt(long + "x", stored.decode()) is not True


def test_without_bcrypt_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither right nor wrong: the log has to say that it cannot be found out."""
    monkeypatch.setattr(bcrypt, "_crypt", lambda: None)

    assert Passwords(CHEAP).verify("U*U", OF_THE_ORIGINAL[1][1]) is None
