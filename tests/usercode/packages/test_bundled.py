"""What Bakend itself brings."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from bakend.usercode.packages.bundled import bundled_versions
from bakend.version import VERSION


def _distribution(folder: Path, name: str, version: str, *needs: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {each}" for each in needs)]
    (info / "METADATA").write_text("Metadata-Version: 2.1\n" + "".join(f"{x}\n" for x in lines))


def test_what_bakend_needs_is_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Dependencies of dependencies count; extras and what is not installed don't."""
    _distribution(
        tmp_path, "bakend", VERSION, "Some_Web>=3", 'tester; extra == "dev"', "absent; x == '1'"
    )
    _distribution(tmp_path, "some_web", "3.1", "some-tools>=2", "bakend")
    _distribution(tmp_path, "some_tools", "2.5")
    _distribution(tmp_path, "tester", "9")
    monkeypatch.syspath_prepend(tmp_path)

    assert bundled_versions() == {"bakend": VERSION, "some-web": "3.1", "some-tools": "2.5"}


def test_a_clone_that_nobody_installed_has_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a list of its dependencies, Bakend fixes nothing but itself."""

    def missing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", missing)

    assert bundled_versions() == {"bakend": VERSION}
