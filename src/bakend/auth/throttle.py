"""Who tries too often is made to wait: sliding windows, counted by address and by account.

Kept in memory, and written to the table `_throttle` every few seconds and at the end, so that a
restart forgives nothing. A try is counted when it begins, and taken back where it turns out well: a
hundred at once get no further than a hundred one after the other.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from typing import Final

from bakend.clock import Clock
from bakend.database.connection import Database
from bakend.database.transaction import Snapshot, Transaction
from bakend.errors import RateLimitedError
from bakend.settings import Settings
from bakend.structs import Struct

KEYS_MAX: Final = 50_000
"""Windows that are remembered; beyond it those that were counted in least recently are forgotten."""

IPV6_PREFIX: Final = 64
"""One customer has so many bits to himself, and may send from any address in them."""


class Limit(Struct):
    """How many tries there may be in a window."""

    name: str
    most: int
    """0 for no limit."""
    window_s: int


class Try(Struct):
    """A try that was counted, in each of its windows."""

    windows: tuple[str, ...]
    at: float


class Throttle:
    """Counts tries. Thread: any."""

    def __init__(self, clock: Clock, limits: Iterable[Limit]) -> None:
        """Take the limits; `begin` names those that a try counts for."""
        self._clock = clock
        self._limits = {limit.name: limit for limit in limits}
        self._lock = threading.Lock()
        self._windows: OrderedDict[str, deque[float]] = OrderedDict()
        """`<limit>:<who>` to the moments of the tries, Unix seconds, oldest first."""
        self._changed: set[str] = set()
        """What the table does not have yet."""

    def begin(self, who: Mapping[str, str]) -> Try:
        """Count a try.

        Args:
            who: Name of a limit to whoever is counted there.

        Raises:
            RateLimitedError: One of the windows is full; nothing was counted.
        """
        now = self._now()
        windows = {
            f"{name}:{each}": limit
            for name, each in who.items()
            if (limit := self._limits[name]).most
        }
        with self._lock:
            wait_s = max((self._wait_s(key, now) for key in windows), default=0.0)
            if wait_s > 0:
                raise RateLimitedError(
                    "Too many attempts, try again later", retry_after_s=math.ceil(wait_s)
                )
            for key in windows:
                self._windows.setdefault(key, deque()).append(now)
                self._windows.move_to_end(key)
                self._changed.add(key)
            while len(self._windows) > KEYS_MAX:
                self._changed.add(self._windows.popitem(last=False)[0])
        return Try(tuple(windows), now)

    def forgive(self, done: Try) -> None:
        """Take a try back that turned out well."""
        with self._lock:
            for key in done.windows:
                hits = self._windows.get(key)
                if hits is not None and done.at in hits:
                    hits.remove(done.at)
                    self._changed.add(key)

    def load(self, snapshot: Snapshot) -> None:
        """Take over what was counted before the restart."""
        found = snapshot.all("SELECT key, hits FROM _throttle")
        with self._lock:
            for row in found:
                if row["key"].partition(":")[0] in self._limits:
                    self._windows[row["key"]] = deque(json.loads(row["hits"]))

    def is_saved(self) -> bool:
        """Tell whether the table has everything."""
        return not self._changed

    def save(self, tx: Transaction) -> None:
        """Write what has changed, and forget what no longer counts."""
        now = self._now()
        with self._lock:
            for key in list(self._windows):
                if not self._counting(key, now):
                    del self._windows[key]
                    self._changed.add(key)
            changed = {key: list(self._windows.get(key, ())) for key in self._changed}
            self._changed.clear()
        for key, hits in changed.items():
            if hits:
                tx.execute(
                    "INSERT INTO _throttle (key, hits) VALUES (?, ?)"
                    " ON CONFLICT (key) DO UPDATE SET hits = excluded.hits",
                    (key, json.dumps(hits)),
                )
            else:
                tx.execute("DELETE FROM _throttle WHERE key = ?", (key,))

    def keep(self, database: Database) -> None:
        """Save what has changed, in a transaction of its own."""
        if not self.is_saved():
            with database.write() as tx:
                self.save(tx)

    def _wait_s(self, key: str, now: float) -> float:
        limit = self._limits[key.partition(":")[0]]
        hits = self._counting(key, now)
        return hits[-limit.most] + limit.window_s - now if len(hits) >= limit.most else 0.0

    def _counting(self, key: str, now: float) -> deque[float]:
        """Return the tries of a window that still count, after dropping the others."""
        window_s = self._limits[key.partition(":")[0]].window_s
        hits = self._windows.get(key, deque())
        while hits and hits[0] <= now - window_s:
            hits.popleft()
        while hits and hits[-1] > now:  # the clock was set back: they would count for too long
            hits.pop()
        return hits

    def _now(self) -> float:
        return round(self._clock.now().timestamp(), 3)


def limits_of(settings: Settings) -> tuple[Limit, ...]:
    """Return the limits as they are configured."""
    return (
        Limit("login", settings.throttle_login, 5 * 60),
        Limit("loginAddress", settings.throttle_login_address, 5 * 60),
        Limit("loginAccount", settings.throttle_login_account, 60 * 60),
        Limit("register", settings.throttle_register, 10 * 60),
        Limit("refresh", settings.throttle_refresh, 60),
    )


def network_of(address: str) -> str:
    """Return what counts as one address: of IPv6 all that one customer has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))


def account_of(email: str) -> str:
    """Return what stands for an account in the table, which must not list addresses."""
    return hashlib.sha256(email.encode()).hexdigest()[:32]
