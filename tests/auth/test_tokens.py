"""Access tokens: what is ours and valid now, and nothing else."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.auth.tokens import Claims, issue, read

SECRET = "a secret of tests, of no use to anybody"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CLAIMS = {
    "iss": "bakend",
    "sub": "usr_1",
    "sid": "ses_1",
    "role": "admin",
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 60,
}
ENDS_S = NOW.timestamp() + 60


def token(ttl_s: int = 60) -> str:
    return issue(
        SECRET, user_id="usr_1", session_id="ses_1", role="authenticated", now=NOW, ttl_s=ttl_s
    )


def signed(secret: str = SECRET, algorithm: str = "HS256", **changes: object) -> str:
    claims = {name: value for name, value in (CLAIMS | changes).items() if value is not None}
    return jwt.encode(claims, secret, algorithm=algorithm)


def test_a_token_reads_back() -> None:
    """It names user and session, and carries what the original's readers expect."""
    parts = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token().split(".")[:2]]

    assert read(SECRET, token(), now=NOW) == Claims("usr_1", "ses_1", ENDS_S)
    assert parts[0] == {"alg": "HS256", "typ": "JWT"}
    assert parts[1] == {**CLAIMS, "role": "authenticated"}


def test_a_token_ends() -> None:
    """At the second of its end it is over."""
    assert read(SECRET, token(), now=NOW + timedelta(seconds=59)) is not None
    assert read(SECRET, token(), now=NOW + timedelta(seconds=60)) is None


def test_a_token_signed_by_the_test_is_good() -> None:
    """So the refusals below are for what was changed."""
    assert read(SECRET, signed(), now=NOW) == Claims("usr_1", "ses_1", ENDS_S)


@pytest.mark.parametrize(
    "bad",
    [
        signed(secret="another secret that has enough bytes"),
        signed(algorithm="HS512", secret="x" * 64),
        signed(sid=None),
        signed(sub=None),
        signed(exp=None),
        signed(iss=None),
        signed(iss="other"),
        signed(sid=7),
        signed(exp="soon"),
        signed(exp=True),
        signed(nbf=int(NOW.timestamp()) + 10),
        signed(nbf="later"),
        jwt.encode(CLAIMS, "", algorithm="none"),
        signed().rpartition(".")[0] + ".",
        signed().rpartition(".")[0] + ".sig==",
        "a.b.c",
        "..",
        "",
        "é.ü.ö",
        "\0",
        "x" * 100_000,
        signed() + ".",
        signed()[:-2],
    ],
)
def test_anything_else_is_nobody(bad: str) -> None:
    """Never an exception: the caller is anonymous."""
    assert read(SECRET, bad, now=NOW) is None


@given(st.text())
def test_no_text_trips_it(text: str) -> None:
    """Whatever stands in the header is read or is nobody's."""
    assert read(SECRET, text, now=NOW) is None


@given(
    st.dictionaries(
        st.sampled_from([*CLAIMS, "nbf", "aud"]),
        st.one_of(st.none(), st.integers(), st.text(), st.lists(st.integers())),
    )
)
def test_no_claims_trip_it(claims: dict[str, object]) -> None:
    """Also not what is rightly signed and makes no sense."""
    try:
        made = jwt.encode(claims, SECRET, algorithm="HS256")
    except (TypeError, ValueError, OverflowError):
        return
    read(SECRET, made, now=NOW)
