"""The page in a real browser."""

from __future__ import annotations

import re
import subprocess
from typing import Final

from verify.catalog import full
from verify.hosts.debian import tool
from verify.hosts.server import make_project, started
from verify.lab import Lab
from verify.outcome import Failed, expect

QUIET: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)
PATIENCE_MS: Final = 5_000
"""Of the browser's own clock, which runs ahead while nothing happens."""


@full
def status_page(lab: Lab) -> str:
    """/_/ draws itself in Chromium: the version shows, and the console has no word of it."""
    chromium = tool("chromium", "chromium")
    with lab.here() as host:
        version = host.must(host.inside(host.bak), "version").strip()
        config = make_project(host, "/srv/app")
        picture = host.at("/page.png")
        with started(host, config) as server:
            server.wait_well()
            address = f"http://127.0.0.1:{server.port}/_/"
            common = (
                *QUIET,
                f"--user-data-dir={host.at('/profile')}",
                f"--virtual-time-budget={PATIENCE_MS}",
                "--enable-logging=stderr",
            )
            page, said = _run(chromium, *common, "--dump-dom", address)
            _run(chromium, *common, f"--screenshot={picture}", "--window-size=900,900", address)
            server.stop()
        size = picture.stat().st_size if picture.exists() else 0
    console = [line.split("CONSOLE", 1)[1] for line in said.splitlines() if "CONSOLE" in line]
    expect(not console, f"the console says {console[:3]}")
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)
    expect(version in text, f"the version does not show: {' '.join(text.split())[:200]}")
    expect("The server is well" in text, f"it does not say so: {' '.join(text.split())[:200]}")
    expect(size > 5_000, f"the picture has {size} bytes")
    return f"version {version} shows; picture of {size:,} bytes; console empty"


def _run(*command: str) -> tuple[str, str]:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed("the browser did not end within 120 s") from None
    expect(done.returncode == 0, f"the browser ended with {done.returncode}: {done.stderr[-200:]}")
    return done.stdout, done.stderr
