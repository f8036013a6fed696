"""What is measured in the dashboard: a browser in front of a collection of 100,000 records."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from verify.hosts.browser import Browser

from bench import project
from bench.servers import HOST, BenchError, Server

EMAIL: Final = "bench@example.com"
PASSPHRASE: Final = "of no use to anybody"
ADMIN: Final = {"BAKEND_ADMIN_EMAIL": EMAIL, "BAKEND_ADMIN_PASSWORD": PASSPHRASE}

SCRIPT: Final = Path(__file__).with_name("page.js")
LIST: Final = "/_/collections/items"

SLOW_PX: Final = 40
"""A frame: 63 rows in a second, as one reads across a list."""
FAST_PX: Final = 2_000
"""A frame: 3,100 rows in a second, as one drags the bar."""

EMPTY: Final = "empty page"

UPDATES_PER_S: Final = 5_000 / 60
CLICK_EVERY_S: Final = 1.0

SCROLL: Final = """
const [seconds, step] = arguments;
const box = document.querySelector(".scroll");
box.scrollTop = 0;
return bench.drawn().then(() => bench.frames(seconds, () => (box.scrollTop += step)));
"""
JUMP: Final = """
const [index] = arguments;
const box = document.querySelector(".scroll");
const height = parseFloat(getComputedStyle(box).getPropertyValue("--row"));
const began = performance.now();
box.scrollTop = index * height;
return bench.until(() => bench.hasRow(index)).then((at) => at - began);
"""
FOLLOW_LINK: Final = """
const link = document.querySelector(`a[href="${arguments[0]}"]`);
const began = performance.now();
link.click();
return bench.until(bench.hasRows).then((at) => at - began);
"""
REQUEST: Final = """
const found = performance.getEntriesByType("resource").filter((each) =>
  new URL(each.name).pathname === "/api/items" && each.name.includes("count=true"));
return found.at(-1).duration;
"""
CLICK: Final = """
const box = document.querySelector("tbody input[type=checkbox]");
const began = performance.now();
box.click();
return bench.until(() => document.querySelector(".state strong") !== null === box.checked)
  .then((at) => at - began);
"""


@dataclass(frozen=True, slots=True)
class Frames:
    """Times between frames, in ms."""

    name: str
    gaps: Sequence[float]
    cpu_ms: float
    """Processor time of the page's main thread for a frame; other work on the machine moves it least."""

    def at(self, part: float) -> float:
        """Return the gap that this part of all does not exceed."""
        return sorted(self.gaps)[min(len(self.gaps) - 1, int(part * len(self.gaps)))]

    def over(self, ms: float) -> int:
        """Return how many were longer."""
        return sum(gap > ms for gap in self.gaps)


@dataclass(frozen=True, slots=True)
class Size:
    """What a page holds, after the browser has thrown away what nothing needs."""

    heap_mib: float
    nodes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Updates:
    """What many changes from elsewhere do to an open list."""

    count: int
    seconds: float
    clicks_ms: Sequence[float]
    """From a click on a row's box until what it does is drawn."""
    long_tasks_ms: Sequence[float]
    cpu_ms: float
    """Processor time of the page's main thread for an update."""
    before: Size
    after: Size


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was measured; times in ms, one for each round."""

    request: Sequence[float]
    opened: Sequence[float]
    followed: Sequence[float]
    jumped: Sequence[float]
    frames: Sequence[Frames]
    updates: Updates


class Screen:
    """A browser that is logged in, in front of a server."""

    def __init__(self, window: Browser, server: Server) -> None:
        self._window = window
        self._server = server
        self._url = f"http://{HOST}:{server.port}"
        window.tell("Page.addScriptToEvaluateOnNewDocument", source=SCRIPT.read_text())
        window.tell("Performance.enable", timeDomain="threadTicks")
        window.look(1280, 800)
        window.open(f"{self._url}/_/login")
        window.type("[name=email]", EMAIL)
        window.type("[name=password]", PASSPHRASE)
        window.click("#login-form button[type=submit]")
        window.wait_for("Overview")

    def open(self) -> tuple[float, float]:
        """Open the list by its address; return how long its request and all of it took."""
        self._window.open("about:blank")
        self._window.open(self._url + LIST)
        drawn = float(self._window.run("return bench.firstRows"))
        return float(self._window.run(REQUEST)), drawn

    def follow(self) -> float:
        """Come to the list by its link on another page; return how long that took."""
        self._window.open(f"{self._url}/_/collections")
        self._window.wait_for("items")
        return float(self._window.run(FOLLOW_LINK, LIST))

    def jump(self, index: int) -> float:
        """Scroll to a row at once; return how long it took until it was drawn."""
        return float(self._window.run(JUMP, index))

    def scroll(self, name: str, seconds: int, step: int) -> Frames:
        """Scroll through the list by some pixels in each frame."""
        self.open()
        return self._frames(name, SCROLL, seconds, step)

    def rest(self, seconds: int) -> Frames:
        """Draw a page with nothing on it, as often as it will."""
        self._window.open("data:text/html,<title>nothing</title>")
        return self._frames(EMPTY, "return bench.frames(arguments[0])", seconds)

    def _frames(self, name: str, script: str, *values: object) -> Frames:
        before_s = self._busy_s()
        gaps: list[float] = self._window.run(script, *values)
        return Frames(name, gaps, 1_000 * (self._busy_s() - before_s) / len(gaps))

    def _busy_s(self) -> float:
        """Return the processor time of the page's main thread so far."""
        metrics = self._window.tell("Performance.getMetrics")["metrics"]
        return float({each["name"]: each["value"] for each in metrics}["TaskDuration"])

    def size(self) -> Size:
        """Return what the page holds."""
        for _ in range(3):  # what ends in one round is let go in the next
            self._window.tell("HeapProfiler.collectGarbage")
        heap = self._window.tell("Runtime.getHeapUsage")["usedSize"]
        nodes = self._window.tell("Memory.getDOMCounters")["nodes"]
        rows = self._window.run("return document.querySelectorAll('tbody tr').length")
        return Size(heap / 2**20, int(nodes), int(rows))

    def updates(self, seconds: int) -> Updates:
        """Change records that are shown, from elsewhere, and use the page meanwhile."""
        self.open()
        self._window.wait_for("live")
        ids = [item["id"] for item in self._server.request("GET", "/api/items?limit=20")["items"]]
        self._window.run("bench.longTasks.length = 0")
        before, busy_s = self.size(), self._busy_s()
        with _writer(self._server, ids, int(seconds * UPDATES_PER_S)) as writer:
            clicks = []
            while writer.is_alive():
                clicks.append(float(self._window.run(CLICK)))
                writer.join(CLICK_EVERY_S)
        if writer.fault is not None:
            raise BenchError(f"the updates ended: {writer.fault}")
        self._window.wait_for(writer.last)
        cpu_ms = 1_000 * (self._busy_s() - busy_s) / writer.count
        if len(clicks) % 2:
            self._window.run(CLICK)
        tasks: list[float] = self._window.run("return bench.longTasks")
        return Updates(writer.count, writer.took_s, clicks, tasks, cpu_ms, before, self.size())


class _Writer(threading.Thread):
    """Changes records one after the other, at an even pace."""

    def __init__(self, server: Server, ids: Sequence[str], count: int) -> None:
        super().__init__(name="bench-writer", daemon=True)
        self._server = server
        self._ids = ids
        self.count = count
        self.last = f"change {count - 1} of {count}"
        self.took_s = 0.0
        self.fault: Exception | None = None

    def run(self) -> None:
        began_at = time.perf_counter()
        connection = http.client.HTTPConnection(HOST, self._server.port, timeout=10)
        try:
            for number in range(self.count):
                early_s = began_at + number / UPDATES_PER_S - time.perf_counter()
                if early_s > 0:
                    time.sleep(early_s)
                self._put(connection, number)
        except (OSError, http.client.HTTPException, BenchError) as fault:
            self.fault = fault
        finally:
            connection.close()
            self.took_s = time.perf_counter() - began_at

    def _put(self, connection: http.client.HTTPConnection, number: int) -> None:
        path = f"/api/items/{self._ids[number % len(self._ids)]}"
        body = json.dumps({"title": f"change {number} of {self.count}", "priority": number})
        connection.request("PUT", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        text = response.read()
        if response.status != 200:
            raise BenchError(f"PUT {path}: {response.status} {text!r:.200}")


@contextlib.contextmanager
def _writer(server: Server, ids: Sequence[str], count: int) -> Iterator[_Writer]:
    writer = _Writer(server, ids, count)
    writer.start()
    try:
        yield writer
    finally:
        writer.join()


def measure(window: Browser, server: Server, *, rounds: int, seconds: int, live_s: int) -> Seen:
    """Measure everything.

    Args:
        window: An open browser.
        server: One whose collection `items` is filled.
        rounds: How often each page is opened, and how many places are jumped to.
        seconds: How long is scrolled, each time.
        live_s: How long records are changed from elsewhere.
    """
    screen = Screen(window, server)
    screen.open()  # fills the browser's cache, and the server's
    opened = [screen.open() for _ in range(rounds)]
    followed = [screen.follow() for _ in range(rounds)]
    places = [project.MANY - 1, *(project.MANY * part // rounds for part in range(1, rounds))]
    jumped = [screen.jump(place) for place in places]
    frames = []
    for name, step in (("scroll, 63 rows/s", SLOW_PX), ("scroll, 3,100 rows/s", FAST_PX)):
        frames += [screen.rest(seconds), screen.scroll(name, seconds, step)]
    updates = screen.updates(live_s)
    return Seen(
        [one for one, _ in opened], [one for _, one in opened], followed, jumped, frames, updates
    )
