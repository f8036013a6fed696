"""Errors as sentences and exit codes."""

from __future__ import annotations

import pytest

from bakend import errors
from bakend.cli.failures import exit_code, lines


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SchemaTooNewError("newer"), 65),
        (errors.AddressInUseError("taken"), 69),
        (errors.UnavailableError("no network"), 69),
        (errors.PackageError("no wheel"), 1),
        (errors.NotWritableError("read-only"), 73),
        (errors.StorageFullError("full"), 73),
        (errors.DatabaseBusyError("busy"), 75),
        (errors.SettingsError(["wrong"]), 78),
        (errors.DefinitionError(["wrong"]), 78),
        (errors.DestructiveChangeError(["loses values"]), 78),
        (errors.DatabaseError("odd"), 1),
        (errors.InvalidInputError("odd"), 1),
        (errors.BakendError("odd"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_kind_of_failure_has_its_exit_code(error: errors.BakendError, code: int) -> None:
    """The nearest class in the table decides; what is not in it ends with 1."""
    assert exit_code(error) == code


def test_every_fault_has_a_line_and_the_way_out_comes_last() -> None:
    """All faults are shown at once, and below them what to do."""
    error = errors.SettingsError(["port is wrong", "storage is wrong"], hint="mend the file")

    assert lines(error) == ["port is wrong", "storage is wrong", "  Mend the file"]


def test_a_failure_without_a_hint_is_its_sentence() -> None:
    """Nothing is printed below a sentence that needs no advice."""
    assert lines(errors.AddressInUseError("Port 80 is already in use")) == [
        "Port 80 is already in use"
    ]
