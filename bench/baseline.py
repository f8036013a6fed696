"""What Bakend is compared with: the least that answers in JSON, on the same Waitress.

`baseline.py wsgi|flask PORT THREADS` serves until SIGTERM. The body is as long as that of
Bakend's `/health`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

import waitress  # type: ignore[import-untyped]  # ships no types

BODY: Final = b'{"message":"hello","number":1234}'
assert len(BODY) == 33


def hello(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer every request with the same bytes."""
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]
    start_response("200 OK", headers)
    return [BODY]


def flask_hello() -> Callable[..., Iterable[bytes]]:
    """Return the same with one Flask route."""
    # Only here: the bare one must not pay for the import.
    from flask import Flask, Response

    app = Flask(__name__)

    @app.get("/health")
    def health() -> Response:
        return Response(BODY, content_type="application/json")

    return app


def main() -> None:
    """Serve."""
    kind, port, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    waitress.serve(
        flask_hello() if kind == "flask" else hello,
        host="127.0.0.1",
        port=port,
        threads=threads,
        connection_limit=10_000,
        backlog=2_048,
        # select() ends at descriptor 1,024.
        asyncore_use_poll=True,
        _quiet=True,
    )


if __name__ == "__main__":
    main()
