"""What holds for every page, and for what opens over it.

No violation that axe finds, nothing said in the console, no request refused, nothing too wide, and
nothing that jumps while the page fills.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from lived_in import AUTHORS, BOOKS, FUNCTIONS, JOBS, live_in
from screens import EMAIL, PHONE, SIZES, Screen, started
from verify.hosts.browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(600)]

Steps = Sequence[tuple[str, ...]]
"""What is done on a page: a method of the window, and what it is given."""

PAGES: Final[Mapping[str, str]] = {
    "": "books",
    "collections": "authors",
    "collections/books": "Austerlitz",
    "collections/books/definition": "Who may do what",
    "collections/books/api": "List records",
    "new": "New collection",
    "users": "ursula@example.com",
    "files": "cover-2.png",
    "functions": "functions/broken.py",
    "jobs": "every 5 minutes",
    "events": "books.created",
    "audit": "system.backup.created",
    "logs": "INFO",
    "backups": "Verify",
    "settings": "storage.maxFileSize",
    "design": "Design",
    "nowhere": "There is no such page",
}
"""Each with something that can be seen when it is complete."""

SCENES: Final[Mapping[str, tuple[str, str, Steps, str]]] = {
    "palette": ("", "books", [("press", "Control+k")], "New record in authors"),
    "shortcuts": ("", "books", [("press", "?")], "Ctrl S"),
    "account": ("", "books", [("open_menu",), ("click_text", EMAIL, "aside")], "Log out"),
    "new-record": ("collections/books?new", "New record of books", [], "published"),
    "record": ("collections/books", "Austerlitz", [("click", "button.open")], "Season of"),
    "relation": (
        "collections/books?new",
        "New record of books",
        [("click", "dialog [role=combobox]")],
        "Toni Morrison",
    ),
    "definition-json": (
        "collections/books/definition",
        "Who may do what",
        [("click_text", "Edit JSON"), ("click", ".cm-content")],
        '"fields"',
    ),
    "columns": ("collections/books", "Austerlitz", [("click_text", "Columns")], "in_print"),
    "selected": (
        "collections/books",
        "Austerlitz",
        [("click", "tbody input[type=checkbox]"), ("click_text", "Delete", "main")],
        "Delete this record?",
    ),
    "new-user": ("users", EMAIL, [("click", "[data-new]")], "Password"),
    "user": ("users", EMAIL, [("click_text", "toni@example.com", "main")], "Sessions"),
    "own-user": ("users", EMAIL, [("click_text", EMAIL, "main")], "this one"),
    "file": ("files", "cover-2.png", [("click", "button.tile")], "Where it is used"),
    "run": ("functions", "does not fit", [("click", "[data-run]")], "ValueError"),
    "job-run": ("jobs", "completed", [("click", "[data-run]")], "counted the books"),
    "restore": ("backups", "Verify", [("click_text", "Restore …", "main")], "All data is replaced"),
    "schedule": ("backups", "Verify", [("click_text", "Change", "main")], "Never"),
    "event": ("events", "books.created", [("click", "main tbody button")], "actor"),
}
"""A page, what is seen there, what is done then, and what is seen at last."""

EMPTY: Final[Mapping[str, str]] = {
    "": "First steps",
    "collections": "No collections yet",
    "users": EMAIL,
    "files": "No files yet",
    "functions": "No functions yet",
    "jobs": "No jobs yet",
    "backups": "No backups yet",
}
"""Pages of a new project, which say what to do next."""

SHOTS: Final = os.environ.get("BAKEND_TEST_SHOTS")
"""A folder for pictures of every page, for whoever wants to look."""

SCHEMES: Final = pytest.mark.parametrize("scheme", ["light", "dark"])

JUMP: Final = 0.01
"""The most that a page may shift: the part of the window that moves, times how far it moves."""


@pytest.fixture(scope="module")
def screen(window: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    folder = tmp_path_factory.mktemp("pages")
    files = {**FUNCTIONS, **JOBS}
    with started(window, folder, collections=[AUTHORS, BOOKS], files=files) as opened:
        live_in(opened)
        opened.log_in()
        yield opened


@SCHEMES
@SIZES
@pytest.mark.parametrize(("path", "seen"), PAGES.items(), ids=[path or "home" for path in PAGES])
def test_a_page_is_whole(
    screen: Screen, axe: str, path: str, seen: str, size: tuple[int, int], scheme: str
) -> None:
    """At desktop and phone width, light and dark."""
    show(screen, path, seen, size, scheme)
    require_whole(screen, axe, f"{path or 'home'}-{size[0]}-{scheme}")


@SCHEMES
@SIZES
@pytest.mark.parametrize("name", SCENES)
def test_what_opens_over_a_page_is_whole(
    screen: Screen, axe: str, name: str, size: tuple[int, int], scheme: str
) -> None:
    """Dialogs, menus, and what stands at the side."""
    path, first, steps, seen = SCENES[name]
    window = screen.window
    show(screen, path, first, size, scheme)
    for step, *values in steps:
        if step != "open_menu":
            getattr(window, step)(*values)
        elif size == PHONE:
            window.click_text("Menu")
    window.wait_for(seen)
    require_whole(screen, axe, f"{name}-{size[0]}-{scheme}")


@pytest.fixture(scope="module")
def new_screen(window: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    with started(window, tmp_path_factory.mktemp("new"), collections=[]) as opened:
        opened.log_in()
        yield opened


@SCHEMES
@SIZES
@pytest.mark.parametrize(("path", "seen"), EMPTY.items(), ids=[path or "home" for path in EMPTY])
def test_a_page_of_a_new_project_is_whole(
    new_screen: Screen, axe: str, path: str, seen: str, size: tuple[int, int], scheme: str
) -> None:
    """It says what to do next."""
    show(new_screen, path, seen, size, scheme)
    require_whole(new_screen, axe, f"new-{path or 'home'}-{size[0]}-{scheme}")


@SCHEMES
@SIZES
@pytest.mark.parametrize(
    ("path", "seen"), [("login", "version"), ("setup#some-token", "Make the first administrator")]
)
def test_the_way_in_is_whole(
    new_screen: Screen, axe: str, path: str, seen: str, size: tuple[int, int], scheme: str
) -> None:
    """For those who are not logged in."""
    new_screen.window.forget(new_screen.server.url)
    new_screen.window.open("about:blank")
    try:
        show(new_screen, path, seen, size, scheme)
        require_whole(new_screen, axe, f"{path.partition('#')[0]}-{size[0]}-{scheme}")
    finally:
        new_screen.log_in()


@SIZES
@pytest.mark.parametrize("path", PAGES)
def test_a_page_speaks_german(screen: Screen, path: str, size: tuple[int, int]) -> None:
    """Whoever chooses it has it on every page, and the browser is told; its longer words fit, too."""
    window = screen.window
    window.look(*size)
    screen.open("design")  # the window may be at the other server
    window.run("localStorage['bakend.language'] = 'de'")
    try:
        screen.open(path)
        window.run(
            "",
            until="return document.documentElement.lang === 'de' && document.querySelector('main h1')"
            " && !document.querySelector('[aria-busy=true]')",
            what="the page in German",
        )
        if SHOTS:
            name = f"german-{path.replace('/', '-') or 'home'}-{size[0]}-light.png"
            (Path(SHOTS) / name).write_bytes(window.picture())
        assert "Übersicht" in window.run("return document.body.textContent")
        assert too_wide(window) == []
        assert window.console() == []
    finally:
        window.run("localStorage['bakend.language'] = 'en'")


def show(screen: Screen, path: str, seen: str, size: tuple[int, int], scheme: str) -> None:
    """Go to a page, and wait for something on it."""
    screen.window.look(*size, scheme=scheme)
    screen.open(path)
    screen.window.wait_for(seen)


def require_whole(screen: Screen, axe: str, name: str) -> None:
    """Look at what the window shows, and take a picture where one is wanted."""
    window = screen.window
    jumps = window.run(
        """
        const jumps = [];
        const observer = new PerformanceObserver((list) => jumps.push(...list.getEntries()));
        observer.observe({ type: "layout-shift", buffered: true });
        return new Promise((resolve) => setTimeout(resolve, 150)).then(() =>
          jumps.filter((jump) => !jump.hadRecentInput).map((jump) => [jump.value,
            jump.sources.map(({ node }) => node?.outerHTML?.slice(0, 200) ?? "").join(" | ")]));
        """
    )
    if SHOTS:
        (Path(SHOTS) / f"{name.replace('/', '-')}.png").write_bytes(window.picture())
    assert screen.violations(axe) == []
    assert too_wide(window) == []
    assert sum(value for value, _ in jumps) <= JUMP, jumps
    assert window.console() == []


def too_wide(window: Browser) -> list[str]:
    """Return what would have to be scrolled sideways: the page, or what stands in front of it."""
    found: list[str] = window.run(
        "const boxes = [document.documentElement, ...document.querySelectorAll('dialog .content')];"
        "return boxes.filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.className)"
    )
    return found
