"""Orders take from the stock, and cancelled ones put back: in the transaction of the order itself."""

from bakend import Reject, before_create, before_delete, before_update

NEXT = {"ordered": ("ordered", "sent", "cancelled"), "sent": ("sent",), "cancelled": ("cancelled",)}


@before_create("orders")
def take(ctx):
    product = ctx.records.get("products", ctx.record["product"])
    count = ctx.record["count"]
    if count > product["stock"]:
        raise Reject(f"Only {product['stock']} of {product['name']} are left", field="count")
    ctx.records.update("products", product["id"], {"stock": product["stock"] - count})
    ctx.record["total"] = product["price"] * count
    ctx.record["status"] = "ordered"


@before_update("orders")
def move_on(ctx):
    old, new = ctx.old, ctx.record
    if (old["product"], old["count"], old["total"]) != (new["product"], new["count"], new["total"]):
        raise Reject("What was ordered cannot be changed; cancel it and order again")
    if new["status"] not in NEXT[old["status"]]:
        raise Reject(f"An order that is {old['status']} cannot be {new['status']}", field="status")
    if new["status"] == "cancelled" != old["status"]:
        put_back(ctx, old)


@before_delete("orders")
def forget(ctx):
    if ctx.old["status"] == "ordered":
        put_back(ctx, ctx.old)


def put_back(ctx, order):
    product = ctx.records.get("products", order["product"])
    if product is not None:  # it may have been taken out of the shop
        stock = product["stock"] + order["count"]
        ctx.records.update("products", product["id"], {"stock": stock})
