"""Routes of the shop's own: what sells best, and a page that shows the stock as it changes."""

from pathlib import Path

from bakend import InvalidInputError, Response, route

PAGES = Path(__file__).parents[1] / "pages"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"


@route("GET", "/bestsellers")
def bestsellers(db, request):
    limit = request.query.get("limit") or "3"
    if not limit.isdecimal() or not 1 <= int(limit) <= 100:
        raise InvalidInputError("limit must be a whole number from 1 to 100")
    return db.query(
        "SELECT products.name, sum(orders.count) AS sold FROM orders"
        " JOIN products ON products.id = orders.product WHERE orders.status != 'cancelled'"
        " GROUP BY products.id ORDER BY sold DESC, products.name LIMIT ?",
        (int(limit),),
    )


@route("GET", "/live")
def page():
    return file("live.html", "text/html")


@route("GET", "/live.js")
def script():
    return file("live.js", "text/javascript")


@route("GET", "/live.css")
def style():
    return file("live.css", "text/css")


def file(name, kind):
    return Response(
        (PAGES / name).read_text(encoding="utf-8"),
        content_type=f"{kind}; charset=utf-8",
        headers={"Content-Security-Policy": POLICY},
    )
