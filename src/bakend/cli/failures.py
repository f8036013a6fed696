"""Failures of a command: one sentence on stderr, and an exit code that says which kind.

|  0 | done |
|  1 | anything not below |
|  2 | wrong usage |
|  3 | this executable belongs to a package manager or an image (upgrade) |
|  7 | the new version did not work: the old one is back (upgrade) |
| 10 | there is a newer version (upgrade --check) |
| 65 | the database is newer than this Bakend |
| 69 | the address is in use, or no good answer came |
| 70 | the executable is damaged, or a download is not what was published |
| 73 | a folder or file cannot be written |
| 75 | held by another process, try again |
| 78 | settings or project are wrong |

Source: the numbers from 64 on are those of sysexits.h.
"""

from __future__ import annotations

from typing import Final

from bakend.errors import (
    AddressInUseError,
    BakendError,
    DatabaseBusyError,
    DefinitionError,
    ManagedError,
    NotGenuineError,
    NotWritableError,
    SchemaTooNewError,
    SettingsError,
    StorageFullError,
    TakenBackError,
    UnavailableError,
)

USAGE: Final = 2
NEWER: Final = 10
NO_ANSWER: Final = 69
DAMAGED: Final = 70
"""Given by packaging/head/main.c: Python may not even start then."""
WRONG_PROJECT: Final = 78

EXIT_CODES: Final[dict[type[BakendError], int]] = {
    ManagedError: 3,
    TakenBackError: 7,
    NotGenuineError: DAMAGED,
    SchemaTooNewError: 65,
    AddressInUseError: NO_ANSWER,
    UnavailableError: NO_ANSWER,
    NotWritableError: 73,
    StorageFullError: 73,
    DatabaseBusyError: 75,
    SettingsError: WRONG_PROJECT,
    DefinitionError: WRONG_PROJECT,
}


def exit_code(error: BakendError) -> int:
    """Return the exit code of an error: that of its nearest class in the table, else 1."""
    for ancestor in type(error).__mro__:
        if ancestor in EXIT_CODES:
            return EXIT_CODES[ancestor]
    return 1


def lines(error: BakendError) -> list[str]:
    """Return what to print: each fault in a line, then what to do."""
    faults = list(error.faults) if isinstance(error, SettingsError | DefinitionError) else []
    hint = [f"  {error.hint[:1].upper()}{error.hint[1:]}"] if error.hint else []
    return [*(faults or [error.message]), *hint]
