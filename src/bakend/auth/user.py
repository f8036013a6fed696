"""A user as its row has it, and as the API shows it (pure)."""

from __future__ import annotations

from typing import Any, Final

from bakend.structs import Struct

ROLES: Final = ("admin", "authenticated", "public")
"""What a user may be. `public` passes the same rules as `authenticated`; the word is the original's."""


class User(Struct, kw_only=True):
    """Somebody with an account."""

    id: str
    email: str
    role: str
    created_at: str

    def to_wire(self) -> dict[str, Any]:
        """Return `{"id", "email", "role", "createdAt"}`."""
        return {
            "id": self.id,
            "email": self.email,
            "role": self.role,
            "createdAt": self.created_at,
        }
