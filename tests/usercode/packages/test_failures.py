"""pip's failures as sentences."""

from __future__ import annotations

import pytest

from bakend.errors import (
    InvalidInputError,
    NotWritableError,
    PackageError,
    StorageFullError,
    UnavailableError,
)
from bakend.usercode.packages.failures import UnmetError, VersionConflictError, explain


@pytest.mark.parametrize(
    ("output", "kind", "words"),
    [
        ("/usr/bin/python3: No module named pip", PackageError, "has no pip"),
        (
            "ERROR: Could not install packages due to an OSError: "
            "[Errno 28] No space left on device",
            StorageFullError,
            "disk is full",
        ),
        (
            "ERROR: Could not install packages due to an OSError: "
            "[Errno 13] Permission denied: '/srv/.bakend'",
            NotWritableError,
            "/srv/.bakend cannot be written",
        ),
        (
            "WARNING: Retrying (Retry(total=4)) after connection broken by 'NewConnectionError("
            "'<X object>: Failed to establish a new connection: [Errno -3] Temporary failure in "
            "name resolution')': /simple/x/\n"
            "ERROR: Could not find a version that satisfies the requirement x (from versions: none)",
            UnavailableError,
            "(Temporary failure in name resolution)",
        ),
        (
            "Could not fetch URL https://index/simple/x/: 503 Server Error: Busy for url: - skipping",
            UnavailableError,
            "(503 Server Error: Busy for url)",
        ),
        (
            "WARNING: The repository located at intern is not a trusted or secure host and is being "
            "ignored. If …\nERROR: Could not find a version that satisfies the requirement x "
            "(from versions: none)",
            UnavailableError,
            "index at intern, because that is not https",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement six>99 "
            "(from versions: 1.16.0, 1.17.0)\nERROR: No matching distribution found for six>99",
            UnmetError,
            'fits "six>99"; there are 1.16.0, 1.17.0',
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement b>1 (from a) "
            "(from versions: 1.0)",
            UnmetError,
            'fits "b>1"; there are 1.0',
        ),
        (
            "The conflict is caused by:\n    The user requested flask==2.0\n"
            "    The user requested (constraint) flask==3.1.3\n\nTo fix this you could try",
            VersionConflictError,
            "flask==2.0; flask 3.1.3, which is fixed",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have"
            "\n    alpha==1.0 from http://index/alpha.whl:\n        Expected sha256 00",
            PackageError,
            "another file for alpha==1.0",
        ),
        ("ERROR: Invalid requirement: 'x;y': Expected", InvalidInputError, "'x;y'"),
        ("noise\nERROR: Something new.\n", PackageError, "pip failed: Something new"),
        ("", PackageError, "it said nothing"),
    ],
)
def test_each_failure_is_a_sentence(output: str, kind: type[Exception], words: str) -> None:
    """What pip prints becomes the error it means, in one line; the unknown is passed on."""
    error = explain(output)

    assert type(error) is kind
    assert words in error.message
    assert "\n" not in error.message
