"""The desk: what is said to each client, and when; it knows the log, and no socket.

Events are read for all clients at once, told in their order, and each client answered in between. One
that asks for what it has missed gets it page by page, and is live again without a gap: `replay`.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from bakend.clock import to_text
from bakend.collections.definition import Collection
from bakend.database.transaction import Snapshot
from bakend.errors import BakendError
from bakend.events.event import Draft, Event
from bakend.ids import new_id
from bakend.realtime import messages
from bakend.realtime.channels import covering
from bakend.realtime.hub import FindCollection, Hub, Told, tell
from bakend.realtime.messages import MessageError, Ping, Subscribe, Unsubscribe
from bakend.realtime.parts import Parts
from bakend.realtime.replay import PAGE, CatchingUp
from bakend.structs import Struct

BATCH: Final = 64
"""Events that are told before the sockets get their turn."""

REPLAYS_MAX: Final = 8
"""Connections that catch up at once; the others queue."""

INTERNAL_ERROR: Final = 1011
TRY_AGAIN_LATER: Final = 1013
"""Codes that a line is closed with (RFC 6455 7.4.1, and IANA's list)."""

_log = logging.getLogger("bakend.realtime")


class Line(Protocol):
    """The way to one client."""

    id: str
    catching_up: CatchingUp | None
    """None for a client that is live."""
    is_closing: bool

    @property
    def is_slow(self) -> bool:
        """Whether the client takes nothing more for now."""
        ...

    def send(self, text: str) -> None:
        """Send a text, or let it wait."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        ...


class Page(Struct):
    """A part of the log, read for one connection that catches up."""

    oldest: int
    """Number of the oldest event in the log."""
    told: list[Told]
    reached: int
    """Up to where it is complete."""


Read = Callable[[Callable[[], Page], Callable[[Page | None], None]], None]
"""Runs the first function on another thread, and calls the second on the loop with what it returned,
or with None where it failed."""


class Desk:
    """Talks to all clients. Thread: the loop's, but `_read_page`."""

    def __init__(self, parts: Parts, *, read: Read) -> None:
        """Take the parts."""
        self._parts = parts
        self._read = read
        self._hub = Hub()
        self._lines: dict[str, Line] = {}
        self._position = 0
        """Number of the last event that was told."""
        self._is_failing = False
        self._replaying: set[str] = set()
        self._replays_waiting: deque[str] = deque()

    def open(self) -> None:
        """Begin at the end of the log."""
        with self._parts.database.read() as snapshot:
            self._position = self._parts.event_log.end(snapshot)

    # Clients.

    def welcome(self, line: Line, token: str | None) -> None:
        """Take a client in, as whoever holds its token."""
        try:
            if not self._lines:
                self.open()  # before it is known who it is: what changes that comes behind
            holder = self._parts.identify(token)
        except BakendError as error:  # the database can't be read: better nobody than no client
            _log.warning("a client is anonymous, who it is cannot be found out: %s", error.message)
            holder = self._parts.identify(None)
        self._lines[line.id] = line
        self._hub.add(line.id, holder.identity, until_s=holder.until_s)
        line.send(messages.connected(line.id))

    def forget(self, line: Line) -> None:
        """Let a client go."""
        self._lines.pop(line.id, None)
        self._hub.remove(line.id)
        line.catching_up = None
        self._release(line.id)

    def hear(self, line: Line, data: bytes) -> None:
        """Answer a message."""
        try:
            message = messages.parse(data)
            match message:
                case Ping():
                    is_live = line.catching_up is None
                    line.send(messages.pong(self._position if is_live else None))
                case Unsubscribe(channel):
                    self._hub.unsubscribe(line.id, channel)
                    if line.catching_up is not None:
                        line.catching_up.leave(channel)
                    line.send(messages.unsubscribed(channel))
                case Subscribe(channel, since):
                    self._subscribe(line, channel, since)
        except MessageError as fault:
            line.send(messages.error(fault))
        except BakendError as error:
            _log.warning("a replay is not possible: %s", error.message)
            line.close(INTERNAL_ERROR, "The log cannot be read")

    def _subscribe(self, line: Line, channel: str, since: int | None) -> None:
        if since is not None:
            # Nobody has seen what is not told yet. And told after the subscription and before the
            # replay, it would come before what is older.
            while self.advance():
                pass
        known = self._hub.channels(line.id)
        if not self._hub.subscribe(line.id, channel):
            raise messages.limit_reached()
        if since is not None:
            line.send(messages.subscribed(channel))
            self._replay(line, channel, since)
            return
        line.send(messages.subscribed(channel, self._position))
        if line.catching_up is not None and channel not in known:
            line.catching_up.settle(channel, self._position)

    # Events.

    def advance(self) -> bool:
        """Tell the next few events; return whether there may be more."""
        if not self._lines:
            return False
        try:
            with self._parts.database.read() as snapshot:
                events = self._parts.event_log.since(snapshot, self._position, limit=BATCH)
                find = self._finder(snapshot)
        except BakendError as error:
            if not self._is_failing:
                _log.warning("Realtime is behind, and will catch up: %s", error.message)
            self._is_failing = True
            return False
        self._is_failing = False
        self._hub.expire(self._parts.clock.now().timestamp())
        if events and events[0].seq != self._position + 1:
            # Trimmed before they were told, and with them perhaps a logout: nobody is sure any more.
            _log.warning("events were trimmed before they could be told; all clients start anew")
            for line in list(self._lines.values()):
                line.close(TRY_AGAIN_LATER, "Events were missed")
            self._position = events[0].seq - 1
        for event in events:
            for client_id, text in self._hub.fan_out(event, find):
                line = self._lines[client_id]
                if line.catching_up is None:
                    line.send(text)
                else:
                    line.catching_up.hold(event.seq, covering(event.type), text)
            self._position = event.seq
        return len(events) == BATCH

    def tell(self, draft: Draft) -> None:
        """Tell an event that is not in the log, to who is there; also to those that catch up."""
        event = Event(
            seq=0,
            id=new_id("evt"),
            type=draft.type,
            source=draft.source,
            at=to_text(self._parts.clock.now()),
            subject=draft.subject,
            actor=None,
            by_admin=False,
            depth=0,
            payload=dict(draft.payload),
            before=None,
        )
        for client_id, text in self._hub.fan_out(event, lambda _name: None):
            self._lines[client_id].send(text)

    def _finder(self, snapshot: Snapshot) -> FindCollection:
        tables = self._parts.catalog.state(snapshot).tables

        def find(name: str) -> Collection | None:
            table = tables.get(name)
            return None if table is None else table.collection

        return find

    # Replays.

    def _replay(self, line: Line, channel: str, since: int) -> None:
        """Send what a channel has missed, or say that it cannot be told."""
        with self._parts.database.read() as snapshot:
            oldest = self._parts.event_log.oldest(snapshot)
            is_left_out = self._parts.event_log.is_left_out(snapshot, since)
        if since + 1 < oldest or since > self._position or is_left_out:
            if line.catching_up is not None:
                line.catching_up.settle(channel, self._position)
            line.send(messages.resync(channel, self._position))
            return
        if line.catching_up is None:
            others = self._hub.channels(line.id) - {channel}
            line.catching_up = CatchingUp(others, self._position)
            line.catching_up.ask(channel, since, self._position)
            self._replays_waiting.append(line.id)
            self._begin_replays()
        else:
            line.catching_up.ask(channel, since, self._position)

    def _begin_replays(self) -> None:
        while self._replays_waiting and len(self._replaying) < REPLAYS_MAX:
            line = self._lines.get(self._replays_waiting.popleft())
            if line is not None and line.catching_up is not None:
                self._replaying.add(line.id)
                self._read_next(line, line.catching_up)

    def _release(self, client_id: str) -> None:
        if client_id in self._replaying:
            self._replaying.remove(client_id)
            self._begin_replays()

    def _read_next(self, line: Line, catching_up: CatchingUp) -> None:
        upto = self._position
        after = catching_up.begin_page(upto)
        channels = tuple(catching_up.positions)
        self._read(
            lambda: self._read_page(after, upto, channels),
            lambda page: self._take_page(line, page),
        )

    def _read_page(self, after: int, upto: int, channels: tuple[str, ...]) -> Page:
        """Read a part of the log. Thread: `bakend-replay`."""
        log = self._parts.event_log
        with self._parts.database.read() as snapshot:
            oldest = log.oldest(snapshot)
            events = log.between(snapshot, after, upto, kinds=channels, limit=PAGE)
            find = self._finder(snapshot)
        told = [ready for event in events if (ready := tell(event, find)) is not None]
        return Page(oldest, told, events[-1].seq if len(events) == PAGE else upto)

    def _take_page(self, line: Line, page: Page | None) -> None:
        catching_up = line.catching_up
        if catching_up is None:
            return
        if page is None:
            line.close(INTERNAL_ERROR, "The log cannot be read")
            return
        catching_up.is_reading = False
        for channel in catching_up.lost(page.oldest):
            catching_up.settle(channel, self._position)
            line.send(messages.resync(channel, self._position))
        catching_up.page.extend(page.told)
        catching_up.reached = page.reached
        self.feed(line)

    def feed(self, line: Line) -> None:
        """Send what there is of a replay, as far as the client takes it, and go on."""
        catching_up = line.catching_up
        if catching_up is None or catching_up.is_reading or line.id not in self._replaying:
            return
        while catching_up.page:
            if line.is_slow or line.is_closing:
                return
            told = catching_up.page.popleft()
            if catching_up.is_news(told.seq, told.channels) and self._hub.may_see(line.id, told):
                line.send(told.text)
        catching_up.end_page()
        if not catching_up.is_complete():
            self._read_next(line, catching_up)
            return
        line.catching_up = None
        for channel in catching_up.asked:
            line.send(messages.replayed(channel, catching_up.upto))
        for text in catching_up.held():
            line.send(text)
        self._release(line.id)
