"""The least that Flask and Waitress can do: what our own start is measured against."""

from __future__ import annotations

import signal
import sys

import flask
import waitress  # type: ignore[import-untyped]

app = flask.Flask("hello")


@app.route("/health")
def health() -> dict[str, str]:
    """Answer."""
    return {"status": "ok"}


def main() -> None:
    """Serve on the port that follows `--port`, as `bak start` does."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = int(sys.argv[sys.argv.index("--port") + 1])
    waitress.serve(app, host="127.0.0.1", port=port, _quiet=True)
