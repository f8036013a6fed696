"""examples/shop: the lines of its README, against a real server; its own tests lie beside it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from bakend.testing import NOT_COPIED

import clients
from processes import running_server

ROOT: Final = Path(__file__).parents[2]
SHOP: Final = ROOT / "examples" / "shop"


@pytest.mark.e2e
def test_the_lines_of_the_readme_work(tmp_path: Path) -> None:
    """An order has its price, one too many is refused, and what sold best is Tea."""
    if shutil.which("curl") is None:
        pytest.skip("no curl here")
    project = shutil.copytree(SHOP, tmp_path / "shop", ignore=NOT_COPIED)
    blocks = re.findall(r"^```sh\n(.*?)^```", (SHOP / "README.md").read_text(), re.DOTALL | re.M)
    (block,) = [block for block in blocks if block.startswith("api=")]
    owner = clients.ADMIN_EMAIL, clients.ADMIN_PASSWORD
    with running_server(project, environ=clients.ADMIN) as server:
        lines = (
            block.replace(":8080", f":{server.port}")
            .replace("owner@example.com", owner[0])
            .replace('"…"', f'"{owner[1]}"')
            .replace("bak jobs", f"true {project}")
        )
        done = subprocess.run(["sh", "-e"], input=lines, capture_output=True, text=True, check=True)

    assert '"total":900' in done.stdout
    assert "Only 1 of Tea are left" in done.stdout
    assert '[{"name":"Tea","sold":2}]' in done.stdout


def test_the_guide_tests_it_as_it_says() -> None:
    """What docs/guide/testing.md shows passes, beside the shop's own tests."""
    text = (ROOT / "docs" / "guide" / "testing.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {"__file__": str(SHOP / "tests" / "test_guide.py")}
    exec(compile(code, "testing.md", "exec"), names)
    names["test_an_order_takes_from_the_stock"]()
