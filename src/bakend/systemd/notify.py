"""What systemd wants to be told: that we serve, what we do, that we still answer, that we end.

The protocol of sd_notify(3): one datagram with lines of `NAME=value`. Nobody waits for an answer,
and a message that cannot be sent is no reason to stop serving.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Mapping
from typing import Final

from bakend.clock import Clock

EXTEND_EVERY_S: Final = 5.0
EXTEND_BY_S: Final = 30
"""While something long is under way, systemd hears so often that it takes so much longer; and more
often where a watchdog wants to."""

SIGNS_PER_WATCHDOG: Final = 2
"""So many signs of life are given in the time after which we would be killed."""

SHORTEST_WATCHDOG_S: Final = 4.0
"""The server looks at its clock once a second: half of less would be cut too fine."""

SEND_S: Final = 2.0
"""How long systemd may leave a message in its queue; pings of the watchdog are not waited for."""

_log: Final = logging.getLogger("bakend.systemd")


class Notifier:
    """Tells the service manager. Thread: any."""

    def __init__(self, environ: Mapping[str, str], clock: Clock) -> None:
        """Read who is to be told, and whether a watchdog waits.

        Args:
            environ: The environment; without `NOTIFY_SOCKET` nobody is told anything.
        """
        self._clock = clock
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self.watchdog_s: float | None = _watchdog(environ) if self._address else None
        """Without a sign of life for so long, we are killed; None where nobody watches."""
        self._doing = ""
        self._extending: threading.Thread | None = None
        self._is_through = threading.Event()

    def status(self, text: str) -> None:
        """Say in a sentence what is being done: `systemctl status` shows it."""
        self._doing = _one_line(text)
        self._send(f"STATUS={self._doing}")

    def ready(self, status: str) -> None:
        """Say that requests are answered from now on."""
        self._send(f"READY=1\nSTATUS={_one_line(status)}")

    def alive(self) -> None:
        """Say that requests are still answered, if anybody watches."""
        if self.watchdog_s is not None:
            self._send("WATCHDOG=1", wait_s=0)

    def stopping(self, status: str) -> None:
        """Say that the end has begun."""
        self._send(f"STOPPING=1\nSTATUS={_one_line(status)}")

    def takes_long(self) -> None:
        """Ask for more time, again and again until `is_through`, and give signs of life meanwhile.

        Calling it again does nothing.

        The status says for how long already, so that it can be seen to live: an upgrade waits for a new
        version as long as its status changes.
        """
        if self._address is not None and self._extending is None:
            self._is_through.clear()
            self._extending = threading.Thread(target=self._extend, name="notify", daemon=True)
            self._extending.start()

    def is_through(self) -> None:
        """End what `takes_long` began."""
        self._is_through.set()
        if self._extending is not None:
            self._extending.join()
            self._extending = None

    def _extend(self) -> None:
        began = self._clock.monotonic()
        every_s = EXTEND_EVERY_S
        if self.watchdog_s is not None:
            every_s = min(every_s, self.watchdog_s / SIGNS_PER_WATCHDOG)
        while True:
            so_far_s = self._clock.monotonic() - began
            status = f"{self._doing} ({so_far_s:.0f} s)" if so_far_s >= 1 else self._doing
            self._send(f"EXTEND_TIMEOUT_USEC={EXTEND_BY_S * 1_000_000}\nSTATUS={status}")
            self.alive()
            if self._clock.wait(self._is_through, every_s):
                return

    def _send(self, message: str, *, wait_s: float = SEND_S) -> None:
        if self._address is None:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(wait_s)
                sock.sendto(message.encode(), self._address)
        except OSError as error:
            _log.warning("systemd was not told %s: %s", message.partition("\n")[0], error)


def _address(text: str) -> str | None:
    """Return where to send; None for nowhere."""
    if not text:
        return None
    if text.startswith("@"):
        return f"\0{text[1:]}"  # Linux' abstract names
    if text.startswith("/"):
        return text
    _log.warning("NOTIFY_SOCKET %r is neither a path nor an abstract name: nobody is told", text)
    return None


def _watchdog(environ: Mapping[str, str]) -> float | None:
    """Return the time of the watchdog if it is meant for this process. Source: sd_watchdog_enabled(3)."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        found_s = int(environ["WATCHDOG_USEC"]) / 1_000_000
    except (KeyError, ValueError):
        return None
    if found_s <= 0:
        return None
    if found_s < SHORTEST_WATCHDOG_S:
        _log.warning(
            "WatchdogSec is %g s, too short to be kept: set it to %g s or more",
            found_s,
            SHORTEST_WATCHDOG_S,
        )
    return found_s


def _one_line(text: str) -> str:
    return " ".join(text.split())
