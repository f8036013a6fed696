"""`Reject`: how a function before a write says no."""

from __future__ import annotations

from typing import Final

from bakend.errors import Fault, ValidationError

RULE: Final = "rejected"


class Reject(ValidationError):
    """Raised in a `before_…` function to refuse the write; the client gets 400 `validation_error`.

    raise Reject("Only 3 are left", field="stock")
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        """Say why.

        Args:
            message: For the client, one sentence.
            field: Which field is to blame; "" for none in particular.
        """
        if not isinstance(message, str) or not isinstance(field, str):
            raise TypeError('Reject takes texts: Reject("Only 3 are left", field="stock")')
        super().__init__([Fault(field, RULE, message)])

    def __str__(self) -> str:
        """Return the reason, for logs."""
        return self.faults[0].message
