"""What is in a release, and which version comes after which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.errors import NotGenuineError, UnavailableError
from bakend.upgrade import releases

A, B = "a" * 64, "b" * 64
SUMS = f"""{A}  bakend-latest-linux-x64.tar.gz
{B}  bakend-v1.9.0-linux-x64.tar.gz
{A}  bakend-v1.10.0-linux-x64.tar.gz
{A}  bakend-v1.10.0-linux-arm64.tar.gz
{B}  bakend-v1.10.0.pyz
""".encode()


def test_the_newest_has_the_bytes_of_latest() -> None:
    """Names do not say which is newest; the checksum of the name that stays does."""
    assert releases.choose(SUMS, None, "linux-x64") == releases.Asset(
        "1.10.0", "bakend-v1.10.0-linux-x64.tar.gz", A
    )


def test_a_version_is_found_by_its_name() -> None:
    """And what is there instead is named, if it is not."""
    assert releases.choose(SUMS, "1.9.0", "linux-x64").sha256 == B
    with pytest.raises(UnavailableError) as error:
        releases.choose(SUMS, "1.9.0", "linux-arm64")
    assert "bakend-v1.10.0-linux-arm64.tar.gz" in error.value.hint


@given(st.binary(max_size=300))
def test_any_list_at_all_is_answered(sums: bytes) -> None:
    """A list that is none is an error of ours."""
    with pytest.raises(UnavailableError):
        releases.choose(sums, None, "linux-x64")


def test_a_name_leads_nowhere_else() -> None:
    """A name with a path in it is not in the list."""
    sums = f"{A}  bakend-latest-linux-x64.tar.gz\n{A}  ../bakend-v1-linux-x64.tar.gz\n".encode()
    with pytest.raises(UnavailableError):
        releases.choose(sums, None, "linux-x64")


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.0", "1.10.0"),
        ("0.9.9", "1.0.0"),
        ("1.0.0-rc.1", "1.0.0"),
        ("1.0.0-rc.2", "1.0.0-rc.10"),
        ("1.0.0-1", "1.0.0-alpha"),
        ("1.0.0-alpha", "1.0.0-alpha.1"),
    ],
)
def test_versions_have_an_order(older: str, newer: str) -> None:
    """That of semver.org."""
    assert releases.is_newer(newer, older)
    assert not releases.is_newer(older, newer)
    assert not releases.is_newer(older, older)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3/..", "1.2.3 ", "9" * 99 + ".0.0", "latest"]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    """It would become part of an address."""
    with pytest.raises(NotGenuineError):
        releases.require_version(text)


def test_addresses() -> None:
    """The newest needs no API of GitHub, which counts calls."""
    base = "https://github.com/alpbak/bakend/releases"
    assert releases.folder(None, None) == f"{base}/latest/download"
    assert releases.folder(None, "1.2.3") == f"{base}/download/v1.2.3"
    assert releases.folder("http://here/x/", "1.2.3") == "http://here/x"
