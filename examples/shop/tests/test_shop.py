"""The shop, as its customers and its owner use it."""

import json
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bakend.testing import FakeClock, temporary_project

SHOP = Path(__file__).parents[1]


class Chat(HTTPServer):
    """Stands in for the chat: keeps what it is told, and fails as often as it is asked to."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Told)
        self.texts, self.keys, self.failures = [], [], 0
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Told(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.failures:
            self.server.failures -= 1
            self.send_error(503)
            return
        self.server.texts.append(json.loads(body)["text"])
        self.server.keys.append(self.headers["Idempotency-Key"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def chat():
    with Chat() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def clock():
    return FakeClock(datetime(2026, 5, 1, 12, tzinfo=UTC))


@pytest.fixture
def shop(chat, clock):
    secrets = {"SHOP_WEBHOOK": chat.url}
    with temporary_project(source=SHOP, clock=clock, secrets=secrets) as project:
        project.load_programs()
        yield project


@pytest.fixture
def owner(shop):
    return shop.sign_up("owner@example.com", role="admin")


@pytest.fixture
def ada(shop):
    return shop.sign_up("ada@example.com")


def tea(shop, owner, *, stock=3):
    body = {"name": "Tea", "price": 450, "stock": stock}
    return shop.client.post("/api/products", json=body, headers=owner).json["id"]


def stock_of(shop, product):
    return shop.client.get(f"/api/products/{product}").json["stock"]


def order(shop, product, count, who):
    body = {"product": product, "count": count, "total": 1, "status": "sent"}
    return shop.client.post("/api/orders", json=body, headers=who)


def test_an_order_takes_from_the_stock_and_has_its_price(shop, owner, ada):
    product = tea(shop, owner)
    made = order(shop, product, 2, ada)
    assert made.status_code == 201
    assert (made.json["total"], made.json["status"]) == (900, "ordered")
    assert stock_of(shop, product) == 1


def test_more_than_there_is_cannot_be_ordered(shop, owner, ada):
    product = tea(shop, owner)
    refused = order(shop, product, 4, ada)
    assert refused.status_code == 400
    assert refused.json["error"]["details"] == [
        {"field": "count", "rule": "rejected", "message": "Only 3 of Tea are left"}
    ]
    assert stock_of(shop, product) == 3
    assert shop.client.get("/api/orders", headers=ada).json["items"] == []


def test_a_cancelled_order_puts_back_once(shop, owner, ada):
    product = tea(shop, owner)
    path = f"/api/orders/{order(shop, product, 2, ada).json['id']}"
    assert shop.client.put(path, json={"status": "cancelled"}, headers=owner).status_code == 200
    assert stock_of(shop, product) == 3
    again = shop.client.put(path, json={"status": "sent"}, headers=owner)
    assert again.json["error"]["details"][0]["field"] == "status"
    assert shop.client.delete(path, headers=owner).status_code == 204
    assert stock_of(shop, product) == 3


def test_the_chat_is_told_also_when_it_was_away(shop, owner, ada, chat, clock):
    product = tea(shop, owner)
    chat.failures = 1
    order(shop, product, 2, ada)
    shop.run_pending()
    assert chat.texts == []
    clock.advance(1)
    shop.run_pending()
    assert chat.texts == ["2 × Tea for 9.00 €"]
    (event,) = [each for each in shop.events() if each.type == "orders.created"]
    assert chat.keys == [event.id]


def test_each_night_has_one_report(shop, owner, ada, clock):
    product = tea(shop, owner, stock=10)
    for count in (1, 2):
        order(shop, product, count, ada)
    clock.advance(24 * 3600)
    shop.run_pending()
    clock.advance(24 * 3600)
    shop.run_pending()
    owner = shop.log_in("owner@example.com")  # the token of two days ago is over
    reports = shop.client.get("/api/reports", headers=owner).json["items"]
    assert [(each["day"], each["orders"], each["revenue"]) for each in reports] == [
        ("2026-05-02", 0, 0),
        ("2026-05-01", 2, 1350),
    ]


def test_what_sells_best_comes_first(shop, owner, ada):
    body = {"name": "Cups", "price": 900, "stock": 9}
    cups = shop.client.post("/api/products", json=body, headers=owner).json["id"]
    order(shop, tea(shop, owner), 2, ada)
    order(shop, cups, 5, ada)
    best = shop.client.get("/api/_/bestsellers").json
    assert best == [{"name": "Cups", "sold": 5}, {"name": "Tea", "sold": 2}]
    assert shop.client.get("/api/_/bestsellers?limit=x").status_code == 400


def test_the_live_page_brings_its_script_and_style(shop):
    page = shop.client.get("/api/_/live")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for name in ("live.js", "live.css"):
        assert name in page.text
        assert shop.client.get(f"/api/_/{name}").status_code == 200
