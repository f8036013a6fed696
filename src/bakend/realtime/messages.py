"""What is said on the WebSocket: JSON texts to objects, and back.

Client to server: `{"action": "subscribe", "channel", "since"?}`, `{"action": "unsubscribe", "channel"}`,
`{"action": "ping"}`; unknown keys are ignored.
"""

from __future__ import annotations

from typing import Any, Final

from bakend import wire
from bakend.errors import InvalidInputError
from bakend.realtime.channels import is_valid
from bakend.structs import Struct

SUBSCRIPTIONS_MAX: Final = 50

SEQ_MAX: Final = 2**53
"""Where the integers of JavaScript end; no event has a higher number."""

DEPTH_MAX: Final = 64

CODES: Final = ("invalid_json", "invalid_channel", "invalid_since", "subscription_limit")
"""Every code of an error message."""


class Subscribe(Struct):
    """Wants the events of a channel from now on, or from behind a number on."""

    channel: str
    since: int | None = None


class Unsubscribe(Struct):
    """Wants them no more."""

    channel: str


class Ping(Struct):
    """Wants a sign of life."""


class MessageError(Exception):
    """Raised for a message that says nothing that we understand; the connection stays."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def parse(data: bytes) -> Subscribe | Unsubscribe | Ping:
    """Read a message of a client.

    Raises:
        MessageError: It cannot be understood.
    """
    try:
        message = wire.decode(data, max_depth=DEPTH_MAX)
    except InvalidInputError:
        message = None
    if not isinstance(message, dict):
        raise _no_message()
    action = message.get("action")
    if action == "ping":
        return Ping()
    channel = message.get("channel")
    if action not in ("subscribe", "unsubscribe") or not isinstance(channel, str):
        raise _no_message()
    if not is_valid(channel):
        raise MessageError("invalid_channel", "Channel name is invalid")
    if action == "unsubscribe":
        return Unsubscribe(channel)
    return Subscribe(channel, _since(message))


def _no_message() -> MessageError:
    return MessageError("invalid_json", "Invalid JSON message")


def _since(message: dict[str, Any]) -> int | None:
    since = message.get("since")
    if since is None:
        return None
    if isinstance(since, bool) or not isinstance(since, int) or not 0 <= since <= SEQ_MAX:
        raise MessageError("invalid_since", "since must be the number of an event")
    return since


# Server to client


def connected(client: str) -> str:
    """Return the first message."""
    return wire.encode({"type": "connected", "clientId": client})


def subscribed(channel: str, seq: int | None = None) -> str:
    """Return the answer to a subscription.

    Args:
        channel: The channel.
        seq: The position: events behind it will come. None where a replay follows.
    """
    return _of_channel("subscribed", channel, seq)


def unsubscribed(channel: str) -> str:
    """Return the answer to the end of a subscription."""
    return _of_channel("unsubscribed", channel, None)


def replayed(channel: str, seq: int) -> str:
    """Say that what was missed has been sent, up to a number."""
    return _of_channel("replayed", channel, seq)


def resync(channel: str, seq: int) -> str:
    """Say that what was missed cannot be told: the client has to read anew."""
    return _of_channel("resync", channel, seq)


def pong(seq: int | None) -> str:
    """Return the answer to a ping, with the position where it is known."""
    return wire.encode({"type": "pong"} if seq is None else {"type": "pong", "seq": seq})


def error(fault: MessageError) -> str:
    """Return the answer to what could not be understood."""
    return wire.encode({"type": "error", "code": fault.code, "message": fault.message})


def limit_reached() -> MessageError:
    """Return the error of one subscription too many."""
    return MessageError(
        "subscription_limit", f"Maximum {SUBSCRIPTIONS_MAX} subscriptions per connection"
    )


def event(seq: int, content: dict[str, Any]) -> str:
    """Return what tells of an event; only those of the log have a number."""
    return wire.encode({"type": "event", **({"seq": seq} if seq else {}), "event": content})


def _of_channel(kind: str, channel: str, seq: int | None) -> str:
    message: dict[str, object] = {"type": kind, "channel": channel}
    if seq is not None:
        message["seq"] = seq
    return wire.encode(message)
