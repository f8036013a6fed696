"""The pages in a real browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, Final

from verify.catalog import full
from verify.hosts.browser import browser
from verify.hosts.http import ask, want
from verify.hosts.server import make_project, started, wait_until
from verify.lab import Lab
from verify.outcome import expect

SHOP: Final = Path(__file__).parents[3] / "examples" / "shop"
LINK: Final = re.compile(r"http://localhost:\d+(/_/setup#\S+)")


@full
def status_page(lab: Lab) -> str:
    """/_/ draws itself in Chromium: the version shows, and the console has no word of it."""
    with lab.here() as host:
        version = host.must(host.inside(host.bak), "version").strip()
        config = make_project(host, "/srv/app")
        with started(host, config) as server, browser(host.at("/profile")) as window:
            server.wait_well()
            window.open(f"http://127.0.0.1:{server.port}/_/")
            window.wait_for("The server is well")
            window.wait_for(f"version {version}")
            console = window.console()
            server.stop()
    expect(not console, f"the console says {console[:3]}")
    return f"version {version} shows; console empty"


@full
def first_administrator(lab: Lab) -> str:
    """The link of the first start leads to a form that makes the administrator, once."""
    with lab.here() as host:
        config = make_project(host, "/srv/app")
        with started(host, config) as server, browser(host.at("/profile")) as window:
            server.wait_well()
            wait_until(lambda: LINK.search(server.log) is not None, 10, "a link in the log")
            link = LINK.findall(server.log)[0]
            for email, seen in (
                ("root@example.com", "root@example.com is the administrator"),
                ("second@example.com", "This link is no longer valid"),
            ):
                window.open(f"http://127.0.0.1:{server.port}/_/")  # a fragment alone loads nothing
                window.open(f"http://127.0.0.1:{server.port}{link}")
                window.wait_for("Make the first administrator")
                window.type("#email", email)
                window.type("#password", "correct horse battery")
                window.click("#setup-form button")
                window.wait_for(seen)
                where = window.address()
                expect(where.endswith("/_/setup"), f"the token stays in the address: {where}")
            server.stop()
        users = host.must(host.inside(host.bak), "users", "list", "--config", config)
    expect(users.count("\n") == 1 and "admin" in users, f"the users are {users!r}")
    return "form filled in, administrator made, link void, token out of the address"


@full
def live_page(lab: Lab) -> str:
    """The page of examples/shop shows a product as it comes, and its stock as an order takes from it."""
    owner = {"email": "owner@example.com", "password": "correct horse battery"}
    environ = {"BAKEND_ADMIN_EMAIL": owner["email"], "BAKEND_ADMIN_PASSWORD": owner["password"]}
    with lab.here() as host:
        shutil.copytree(SHOP, host.at("/srv/shop"), ignore=shutil.ignore_patterns(".bakend"))
        config = host.inside("/srv/shop/bakend.json")
        with (
            started(host, config, environ={**host.environ, **environ}) as server,
            browser(host.at("/profile")) as window,
        ):
            server.wait_well()
            window.open(f"http://127.0.0.1:{server.port}/api/_/live")
            window.wait_for("live")
            token = want(server.port, "POST", "/api/auth/login", 200, owner).json["token"]
            tea = {"name": "Tea", "price": 450, "stock": 3}
            product = _as(token, server.port, "/api/products", tea)
            window.wait_for("Tea")
            _as(token, server.port, "/api/orders", {"product": product["id"], "count": 2})
            wait_until(lambda: window.text("li strong") == "1", 20, "the stock that is left")
            console = window.console()
            server.stop()
    expect(not console, f"the console says {console[:3]}")
    return "product and stock show as they change; console empty"


def _as(token: str, port: int, path: str, content: object) -> Any:
    """Create something as somebody, and return it."""
    answer = ask(port, "POST", path, content, headers={"Authorization": f"Bearer {token}"})
    expect(answer.status == 201, f"POST {path}: {answer.status}: {answer.body[:200]!r}")
    return answer.json
