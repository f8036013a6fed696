"""The dashboard of the file on a host without Python, in a browser outside of it, over loopback."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from verify.catalog import full
from verify.hosts import roots
from verify.hosts.browser import Browser, browser
from verify.hosts.host import Host
from verify.hosts.http import want
from verify.hosts.server import Server, make_project, started
from verify.hosts.traffic import Transfer
from verify.lab import Lab
from verify.outcome import expect

SCRIPT_BYTES: Final = 120_000
"""What the scripts up to the first screen may have, as they are sent."""

EMAIL: Final = "root@example.com"
PHRASE: Final = "correct horse battery"
ADMIN: Final = {"BAKEND_ADMIN_EMAIL": EMAIL, "BAKEND_ADMIN_PASSWORD": PHRASE}

LOST: Final = "The server does not answer. Trying again"

# A page stands when it has its heading, something in it can be used, and nothing is still waited for.
# What is in the way of using it then are tasks of more than 50 ms, which the browser calls long.
WATCH: Final = """
window.standsAt = null;
window.busyUntil = 0;
new PerformanceObserver((list) => {
  for (const { startTime, duration } of list.getEntries())
    window.busyUntil = Math.max(window.busyUntil, startTime + duration);
}).observe({ type: "longtask", buffered: true });
const look = () => {
  const main = document.querySelector("main");
  const stands = main?.querySelector("h1") &&
    main.querySelector("a[href], button:enabled, input:enabled") &&
    !document.querySelector("[aria-busy=true]");
  if (stands) window.standsAt = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
QUIET_MS: Final = 1_000
IS_QUIET: Final = f"""
return standsAt !== null && performance.now() - Math.max(standsAt, busyUntil) > {QUIET_MS};
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """What came until a page stood, and when that was."""

    transfers: list[Transfer]
    interactive_ms: float

    @property
    def script(self) -> int:
        """Bytes of all scripts, compressed, without the heads of the answers."""
        return sum(each.body for each in self.transfers if each.is_script)

    def __str__(self) -> str:
        size = sum(each.size for each in self.transfers)
        return (
            f"{len(self.transfers)} requests, {size / 1000:.1f} kB, of it {self.script / 1000:.1f} kB"
            f" of script, interactive after {self.interactive_ms:.0f} ms"
        )


@full
def first_screen(lab: Lab) -> str:
    """Until the first screen stands at most 120 kB of script are sent, nothing fails, nothing complains.

    With an empty cache: the login page, the overview behind the login, and the overview of somebody who
    is logged in already. Bytes are what the browser counted: whole answers; of scripts, their bodies as
    they were sent.

    The time is told, not judged: from the start of the navigation until the page has its heading, something
    to use and nothing that it waits for, or until the end of the last long task (50 ms) that follows within
    a second.
    """
    with (
        _bare(lab) as (host, config),
        started(host, config, environ={**host.environ, **ADMIN}) as server,
        tempfile.TemporaryDirectory() as profile,
        browser(Path(profile), keeps_traffic=True) as window,
    ):
        server.wait_well()
        window.tell("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        address = f"http://127.0.0.1:{server.port}/_/"
        login = _visit(window, address, "Log in")
        _log_in(window)
        behind = window.traffic()
        window.tell("Network.clearBrowserCache")
        overview = _visit(window, address, "Overview")
        again = _visit(window, address, "Overview")
        console = window.console()
        server.stop()
    everything = [*login.transfers, *behind, *overview.transfers, *again.transfers]
    faults = [f"{each.address}: {each.fault}" for each in everything if each.fault]
    expect(not faults, f"{len(faults)} requests failed: {faults[:3]}")
    expect(not console, f"the console says {console[:3]}")
    all_script = login.script + sum(each.body for each in behind if each.is_script)
    for name, script in (("overview", overview.script), ("login and overview", all_script)):
        expect(script > 0, f"{name}: no script was seen")
        expect(
            script <= SCRIPT_BYTES,
            f"{name}: {script:,} bytes of script, more than {SCRIPT_BYTES:,}",
        )
    return f"login: {login}; overview: {overview}; again, from the cache: {again}"


@full
def cut_and_back(lab: Lab) -> str:
    """Killed under an open page and started again: the page says so, recovers by itself, loses nothing."""
    with (
        _bare(lab) as (host, config),
        tempfile.TemporaryDirectory() as profile,
        browser(Path(profile)) as window,
    ):
        environ = {**host.environ, **ADMIN}
        with started(host, config, environ=environ) as server:
            server.wait_well()
            port = server.port
            window.open(f"http://127.0.0.1:{port}/_/")
            _log_in(window)
            _open_notes(window, port)
            window.run("window.isTheSame = true")
            server.kill()
            window.wait_for(LOST)
        with started(host, config, environ=environ, port=port) as server:
            _recover(window, server)
            _another_writes(window, port, "after the first cut")
            window.click("[data-new]")
            window.type("dialog textarea", "typed before the cut")
            server.kill()
            window.wait_for(LOST)
            window.click_text("Create", "dialog")
            _expect_typed(window)
        with started(host, config, environ=environ, port=port) as server:
            _recover(window, server)
            _expect_typed(window)
            window.click_text("Create", "dialog")
            window.wait_for("The record is created.")
            _another_writes(window, port, "after the second cut")
            kept = [note["text"] for note in want(port, "GET", "/api/notes", 200).json["items"]]
            console = [line for line in window.console() if not _is_of_the_cut(line)]
            server.stop()
    written = {"after the first cut", "typed before the cut", "after the second cut"}
    expect(len(kept) == len(written) and set(kept) == written, f"the records are {kept}")
    expect(not console, f"the console says {console[:3]}")
    return "killed twice: said so, recovered without a reload and logged in, live again, form kept"


@contextmanager
def _bare(lab: Lab) -> Iterator[tuple[Host, str]]:
    """Yield a host without Python, and the config of a project with a collection of notes."""
    with lab.bare() as host:
        found = list(roots.pythons(host.root))
        expect(not found, f"this host is not bare: {found[:3]}")
        yield host, make_project(host, "/srv/app")


def _visit(window: Browser, address: str, text: str) -> Visit:
    window.traffic()
    window.open(address)
    window.run("", until=IS_QUIET, what=f"{text!r} stands, and the page is quiet")
    window.wait_for(text)
    at: Any = window.run("return Math.max(standsAt, busyUntil)")
    return Visit(window.traffic(), float(at))


def _log_in(window: Browser) -> None:
    window.fill("[name=email]", EMAIL)
    window.fill("[name=password]", PHRASE)
    window.click("#login-form button[type=submit]")
    window.wait_for("Overview")
    window.run("", until="return !document.querySelector('[aria-busy=true]')", what="the overview")


def _open_notes(window: Browser, port: int) -> None:
    window.open(f"http://127.0.0.1:{port}/_/collections/notes")
    window.wait_for("No records yet")
    window.run("", until="return !!document.querySelector('.live.on')", what="realtime is open")


def _recover(window: Browser, server: Server) -> None:
    """Wait for the way back: in the same document, with the same login, on the same page."""
    server.wait_well()
    window.wait_until_gone(LOST)
    window.run("", until="return !!document.querySelector('.live.on')", what="realtime is back")
    expect(window.run("return window.isTheSame === true"), "the page was loaded anew")
    expect(window.address().endswith("/collections/notes"), f"it went to {window.address()}")


def _another_writes(window: Browser, port: int, text: str) -> None:
    want(port, "POST", "/api/notes", 201, {"text": text})
    window.wait_for(text)


def _expect_typed(window: Browser) -> None:
    typed = window.run("return document.querySelector('dialog textarea')?.value")
    expect(typed == "typed before the cut", f"the form has {json.dumps(typed)}")


def _is_of_the_cut(line: str) -> bool:
    """Tell whether the browser only says that nobody answered."""
    return "net::ERR_" in line or "WebSocket connection" in line
