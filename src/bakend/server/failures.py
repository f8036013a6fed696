"""What goes wrong below the application, as errors of ours: Waitress' own, and the system's."""

from __future__ import annotations

import errno
import logging
from typing import Any, Final

from bakend.errors import BakendError, InvalidInputError, StorageFullError, UnavailableError
from bakend.structs import Struct

DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})

_log = logging.getLogger("bakend.server")


class Refusal(Struct):
    """Why a request is not handed to the application, and the status that says so."""

    error: BakendError
    status: int


def from_waitress(failure: Any) -> Refusal:
    """Return what an error of Waitress' parser means; its text is a sentence without internals."""
    match failure.code:
        case 431:
            return Refusal(InvalidInputError("Request head is too large"), 431)
        case 501:
            return Refusal(InvalidInputError("Only Transfer-Encoding: chunked is supported"), 501)
        case _:
            return Refusal(InvalidInputError(str(failure.body)), 400)


def from_system(failure: BaseException) -> Refusal:
    """Return what an exception means to the client, and log it: in full if it was not expected."""
    number = failure.errno if isinstance(failure, OSError) else None
    if number in DISK_FULL:
        _log.error("no space left for a body or an answer: %s", failure)
        return Refusal(StorageFullError("No space left on the server"), 507)
    if number in OUT_OF_DESCRIPTORS:
        _log.error("no descriptor left for a body or an answer: %s", failure)
        return Refusal(UnavailableError("Server is at its limit of open files"), 503)
    _log.error("a request failed", exc_info=failure)
    return Refusal(BakendError("Internal error"), 500)
