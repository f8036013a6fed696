"""The dashboard in Chromium, in front of a real server."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from processes import NOTHING, ServerProcess, make_project, running_server

ROOT: Final = Path(__file__).resolve().parents[2]

# Its own modules import each other by the names they have below this folder.
sys.path.append(str(ROOT / "packaging"))

from verify.hosts.browser import Browser, browser  # noqa: E402  (found only after the line above)

EMAIL: Final = "ada@example.com"
PASSWORD: Final = "correct horse battery"
ADMIN: Final[Mapping[str, str]] = {
    "BAKEND_ADMIN_EMAIL": EMAIL,
    "BAKEND_ADMIN_PASSWORD": PASSWORD,
}
DESKTOP: Final = (1280, 800)
PHONE: Final = (390, 844)
SIZES: Final = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
"""For what has to be possible on a phone as well."""

NOTES: Final[dict[str, Any]] = {
    "name": "notes",
    "fields": [
        {"name": "title", "type": "string", "required": True, "min": 2, "max": 80},
        {"name": "stars", "type": "integer", "min": 0, "max": 5},
        {"name": "picture", "type": "file"},
        {"name": "parent", "type": "relation", "collection": "notes"},
    ],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "public"),
}

THINGS: Final[dict[str, Any]] = {
    **NOTES,
    "name": "things",
    "fields": [{"name": "title", "type": "string"}, {"name": "data", "type": "json"}],
}


class Screen:
    """A window, a server, and somebody who looks at it."""

    def __init__(self, window: Browser, server: ServerProcess, project: Path) -> None:
        self.window = window
        self.server = server
        self.project = project

    def open(self, path: str = "") -> None:
        """Go to a page of the dashboard."""
        self.window.open(f"{self.server.url}/_/{path}")

    def log_in(self, email: str = EMAIL, password: str = PASSWORD) -> None:
        """Log in by the form, wherever the window is."""
        self.open("login")
        self.window.fill("[name=email]", email)
        self.window.fill("[name=password]", password)
        self.window.click("#login-form button[type=submit]")
        self.window.wait_for("Overview")

    def ask(self, method: str, path: str, body: object = None, *, who: str = EMAIL) -> Any:
        """Send a request as somebody else would, with a token of its own, and return what came."""
        with self.server.client() as client:
            login = client.post("/api/auth/login", {"email": who, "password": PASSWORD})
            token = login.json["token"]
            answer = client.request(method, path, body, {"Authorization": f"Bearer {token}"})
        assert answer.status < 300, answer.body
        return json.loads(answer.body or b"null")

    def complaints(self) -> list[str]:
        """Return what the console has said, but not about answers that are refusals."""
        return [line for line in self.window.console() if "the server responded with" not in line]

    def violations(self, axe: str) -> list[str]:
        """Return what axe, of which this is the source, finds wrong with the page."""
        found: list[str] = self.window.run(
            f"""
            if (!window.axe) {{ {axe} }}
            return axe.run(document, {{ resultTypes: ["violations"] }}).then(({{ violations }}) =>
              violations.map((each) => each.id + ": " + each.nodes.map((node) => node.html).join(" | ")));
            """
        )
        return found


@contextlib.contextmanager
def started(
    window: Browser,
    folder: Path,
    *,
    environ: Mapping[str, str] = ADMIN,
    collections: Sequence[Mapping[str, Any]] = (NOTES,),
    files: Mapping[str, str] = NOTHING,
    **settings: object,
) -> Iterator[Screen]:
    """Start a server, with the collection of notes if no other, and return the window in front of it."""
    project = make_project(folder / "project", collections, **settings)
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    with running_server(project, environ=environ) as server:
        window.look(*DESKTOP)
        window.forget(server.url)
        window.console()  # what others have left
        yield Screen(window, server, project)
        window.open("about:blank")


@contextlib.contextmanager
def a_window() -> Iterator[Browser]:
    """Start a browser with a profile of its own."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        browser(Path(profile)) as window,
    ):
        yield window
