"""JSON as it comes in and as it leaves."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend import wire
from bakend.errors import InvalidInputError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**300), 10**300)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@given(JSON)
def test_what_is_written_reads_back(value: object) -> None:
    """Any JSON value survives being written and read."""
    assert wire.decode(wire.encode(value).encode(), max_depth=64) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_refusal(body: bytes) -> None:
    """Bytes are refused, or they are a value that survives being written and read again."""
    try:
        value = wire.decode(body, max_depth=64)
    except InvalidInputError:
        return
    assert wire.decode(wire.encode(value).encode(), max_depth=64) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b"NaN",
        b"[Infinity]",
        b"1e400",
        b"-1e400",
        b"1" * 401,
        b"0." + b"1" * 400,
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b"[" * 65 + b"]" * 65,
        b"[" * 100_000,
        b'{"a":' * 70 + b"1" + b"}" * 70,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_could_not_be_given_back_is_refused(body: bytes) -> None:
    """Half a value, a value no double holds, a lone surrogate, and too deep a nest are refused."""
    with pytest.raises(InvalidInputError, match="Invalid JSON body"):
        wire.decode(body, max_depth=64)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xef\xbb\xbf[1]", [1]),
        (b'"\xff"', "\ufffd"),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\u0000"', "\x00"),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b"1" * 400, int("1" * 400)),
    ],
    ids=lambda part: repr(part)[:20],
)
def test_what_other_servers_take_is_taken(body: bytes, value: object) -> None:
    """A byte order mark, invalid UTF-8 and repeated keys are read as everybody reads them."""
    assert wire.decode(body, max_depth=64) == value


def test_the_sign_of_zero_is_kept() -> None:
    """A minus before a zero is part of the value."""
    assert math.copysign(1, wire.decode(b"-0.0", max_depth=1)) == -1
