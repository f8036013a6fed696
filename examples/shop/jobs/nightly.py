"""What was ordered on the day before, as a record that stays."""

from datetime import timedelta

schedule = "5 0 * * *"
timezone = "UTC"
missed = "once"


def run(ctx):
    day = (ctx.now - timedelta(days=1)).strftime("%Y-%m-%d")
    if ctx.db.query("SELECT 1 FROM reports WHERE day = ?", (day,)):
        return  # it has run already, and was stopped before it could say so
    (sums,) = ctx.db.query(
        "SELECT count(*) AS orders, coalesce(sum(total), 0) AS revenue FROM orders"
        " WHERE substr(created_at, 1, 10) = ? AND status != 'cancelled'",
        (day,),
    )
    ctx.records.create("reports", {"day": day, **sums})
    ctx.logger.info("%s: %d orders", day, sums["orders"])
