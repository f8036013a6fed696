"""Functions and jobs in the dashboard: what is broken, what failed and why, and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from screens import DESKTOP, SIZES, Screen, started
from verify.hosts.browser import Browser

pytestmark = [pytest.mark.slow, pytest.mark.e2e, pytest.mark.timeout(300)]

FILES: Final = {
    "functions/notify.py": (
        "from pathlib import Path\n"
        "from bakend import on_create\n\n\n"
        "@on_create('notes', attempts=1)\n"
        "def notify(ctx):\n"
        "    ctx.logger.info('asking for %s', ctx.record['title'])\n"
        "    Path(__file__).with_name('answer.txt').read_text()\n"
    ),
    "functions/broken.py": "x = 1\ny = (\n",
    "jobs/nightly.py": "schedule = '30 3 * * *'\n\ndef run(ctx):\n    ctx.logger.info('good night')\n",
}


@pytest.fixture
def screen(window: Browser, tmp_path: Path, size: tuple[int, int]) -> Iterator[Screen]:
    with started(window, tmp_path, files=FILES) as opened:
        opened.log_in()
        window.look(*size)
        yield opened


@SIZES
def test_a_failing_function_is_found_and_runs_again(
    screen: Screen, axe: str, tmp_path: Path
) -> None:
    """From the overview to the line that failed; and when its cause is gone, again."""
    window = screen.window
    with screen.server.client() as client:
        client.post("/api/notes", {"title": "a note"})
    screen.open()
    window.click("[data-run]")
    window.wait_for("asking for a note")
    seen = window.text("dialog")
    assert "FileNotFoundError" in seen
    assert "line 8" in seen
    own = "return [...document.querySelectorAll('dialog .tok-own')].map((each) => each.innerText)"
    path, line, error = window.run(own)  # and none of the frames of the library
    assert (path, line, error) == ("functions/notify.py", "8", "FileNotFoundError")
    for scheme in ("light", "dark"):
        window.look(*DESKTOP, scheme=scheme)
        assert screen.violations(axe) == []

    (tmp_path / "project" / "functions" / "answer.txt").write_text("here")
    window.click_text("Run again", "dialog")
    window.wait_for("completed")
    assert screen.complaints() == []


def test_a_file_that_does_not_load_is_named_with_its_line(screen: Screen) -> None:
    """Beside those that do."""
    screen.open("functions")
    screen.window.wait_for("functions/broken.py:2: SyntaxError")
    screen.window.wait_for("notify")


@SIZES
def test_a_job_runs_now(screen: Screen) -> None:
    """Its schedule is said in words; the run comes by itself, whatever was shown, with its log."""
    window = screen.window
    screen.open("jobs")
    window.wait_for("every day at 03:30")
    window.run(
        "const list = document.querySelector(\"main [aria-label='State']\"); list.value = 'failed';"
        "list.dispatchEvent(new Event('change', { bubbles: true }))"
    )
    window.wait_for("None in this state.")
    window.click("[data-job=nightly]")
    window.wait_for("completed")
    window.click("[data-run]")
    window.wait_for("good night")
