"""Chromium as a person uses it: pages opened, forms filled in. Driven by the W3C's WebDriver protocol."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from verify.hosts.debian import tools
from verify.hosts.http import free_port
from verify.hosts.server import wait_until
from verify.hosts.traffic import Transfer, transfers
from verify.outcome import Failed

OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)
START_S: Final = 30.0
PATIENCE_S: Final = 20.0

WAIT_MS: Final = 15_000
"""How long is waited for an element that is asked for."""

TRIES: Final = 5
"""How often an element is looked for that a page replaces while it draws itself."""

KEYS: Final = {
    "Backspace": "\ue003",
    "Tab": "\ue004",
    "Enter": "\ue007",
    "Shift": "\ue008",
    "Control": "\ue009",
    "Alt": "\ue00a",
    "Escape": "\ue00c",
    "Space": " ",
    "Up": "\ue013",
    "Down": "\ue015",
}

_ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
"""What the protocol calls the id of an element."""


class _GoneError(Failed):
    """An element is not in the page any more."""


class Browser:
    """One window."""

    def __init__(self, port: int, profile: Path, *, keeps_traffic: bool = False) -> None:
        self._port = port
        options = {"args": [*OPTIONS, f"--user-data-dir={profile}"]}
        logs = {"browser": "ALL", **({"performance": "ALL"} if keeps_traffic else {})}
        wanted = {
            "browserName": "chrome",
            "timeouts": {"implicit": WAIT_MS},
            "goog:chromeOptions": options,
            "goog:loggingPrefs": logs,
        }
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{answer['sessionId']}"
        self.version = str(answer["capabilities"]["browserVersion"])

    def open(self, address: str) -> None:
        """Go to an address."""
        self._ask("POST", f"{self._session}/url", {"url": address})

    def forget(self, origin: str) -> None:
        """Forget what pages of an origin have kept: its port may have been another server's before."""
        self._tell("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})

    def address(self) -> str:
        """Return where the window is now."""
        return str(self._ask("GET", f"{self._session}/url"))

    def type(self, selector: str, text: str) -> None:
        """Write into a field."""
        self._act("POST", selector, "value", {"text": text})

    def click(self, selector: str) -> None:
        """Click on something."""
        self._act("POST", selector, "click", {})

    def text(self, selector: str = "body") -> str:
        """Return the text that can be seen."""
        return str(self._act("GET", selector, "text"))

    def fill(self, selector: str, text: str) -> None:
        """Put a text in the place of what a field has."""
        self._act("POST", selector, "clear", {})
        self.type(selector, text)

    def write(self, selector: str, text: str) -> None:
        """Put a text in the place of what an editor has; one that is loaded late is waited for."""
        self.click(selector)
        self.press("Control+a")
        self._tell("Input.insertText", {"text": text})

    def click_text(self, text: str, within: str = "body") -> None:
        """Click on the button or link that says exactly this, or is labelled so."""
        self.run(
            """
            const [text, within] = arguments;
            for (const old of document.querySelectorAll("[data-wanted]")) delete old.dataset.wanted;
            const says = (each) =>
              (each.innerText ?? "").trim() === text || each.getAttribute("aria-label") === text;
            const found = [...document.querySelectorAll(within)]
              .flatMap((each) => [...each.querySelectorAll("button, a, summary, label")])
              .filter((each) => says(each) && each.checkVisibility());
            if (!found.length) return;
            found.at(-1).dataset.wanted = "";
            // As a person does: the driver scrolls nothing that something else covers.
            found.at(-1).scrollIntoView({ block: "nearest" });
            """,
            text,
            within,
            until="return document.querySelector('[data-wanted]') !== null;",
            what=f"something that says {text!r}",
        )
        self.click("[data-wanted]")

    def press(self, *names: str) -> None:
        """Press keys one after the other, `Control+k` together; what is no name of a key is typed."""
        steps = []
        for name in names:
            parts = name.split("+") if len(name) > 1 and "+" in name else [name]
            if len(parts) == 1 and parts[0] not in KEYS:
                parts = list(name)
                for part in parts:
                    steps += [{"type": "keyDown", "value": part}, {"type": "keyUp", "value": part}]
                continue
            keys = [KEYS.get(part, part) for part in parts]
            steps += [{"type": "keyDown", "value": key} for key in keys]
            steps += [{"type": "keyUp", "value": key} for key in reversed(keys)]
        actions = [{"type": "key", "id": "keyboard", "actions": steps}]
        self._ask("POST", f"{self._session}/actions", {"actions": actions})

    def drag(self, selector: str, to: str) -> None:
        """Press the mouse on something, pull it a little beyond the middle of something else, let go."""
        x, y = self._middle(selector)
        to_x, to_y = self._middle(to)
        to_y += 5 if to_y > y else -5
        # It is called dragging after some way, and what is entered hears of it before it is passed over.
        way = [(x, y), (x + 6, y), (to_x, to_y), (to_x, to_y), (to_x, to_y)]
        steps: list[dict[str, object]] = [
            {"type": "pointerMove", "duration": 100, "origin": "viewport", "x": x, "y": y}
            for x, y in way
        ]
        steps.insert(1, {"type": "pointerDown", "button": 0})
        steps.append({"type": "pointerUp", "button": 0})
        mouse = {"pointerType": "mouse"}
        pointer = {"type": "pointer", "id": "mouse", "parameters": mouse, "actions": steps}
        self._ask("POST", f"{self._session}/actions", {"actions": [pointer]})

    def run(self, script: str, *values: object, until: str | None = None, what: str = "") -> Any:
        """Run a script in the page and return what it returns; with `until`, again until that is true."""
        if until is None:
            return self._ask(
                "POST", f"{self._session}/execute/sync", {"script": script, "args": list(values)}
            )

        def is_so() -> bool:
            self.run(script, *values)
            return bool(self.run(until))

        wait_until(is_so, PATIENCE_S, what)
        return None

    def look(self, width: int, height: int, *, scheme: str = "light") -> None:
        """Be a screen of this size, and prefer light or dark colours."""
        self._tell(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self._tell("Emulation.setEmulatedMedia", {"features": [feature]})

    def block(self, *addresses: str) -> None:
        """Let requests for these fail from now on, as if the connection were cut; others no longer."""
        self._tell("Network.enable", {})
        self._tell("Network.setBlockedURLs", {"urls": addresses})

    def picture(self) -> bytes:
        """Return what is to be seen, as a PNG."""
        return base64.b64decode(self._ask("GET", f"{self._session}/screenshot"))

    def wait_for(self, text: str) -> None:
        """Wait until a text can be seen."""
        self._wait(lambda: text in self.text(), f"{text!r} on the page")

    def wait_until_gone(self, text: str) -> None:
        """Wait until a text can be seen no more."""
        self._wait(lambda: text not in self.text(), f"the page without {text!r}")

    def console(self) -> list[str]:
        """Return what the page and the browser had to complain about since the last call."""
        return [str(entry["message"]) for entry in self._log("browser")]

    def traffic(self) -> list[Transfer]:
        """Return what was asked and answered since the last call; only of a browser that keeps it."""
        return transfers(
            json.loads(entry["message"])["message"] for entry in self._log("performance")
        )

    def close(self) -> None:
        """Close the window."""
        self._ask("DELETE", self._session)

    def tell(self, command: str, **values: object) -> Any:
        """Use the browser's own protocol, for what the W3C's has not; return its answer."""
        return self._tell(command, values)

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        try:
            wait_until(condition, PATIENCE_S, what)
        except Failed as failed:
            raise Failed(f"{failed}: {' '.join(self.text().split())[:300]}") from None

    def _log(self, kind: str) -> Any:
        return self._ask("POST", f"{self._session}/se/log", {"type": kind})

    def _tell(self, command: str, values: object) -> Any:
        content = {"cmd": command, "params": values}
        return self._ask("POST", f"{self._session}/goog/cdp/execute", content)

    def _middle(self, selector: str) -> tuple[int, int]:
        """Return where something is in the window."""
        self._element(selector)
        x, y = self.run(
            "const box = document.querySelector(arguments[0]).getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + box.height / 2]",
            selector,
        )
        return round(x), round(y)

    def _act(self, method: str, selector: str, what: str, content: object = None) -> Any:
        """Do something with an element; one that was replaced in between is looked for again."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(_GoneError):
                return self._ask(method, f"{self._element(selector)}/{what}", content)
        return self._ask(method, f"{self._element(selector)}/{what}", content)

    def _element(self, selector: str) -> str:
        found = self._ask(
            "POST", f"{self._session}/element", {"using": "css selector", "value": selector}
        )
        return f"{self._session}/element/{found[_ELEMENT]}"

    def _ask(self, method: str, path: str, content: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request(method, path, None if content is None else json.dumps(content))
            response = connection.getresponse()
            value = json.loads(response.read())["value"]
        finally:
            connection.close()
        if response.status != 200:
            kind = _GoneError if value["error"] == "stale element reference" else Failed
            raise kind(f"the browser: {value['message'].splitlines()[0]}")
        return value


@contextlib.contextmanager
def browser(profile: Path, *, keeps_traffic: bool = False) -> Iterator[Browser]:
    """Start a browser with a new profile, and end it.

    Args:
        profile: A folder for it.
        keeps_traffic: Whether `traffic()` is asked for; what is kept takes memory.

    Raises:
        NotRun: There is none, and none can be installed.
    """
    found = tools({"chromium": "chromium", "chromedriver": "chromium-driver"})
    port = free_port()
    with subprocess.Popen(
        [found["chromedriver"], f"--port={port}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as driver:
        try:
            wait_until(lambda: _listens(port), START_S, "the browser's driver")
            window = Browser(port, profile, keeps_traffic=keeps_traffic)
            try:
                yield window
            finally:
                window.close()
        finally:
            driver.terminate()


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/status")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
