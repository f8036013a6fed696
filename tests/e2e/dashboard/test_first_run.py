"""From the link of the first start to a record, and the ways in and out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from screens import EMAIL, PASSWORD, PHONE, SIZES, Screen, started
from verify.hosts.browser import Browser

from processes import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

LINK: Final = re.compile(r"/_/(setup#\S+)")


def link_of(screen: Screen) -> str:
    wait_until(lambda: LINK.search(screen.server.log), 20, what="a link in the log")
    return str(LINK.findall(screen.server.log)[0])


@SIZES
def test_the_link_leads_to_a_first_record_by_keyboard_alone(
    window: Browser, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Administrator, collection, field, record: nothing of it needs a pointer."""
    with started(window, tmp_path, environ={}) as screen:
        window.look(*size)
        screen.open(link_of(screen))
        window.wait_for("Make the first administrator")
        window.wait_for("Password")
        window.press(EMAIL, "Tab", PASSWORD, "Enter")
        window.wait_for(f"{EMAIL} is the administrator")
        assert "#" not in window.address()

        window.press("Control+k")
        window.run("", until="return document.activeElement.matches('dialog [role=combobox]')")
        window.press("New collection")
        window.press("Enter")
        window.wait_for("Who may do what")
        tab_to(window, "[name=collection]")
        window.press("books")
        tab_to(window, "form button.btn:not(.plain):not(.primary)")
        window.press("Enter")
        window.run("", until="return document.activeElement.matches('[data-field-name]')")
        window.press("title")
        tab_to(window, "form button[type=submit]")
        window.press("Enter")
        window.wait_for("The plan")
        window.press("Enter")
        window.wait_for("No records yet")

        window.press("n")
        window.wait_for("New record of books")
        window.press("A room of one's own", "Control+s")
        window.wait_for("1 record")

        (book,) = screen.ask("GET", "/api/books")["items"]
        assert book["title"] == "A room of one's own"
        assert screen.complaints() == []


def tab_to(window: Browser, selector: str) -> None:
    for _ in range(80):
        if window.run(f"return document.activeElement.matches({selector!r})"):
            return
        window.press("Tab")
    raise AssertionError(f"{selector} is not reached by Tab")


def test_the_link_works_once(window: Browser, tmp_path: Path) -> None:
    """Who comes second is told so, beside the form."""
    with started(window, tmp_path, environ={}) as screen:
        link = link_of(screen)
        for email, seen in (
            (EMAIL, f"{EMAIL} is the administrator"),
            ("second@example.com", "This link is no longer valid"),
        ):
            window.open("about:blank")
            screen.open(link)
            window.fill("[name=email]", email)
            window.fill("[name=password]", PASSWORD)
            window.click("#setup-form button[type=submit]")
            window.wait_for(seen)


def test_a_page_that_needs_a_login_comes_back_after_it(window: Browser, tmp_path: Path) -> None:
    """Who follows a link logs in and is where he wanted to be; a wrong password is said so."""
    with started(window, tmp_path) as screen:
        screen.open("collections/notes")
        window.wait_for("Log in")
        window.fill("[name=email]", EMAIL)
        window.fill("[name=password]", "wrong password")
        window.click("#login-form button[type=submit]")
        window.wait_for("Invalid email or password")
        window.fill("[name=password]", PASSWORD)
        window.click("#login-form button[type=submit]")
        window.wait_for("No records yet")
        assert window.address().endswith("/_/collections/notes")


def test_only_administrators_get_in(window: Browser, tmp_path: Path) -> None:
    """Another user is told why, and has no session afterwards."""
    with started(window, tmp_path) as screen:
        account = {"email": "bob@example.com", "password": PASSWORD}
        user = screen.ask("POST", "/api/admin/users", account)
        screen.open("login")
        window.fill("[name=email]", "bob@example.com")
        window.fill("[name=password]", PASSWORD)
        window.click("#login-form button[type=submit]")
        window.wait_for("only administrators have something to see here")
        assert screen.ask("GET", f"/api/admin/users/{user['id']}/sessions")["total"] == 0


def test_a_session_outlives_its_access_tokens(window: Browser, tmp_path: Path) -> None:
    """A token that ends is refreshed, and nobody notices."""
    with started(window, tmp_path, auth={"accessTokenTtl": "1s"}) as screen:
        screen.log_in()
        first = window.run("return JSON.parse(localStorage['bakend.session']).refreshToken")
        screen.open("users")
        window.wait_for(EMAIL)
        screen.open("settings")
        window.wait_for("auth.accessTokenTtl")
        last = window.run("return JSON.parse(localStorage['bakend.session']).refreshToken")
        assert last != first


@SIZES
def test_logging_out_ends_the_session(screen: Screen, size: tuple[int, int]) -> None:
    """Here, and on the server; the next page asks for a login."""
    if size == PHONE:
        screen.window.click_text("Menu")
    screen.window.click_text(EMAIL, "aside")
    screen.window.click_text("Log out")
    screen.window.wait_for("You are logged out.")
    screen.open("users")
    screen.window.wait_for("Log in")
    me = screen.ask("GET", "/api/auth/me")["user"]["id"]
    kept = screen.ask("GET", f"/api/admin/users/{me}/sessions")["items"]
    assert not any("Chrome" in (login["userAgent"] or "") for login in kept)


@SIZES
def test_a_session_that_is_revoked_is_logged_out(screen: Screen) -> None:
    """At the next request, with a word why; and the way back leads to the same page."""
    screen.open("users")
    screen.window.click_text(EMAIL, "main")
    screen.window.wait_for("this one")
    screen.window.click("tr:has(.badge.good) [data-session]")
    screen.window.wait_for("Your session has ended")
    assert "next=" in screen.window.address()
