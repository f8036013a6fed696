"""The hub: who is connected as whom, who has subscribed to what, and so who is told of an event.

It knows no socket and has no lock: the loop alone asks it. Events pass in the order of their commits,
and those about accounts change who the clients are as they pass. So a client that is logged out by
event 57 gets what it may see up to 57, and from 58 on what anonymous clients get.

Nobody is visited who cannot be told: subscribers stand by channel, apart from each other those who
are signed in and those who are not; for what only some users may see, clients stand by user.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Final

from bakend import access
from bakend.access import Viewers
from bakend.auth.identity import ANONYMOUS, Identity
from bakend.collections.definition import Collection
from bakend.events.event import Event
from bakend.realtime import messages
from bakend.realtime.channels import covering
from bakend.realtime.messages import SUBSCRIPTIONS_MAX
from bakend.structs import Struct

SYSTEM_FIELDS: Final = frozenset({"id", "createdAt", "updatedAt"})

FindCollection = Callable[[str], Collection | None]
"""Returns a collection that can be used, as it is today."""


class Told(Struct):
    """An event, ready to be told."""

    seq: int
    channels: tuple[str, ...]
    """Those that cover it."""
    viewers: Viewers
    text: str


def tell(event: Event, find_collection: FindCollection) -> Told | None:
    """Return an event ready to be told, under today's rules; None when nobody may see it."""
    collection = _collection_of(event, find_collection)
    viewers = access.viewers(event, collection)
    if viewers is None:
        return None
    return Told(event.seq, covering(event.type), viewers, _text(event, collection))


def _collection_of(event: Event, find_collection: FindCollection) -> Collection | None:
    name = event.audience.collection
    return None if name is None else find_collection(name)


def _text(event: Event, collection: Collection | None) -> str:
    content = event.to_wire()
    if collection is not None:
        # A field that was taken out of the definition is in no answer of the API either.
        known = SYSTEM_FIELDS.union(field.name for field in collection.fields)
        if not known.issuperset(event.payload):
            content["payload"] = {
                name: value for name, value in event.payload.items() if name in known
            }
    return messages.event(event.seq, content)


class _Client:
    """One connection, as the hub sees it."""

    __slots__ = ("channels", "id", "identity", "until_s")

    def __init__(self, client_id: str) -> None:
        self.id = client_id
        self.identity = ANONYMOUS
        self.until_s: float | None = None
        self.channels: set[str] = set()


class _Subscribers:
    """The clients of one channel."""

    __slots__ = ("anonymous", "signed_in")

    def __init__(self) -> None:
        self.anonymous: set[str] = set()
        self.signed_in: set[str] = set()

    def of(self, identity: Identity) -> set[str]:
        return self.anonymous if identity.is_anonymous else self.signed_in


class Hub:
    """Clients and their subscriptions. Thread: the loop's."""

    def __init__(self) -> None:
        self._clients: dict[str, _Client] = {}
        self._by_channel: dict[str, _Subscribers] = {}
        self._by_user: dict[str, set[str]] = {}
        self._admins: set[str] = set()
        self._ends: list[tuple[float, str]] = []
        """A heap: when a token ends, and whose. Entries of clients that are gone may be in it."""

    def add(self, client_id: str, identity: Identity, *, until_s: float | None = None) -> None:
        """Take in a client.

        Args:
            client_id: Its id.
            identity: Who it is.
            until_s: When its token ends, in seconds since 1970.
        """
        client = _Client(client_id)
        self._clients[client_id] = client
        self._become(client, identity)
        if until_s is not None and not identity.is_anonymous:
            client.until_s = until_s
            heapq.heappush(self._ends, (until_s, client_id))

    def remove(self, client_id: str) -> None:
        """Forget a client; one that is not known is no fault."""
        client = self._clients.pop(client_id, None)
        if client is None:
            return
        for channel in client.channels:
            self._leave(client, channel)
        self._be_nobody(client)

    def subscribe(self, client_id: str, channel: str) -> bool:
        """Subscribe a client, also again; return False when it has too many channels."""
        client = self._clients[client_id]
        if channel in client.channels:
            return True
        if len(client.channels) >= SUBSCRIPTIONS_MAX:
            return False
        client.channels.add(channel)
        self._by_channel.setdefault(channel, _Subscribers()).of(client.identity).add(client_id)
        return True

    def unsubscribe(self, client_id: str, channel: str) -> None:
        """End a subscription, if there is one."""
        client = self._clients[client_id]
        if channel in client.channels:
            client.channels.remove(channel)
            self._leave(client, channel)

    def channels(self, client_id: str) -> frozenset[str]:
        """Return what a client has subscribed to."""
        return frozenset(self._clients[client_id].channels)

    def identity(self, client_id: str) -> Identity:
        """Return who a client is by now."""
        return self._clients[client_id].identity

    def expire(self, now_s: float) -> None:
        """Make those anonymous whose tokens have ended."""
        while self._ends and self._ends[0][0] <= now_s:
            until_s, client_id = heapq.heappop(self._ends)
            client = self._clients.get(client_id)
            if client is not None and client.until_s == until_s:
                self._become(client, ANONYMOUS)

    def fan_out(self, event: Event, find_collection: FindCollection) -> list[tuple[str, str]]:
        """Return who is told of an event, and the text, the same for all; then let it take effect."""
        told: list[tuple[str, str]] = []
        if any(channel in self._by_channel for channel in covering(event.type)):
            ready = tell(event, find_collection)
            if ready is not None:
                told = [(client_id, ready.text) for client_id in self._receivers(ready)]
        if event.source == "auth":
            self._follow(event)
        return told

    def may_see(self, client_id: str, told: Told) -> bool:
        """Tell whether a client may see an event, as whoever it is by now."""
        return access.may_see(self._clients[client_id].identity, told.viewers)

    def _receivers(self, told: Told) -> Iterable[str]:
        viewers = told.viewers
        if not (viewers.everyone or viewers.signed_in):
            groups = [self._admins, *(self._by_user.get(user, set()) for user in viewers.users)]
            return {
                client_id
                for group in groups
                for client_id in group
                if not self._clients[client_id].channels.isdisjoint(told.channels)
            }
        found = [
            subscribers
            for channel in told.channels
            if (subscribers := self._by_channel.get(channel)) is not None
        ]
        receivers: set[str] = set()
        for subscribers in found:
            receivers |= subscribers.signed_in
            if viewers.everyone:
                receivers |= subscribers.anonymous
        return receivers

    # Who the clients are.

    def _follow(self, event: Event) -> None:
        """Let an event about an account change who its clients are."""
        clients = [self._clients[each] for each in self._by_user.get(event.subject, ())]
        match event.type:
            case "auth.deleted":
                self._lose(clients)
            case "auth.logout":
                self._lose(clients, session=(event.before or {}).get("sessionId"))
            case "auth.session_revoked":
                self._lose(clients, session=event.payload.get("sessionId"))
            case "auth.updated":
                role = event.payload.get("role")
                for client in clients:
                    # Without a role: the user is deleted by now, and his events are blanked.
                    new = client.identity.replaced(role=role) if role else ANONYMOUS
                    self._become(client, new)
            case _:
                pass

    def _lose(self, clients: Iterable[_Client], session: str | None = None) -> None:
        """Make clients anonymous: those of one session, or all of them."""
        for client in clients:
            if session is None or client.identity.session == session:
                self._become(client, ANONYMOUS)

    def _become(self, client: _Client, identity: Identity) -> None:
        self._be_nobody(client)
        for channel in client.channels:
            subscribers = self._by_channel[channel]
            subscribers.of(client.identity).discard(client.id)
            subscribers.of(identity).add(client.id)
        client.identity = identity
        if identity.id is not None:
            self._by_user.setdefault(identity.id, set()).add(client.id)
        if identity.is_admin:
            self._admins.add(client.id)

    def _be_nobody(self, client: _Client) -> None:
        """Take a client out of what is kept by user."""
        user = client.identity.id
        if user is not None:
            group = self._by_user.get(user, set())
            group.discard(client.id)
            if not group:
                self._by_user.pop(user, None)
        self._admins.discard(client.id)

    def _leave(self, client: _Client, channel: str) -> None:
        subscribers = self._by_channel[channel]
        subscribers.of(client.identity).discard(client.id)
        if not subscribers.anonymous and not subscribers.signed_in:
            del self._by_channel[channel]
