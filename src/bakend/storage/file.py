"""A file as its row has it, and as the API shows it."""

from __future__ import annotations

from typing import Any

from bakend.structs import Struct

VISIBILITIES = ("public", "protected")
"""Who may read a file: everybody, or its owner and administrators."""


class StoredFile(Struct, kw_only=True):
    """One file that was uploaded; its bytes lie on the disk under its id."""

    id: str
    filename: str
    mime_type: str
    size_bytes: int
    visibility: str
    user_id: str | None
    """Who owns it; None when that user is gone."""
    created_at: str
    sha256: str | None
    """Of its bytes, in hex; None for files of the original."""

    @property
    def is_public(self) -> bool:
        """Tell whether everybody may read it."""
        return self.visibility == "public"

    def to_wire(self) -> dict[str, Any]:
        """Return `{"id", "filename", "mimeType", "size", "visibility", "userId", "createdAt"}`.

        All are there and all but `size` are strings: clients in typed languages rely on it.
        """
        return {
            "id": self.id,
            "filename": self.filename,
            "mimeType": self.mime_type,
            "size": self.size_bytes,
            "visibility": self.visibility,
            "userId": self.user_id or "",
            "createdAt": self.created_at,
        }
