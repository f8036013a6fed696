"""Starts Bakend in this process, asks for `/health`, and writes which modules that took.

    python3.13 -I -S -B start_modules.py PACKAGES RESULT

Started by the fuse step in a process of its own: what lies uncompressed in the zip is what a start
imports, and no list kept by hand would stay true.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

PATIENCE = 600
"""How many times it is tried to reach the server, a tenth of a second apart."""


def free_port() -> int:
    """Return a port that nobody had a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_well(port: int) -> bool:
    """Tell whether the server answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


def record(port: int, result: Path) -> None:
    """Wait for the first answer, write the modules down, and let the server stop."""
    pause = threading.Event()
    for _ in range(PATIENCE):
        if is_well(port):
            lines = [
                f"{name} {spec.origin}"
                for name, module in sorted(sys.modules.items())
                if (spec := getattr(module, "__spec__", None)) is not None  # our own has none
            ]
            result.write_text("\n".join(lines) + "\n")
            break
        pause.wait(0.1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Serve an empty project until somebody has seen it answer."""
    packages, result = sys.argv[1:]
    sys.path.append(packages)
    port = free_port()
    threading.Thread(target=record, args=(port, Path(result)), daemon=True).start()

    from bakend.cli.main import run

    with tempfile.TemporaryDirectory() as folder:
        config = str(Path(folder) / "bakend.json")  # a start makes what is missing
        return run(["start", "--config", config, "--host", "127.0.0.1", "--port", str(port)])


if __name__ == "__main__":
    sys.exit(main())
