"""Which other origins' pages may call the API."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bakend.settings import LOCALHOST
from bakend.structs import Struct

ALLOWED_METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
ALLOWED_HEADERS: Final = "Authorization, Content-Type, If-None-Match, If-Range, Range"
EXPOSED_HEADERS: Final = "X-Request-Id, Retry-After, Content-Disposition, Content-Range, ETag"
PREFLIGHT_AGE_S: Final = 600
"""How long a browser may remember the answer; browsers cut it to 2 hours at the most anyway."""

_LOCALHOST: Final = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"


class Origins(Struct, kw_only=True):
    """The origins that are allowed."""

    exact: frozenset[str] = frozenset()
    """`https://example.com`, as browsers send them."""
    localhost: bool = False
    """Any port of this machine, for development."""
    everybody: bool = False

    def allow(self, origin: str) -> bool:
        """Tell whether pages of an origin may call."""
        if self.everybody or origin in self.exact:
            return True
        return self.localhost and re.fullmatch(_LOCALHOST, origin) is not None


def origins_of(texts: Sequence[str]) -> Origins:
    """Return the origins that the setting `cors.origins` names."""
    return Origins(
        exact=frozenset(texts) - {LOCALHOST, "*"},
        localhost=LOCALHOST in texts,
        everybody="*" in texts,
    )


def cors_headers(
    origin: str | None, origins: Origins, *, is_preflight: bool
) -> list[tuple[str, str]]:
    """Return the headers that an answer to a page of this origin carries.

    Credentials are never allowed: Bakend has no cookies, tokens travel in a header of their own.
    """
    headers = [("Vary", "Origin")]
    if origin is None or not origins.allow(origin):
        return headers
    headers += [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Expose-Headers", EXPOSED_HEADERS),
    ]
    if is_preflight:
        headers += [
            ("Access-Control-Allow-Methods", ALLOWED_METHODS),
            ("Access-Control-Allow-Headers", ALLOWED_HEADERS),
            ("Access-Control-Max-Age", str(PREFLIGHT_AGE_S)),
        ]
    return headers
