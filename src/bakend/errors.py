"""The errors of Bakend, in one tree.

    BakendError                      internal_error
    ├─ InvalidInputError             bad_request            malformed body, bad value of a known parameter
    │  └─ ValidationError            validation_error       a record that breaks its definition
    ├─ AuthenticationError           unauthorized           no identity where one is needed
    ├─ PermissionDeniedError         forbidden
    ├─ NotFoundError                 not_found
    │  ├─ CollectionNotFoundError
    │  └─ RecordNotFoundError
    ├─ MethodNotAllowedError         method_not_allowed
    ├─ ConflictError                 conflict               somebody else has it already
    ├─ PayloadTooLargeError          payload_too_large
    ├─ RangeNotSatisfiableError      range_not_satisfiable  a part of a file that it does not have
    ├─ RateLimitedError              rate_limited           too many tries; later it may succeed
    ├─ UnavailableError              unavailable            try again later: draining, quarantined
    ├─ DefinitionError               bad_request            a definition, or its change, is not possible
    │  ├─ PatternError               bad_request            a regex that cannot be used
    │  └─ DestructiveChangeError     bad_request            possible, and would lose values
    ├─ SettingsError                 (never on the wire)    settings or project are wrong
    ├─ AddressInUseError             (never on the wire)
    ├─ NotWritableError              (never on the wire)    a folder or file cannot be written
    ├─ BackupError                   (never on the wire)    an archive is damaged, or is no backup
    ├─ UpgradeError                  (never on the wire)    the executable cannot be replaced
    │  ├─ ManagedError               (never on the wire)    others replace it
    │  ├─ NotGenuineError            (never on the wire)    a download is not what was published
    │  └─ TakenBackError             (never on the wire)    the new one failed: the old one is back
    ├─ UserCodeError                 internal_error         a function or job did what it may not, or failed
    ├─ PackageError                  (never on the wire)    a package for the user's code cannot be had
    └─ DatabaseError                 internal_error
       ├─ DatabaseBusyError          unavailable            another process holds the write lock
       ├─ StorageFullError           insufficient_storage   no space left for a write
       └─ SchemaTooNewError          (never on the wire)    the database is newer than this Bakend

An error knows no HTTP status and no exit code: `api/errors.py` and `cli/failures.py` have those tables.
A message is one sentence for the reader of the API or the terminal, without a stop at its end and
without internals; the hint is for the operator: what to do, with the command.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from bakend.structs import Struct


class Fault(Struct):
    """One thing wrong with one field of a record, as the API shows it."""

    field: str
    rule: str
    message: str


class BakendError(Exception):
    """Raised when Bakend cannot do what it was asked; every error of ours is one."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInputError(BakendError):
    """Raised when a request or an argument cannot be understood."""

    code = "bad_request"


class ValidationError(InvalidInputError):
    """Raised when a record breaks its definition; carries every fault at once."""

    code = "validation_error"

    def __init__(self, faults: Iterable[Fault]) -> None:
        super().__init__("Validation failed")
        self.faults: tuple[Fault, ...] = tuple(faults)


class AuthenticationError(BakendError):
    """Raised when nobody is signed in and somebody has to be."""

    code = "unauthorized"


class PermissionDeniedError(BakendError):
    """Raised when the caller is known and may not."""

    code = "forbidden"


class NotFoundError(BakendError):
    """Raised when what was asked for does not exist, or may not be known to exist."""

    code = "not_found"


class CollectionNotFoundError(NotFoundError):
    """Raised when no collection has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f'Collection "{name}" does not exist')


class RecordNotFoundError(NotFoundError):
    """Raised when no record has that id, or the caller may not know of it."""

    def __init__(self, record_id: str) -> None:
        super().__init__(f'Record "{record_id}" not found')


class MethodNotAllowedError(BakendError):
    """Raised when a route exists and does not answer this method."""

    code = "method_not_allowed"

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__("Method not allowed")
        self.allowed: tuple[str, ...] = tuple(allowed)


class UpgradeRequiredError(BakendError):
    """Raised when a route is there for WebSockets only, and the request is no handshake for one."""

    code = "unsupported_upgrade"


class ConflictError(BakendError):
    """Raised when what was asked for would be there twice, or would leave nobody in charge."""

    code = "conflict"


class PayloadTooLargeError(BakendError):
    """Raised when a body is larger than its route takes."""

    code = "payload_too_large"


class RangeNotSatisfiableError(BakendError):
    """Raised when a part of a file is asked for that it does not have."""

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__("Requested range is not satisfiable")
        self.size_bytes = size_bytes


class RateLimitedError(BakendError):
    """Raised when somebody has tried too often."""

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnavailableError(BakendError):
    """Raised when the same request may succeed later."""

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 1, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class DefinitionError(BakendError):
    """Raised when a definition, or the change to it, is not possible; carries every fault at once."""

    code = "bad_request"

    def __init__(self, faults: Iterable[str], *, hint: str = "") -> None:
        self.faults: tuple[str, ...] = tuple(faults)
        super().__init__("; ".join(self.faults), hint=hint)


class PatternError(DefinitionError):
    """Raised when a regex is no JavaScript, or says what Python's `re` cannot; names the place."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__([f"{reason} at character {at + 1}"])


class DestructiveChangeError(DefinitionError):
    """Raised when a change would lose stored values and nobody has agreed to that."""


class SettingsError(BakendError):
    """Raised when settings or the project folder are wrong; carries every fault at once."""

    def __init__(self, faults: Iterable[str], *, hint: str = "") -> None:
        self.faults: tuple[str, ...] = tuple(faults)
        super().__init__("\n".join(self.faults), hint=hint)


class AddressInUseError(BakendError):
    """Raised when the address to listen on is taken."""


class NotWritableError(BakendError):
    """Raised when a folder or file of the project cannot be written."""


class BackupError(BakendError):
    """Raised when an archive is damaged, is no backup, or cannot be restored."""


class UpgradeError(BakendError):
    """Raised when the executable cannot be replaced, and nothing was changed."""


class ManagedError(UpgradeError):
    """Raised when the executable belongs to a package manager or an image."""


class NotGenuineError(UpgradeError):
    """Raised when a download is not what was published, or does not run here."""


class TakenBackError(UpgradeError):
    """Raised when a new version did not work, and the old one is in its place again."""


class PackageError(BakendError):
    """Raised when a package for the user's own code cannot be had in the version asked for."""


class UserCodeError(BakendError):
    """Raised when a function or job of the project does what it may not, or fails a request."""


class DatabaseError(BakendError):
    """Raised when the database fails for a reason that the caller did not cause."""


class DatabaseBusyError(DatabaseError):
    """Raised when another process held the write lock for longer than `database.busyTimeout`."""

    code = "unavailable"
    retry_after_s: ClassVar[int] = 1


class StorageFullError(DatabaseError):
    """Raised when a write found no space on the disk."""

    code = "insufficient_storage"


class SchemaTooNewError(DatabaseError):
    """Raised when a database was written by a newer Bakend."""
