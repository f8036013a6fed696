"""What goes wrong with folders and files, as errors of ours."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bakend.errors import NotWritableError, StorageFullError, UnavailableError

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})


@contextmanager
def disk_errors() -> Iterator[None]:
    """Raise the system's errors as errors of ours.

    Raises:
        StorageFullError: No space is left.
        UnavailableError: No descriptor is left.
        NotWritableError: Anything else.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError(
                "No space is left on the disk", hint="free space on the disk of the files"
            ) from error
        if error.errno in _OUT_OF_DESCRIPTORS:
            raise UnavailableError("Server is at its limit of open files") from error
        raise NotWritableError(
            f"The folder of the files cannot be used: {error.strerror or error}",
            hint=f"look at {error.filename or 'the setting storage'}: its owner, and its disk",
        ) from error
