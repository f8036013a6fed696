"""Identity: who is asking."""

from __future__ import annotations

from typing import Final

from bakend.events.event import Actor
from bakend.structs import Struct


class Identity(Struct, kw_only=True):
    """A user, or nobody."""

    id: str | None
    """Id of the user; None for anonymous callers."""
    email: str | None
    role: str
    """`admin`, `authenticated` or `public`."""
    session: str | None = None
    """Id of the session that the caller's token belongs to; None for anonymous callers."""

    @property
    def is_anonymous(self) -> bool:
        """Tell whether nobody is signed in."""
        return self.id is None

    @property
    def is_admin(self) -> bool:
        """Tell whether this is an administrator."""
        return self.role == "admin"

    @property
    def actor(self) -> Actor:
        """Who this is in the events of what he changes."""
        return Actor(id=self.id, is_admin=self.is_admin)


ANONYMOUS: Final = Identity(id=None, email=None, role="public")
