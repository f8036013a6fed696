"""The way from pytest to Node: what did not run is no pass, and what is missing is named."""

from __future__ import annotations

import os
import shutil

import pytest

import node

PASSED = "# tests 2\n# pass 2\n# fail 0\n# cancelled 0\n# skipped 0\n# todo 0\n"


def test_a_report_of_passed_tests_passes() -> None:
    """All of them ran, and the script ended well."""
    node.assert_all_passed("some.mjs", 0, PASSED)


@pytest.mark.parametrize(
    ("code", "report"),
    [
        pytest.param(1, PASSED, id="it ended badly"),
        pytest.param(0, "", id="nothing was reported"),
        pytest.param(0, PASSED.replace("pass 2", "pass 0"), id="no test"),
        pytest.param(0, PASSED.replace("fail 0", "fail 1"), id="one failed"),
        pytest.param(0, PASSED.replace("skipped 0", "skipped 1"), id="one was skipped"),
        pytest.param(0, PASSED.replace("todo 0", "todo 1"), id="one is to do"),
        pytest.param(0, PASSED.replace("cancelled 0", "cancelled 1"), id="one was cut off"),
    ],
)
def test_a_report_with_anything_else_fails(code: int, report: str) -> None:
    """What was not run proves nothing."""
    with pytest.raises(AssertionError, match=r"some\.mjs ended with"):
        node.assert_all_passed("some.mjs", code, report)


@pytest.mark.parametrize("has_apt", [True, False])
def test_a_missing_node_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, has_apt: bool
) -> None:
    """Who may not install packages is told the command; it is no skip."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(
        shutil, "which", lambda name: "/usr/bin/apt-get" if has_apt and "apt" in name else None
    )

    with pytest.raises(node.NodeError) as raised:
        node.make_ready()

    way_out = "sudo apt-get update && sudo apt-get install -y nodejs" if has_apt else "Node 18"
    assert way_out in str(raised.value)
