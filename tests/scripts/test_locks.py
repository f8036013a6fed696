"""requirements/*.txt: exact, checked by hash, and tied to no one package index."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
LOCKS: Final = ("build", "runtime", "dev", "packaging")

PIN: Final = re.compile(r"^([a-z0-9-]+)==\S+", re.MULTILINE)


def lock(name: str) -> str:
    """Return the text of a lock file."""
    return (ROOT / "requirements" / f"{name}.txt").read_text()


def pins(name: str) -> dict[str, str]:
    """Return each package of a lock file with its exact version."""
    return {found[1]: found[0] for found in PIN.finditer(lock(name))}


def wanted(option: str) -> set[str]:
    """Return the names that setup.cfg asks for."""
    setup = configparser.ConfigParser(interpolation=None)
    setup.read(ROOT / "setup.cfg")
    section, key = option.split("/")
    return {re.split(r"[<>=!~;\[ ]", line)[0] for line in setup[section][key].split()}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_hashes(name: str) -> None:
    """Nothing is installed that was not seen when the file was written."""
    blocks = [
        block for block in re.split(r"^(?=[a-z])", lock(name), flags=re.MULTILINE) if "==" in block
    ]

    assert blocks
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_address_is_in_it(name: str) -> None:
    """Where packages come from is for the machine to say, not for the repository."""
    assert re.search(r"://|--(extra-)?index-url|--find-links|-i ", lock(name)) is None


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("runtime", "options/install_requires"),
        ("dev", "options/install_requires"),
        ("dev", "options.extras_require/dev"),
        ("packaging", "options.extras_require/packaging"),
    ],
)
def test_everything_in_setup_cfg_is_locked(name: str, option: str) -> None:
    """A requirement that was added without scripts/lock is found here."""
    assert wanted(option) - set(pins(name)) == set()


def test_tests_run_on_the_versions_of_the_runtime() -> None:
    """What is tested is what is run: the dev lock repeats the runtime's versions."""
    assert pins("runtime").items() <= pins("dev").items()
