"""Catching up: what one connection that was away still has to get before it is live again.

A connection that catches up has a position for each of its channels. For one that asked for a replay
that is the number it named; for the others, the last event that was sent when it began. The log is
read from the lowest position on, in pages, and each event is sent for whose channels it is news.

What happens while the last page is read and sent is held, and follows it: so there is no gap, and no
end of catching up on a busy server. When more is held than an outbox takes, it is let go of, and read
from the log instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from bakend.realtime.hub import Told

PAGE: Final = 500
"""Events that are read at once."""

HELD_MAX: Final = 128
HELD_BYTES: Final = 512 * 1024
"""Half an outbox: when the page is sent, this goes there all at once."""


class CatchingUp:
    """The state of one connection that is not live. Thread: the loop's."""

    def __init__(self, channels: Iterable[str], position: int) -> None:
        """Begin, for a connection that has been told everything up to a position."""
        self.positions: dict[str, int] = dict.fromkeys(channels, position)
        self.asked: list[str] = []
        """Channels that wait for the word that their replay is complete."""
        self.upto = position
        """How far the page reaches that is being read or sent."""
        self._needed = position
        """How far pages have to reach, at the least."""
        self.page: deque[Told] = deque()
        self.reached = position
        """Up to where that page is complete."""
        self.is_reading = False
        self._paged: set[str] = set()
        """Channels that the page was read for."""
        self._held: list[tuple[int, tuple[str, ...], str]] | None = None
        self._held_bytes = 0

    def ask(self, channel: str, since: int, position: int) -> None:
        """Note that a channel wants what came after a number.

        Args:
            channel: The channel.
            since: The number.
            position: How far the live stream is. What came before was not held for this channel.
        """
        self.settle(channel, since)
        self.asked.append(channel)
        self._needed = max(self._needed, position)

    def settle(self, channel: str, position: int) -> None:
        """Note how far a channel is, and that it waits for nothing more than the others."""
        self.leave(channel)
        self.positions[channel] = position

    def leave(self, channel: str) -> None:
        """Forget a channel."""
        self.positions.pop(channel, None)
        self._paged.discard(channel)
        if channel in self.asked:
            self.asked.remove(channel)

    def begin_page(self, end: int) -> int:
        """Begin to read a page that reaches up to `end`; return the number after which."""
        self.upto = end
        self.is_reading = True
        self._paged = set(self.positions)
        self._held, self._held_bytes = [], 0
        return min(self.positions.values(), default=end)

    def lost(self, oldest: int) -> list[str]:
        """Return the channels that miss events older than the oldest one in the log."""
        return [name for name, position in self.positions.items() if position + 1 < oldest]

    def is_news(self, seq: int, channels: Iterable[str]) -> bool:
        """Tell whether an event of the page is still to be sent."""
        return any(channel in self._paged and self.positions[channel] < seq for channel in channels)

    def end_page(self) -> None:
        """Note that the page has been sent, for the channels that it was read for."""
        for channel in self._paged:
            self.positions[channel] = max(self.positions[channel], self.reached)

    def hold(self, seq: int, channels: tuple[str, ...], text: str) -> None:
        """Keep an event that is live by now, to be sent after the page."""
        if self._held is None or seq <= self.upto:
            return
        self._held.append((seq, channels, text))
        self._held_bytes += len(text)
        if len(self._held) > HELD_MAX or self._held_bytes > HELD_BYTES:
            self._held = None

    def is_complete(self) -> bool:
        """Tell whether nothing is left to read."""
        lowest = min(self.positions.values(), default=self.upto)
        return self._held is not None and lowest >= self.upto >= self._needed

    def held(self) -> list[str]:
        """Return the texts that were held and are still to be sent, in order."""
        return [
            text
            for seq, channels, text in self._held or ()
            if any(self.positions.get(channel, seq) < seq for channel in channels)
        ]
