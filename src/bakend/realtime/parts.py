"""What realtime is made of, and how a connection comes to it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping

from bakend.auth.authenticator import Holder
from bakend.clock import Clock
from bakend.collections.catalog import Catalog
from bakend.database.connection import Database
from bakend.events.bus import Bus
from bakend.events.log import EventLog
from bakend.structs import Struct


class Parts(Struct, kw_only=True):
    """What realtime is made of."""

    clock: Clock
    database: Database
    event_log: EventLog
    bus: Bus
    catalog: Catalog
    identify: Callable[[str | None], Holder]
    """Says who holds an access token."""
    allows_origin: Callable[[str], bool]
    """Says whether pages of an origin may connect."""
    max_message_bytes: int
    ping_s: float
    timeout_s: float


class Arrival(Struct, kw_only=True):
    """A connection whose handshake the server has read."""

    sock: socket.socket
    headers: Mapping[str, str]
    token: str | None
    rest: bytes
    """What was read behind the handshake."""
