"""`packages.lock`, written and read."""

from __future__ import annotations

import pytest

from bakend.errors import SettingsError
from bakend.usercode.packages.lock import HEAD, Pin, read, write

A = f"sha256:{'a' * 64}"
B = f"sha256:{'b' * 64}"


def test_what_is_written_is_read() -> None:
    """Names, versions and every hash come back; the order does not matter."""
    pins = [Pin("numpy", "2.4.6", (A, B)), Pin("idna", "3.10+x", (A,))]

    assert read(write(pins)) == {pin.name: pin for pin in pins}
    assert write(pins) == write(reversed(pins))


def test_a_lock_is_a_requirements_file() -> None:
    """pip itself can install it, with hashes required."""
    assert write([Pin("idna", "3.10", (B, A))]) == (
        f"{HEAD}idna==3.10 \\\n    --hash={A} \\\n    --hash={B}\n"
    )


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy==2",
        f"numpy>=2 --hash={A}",
        "numpy==2 --hash=md5:00",
        f"numpy==2 --hash={A} --index-url=http://evil.example",
        "--index-url=http://evil.example",
        "<<<<<<< HEAD",
    ],
)
def test_a_damaged_lock_is_refused(line: str) -> None:
    """Nothing is installed from a line that was not written by us, such as half of a merge."""
    with pytest.raises(SettingsError, match=r"packages\.lock is damaged"):
        read(f"{HEAD}{line}\n")
