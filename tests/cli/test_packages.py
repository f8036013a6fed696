"""`bak add`, `bak remove`, `bak sync` at the terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from wheels import make_wheel, serve_index

from terminal import Terminal

OTHER_PLATFORM = "cp39-cp39-win_arm64"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An index with alpha and gamma, which pip is told of by its own variables."""
    folder = tmp_path / "index"
    make_wheel(folder, "alpha", "1.0")
    make_wheel(folder, "gamma", "1.0", tag=OTHER_PLATFORM)
    for name in [each for each in os.environ if each.startswith("PIP_")]:
        monkeypatch.delenv(name)
    with serve_index(folder) as address:
        monkeypatch.setenv("PIP_INDEX_URL", address)
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_RETRIES", "0")
        yield folder


@pytest.fixture
def project(tmp_path: Path, bak: Terminal, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project, which is the current folder."""
    bak("init", "p")
    monkeypatch.chdir(tmp_path / "p")
    return tmp_path / "p"


@pytest.mark.slow
def test_adds_syncs_and_removes(bak: Terminal, project: Path, index: Path) -> None:
    """Results are on stdout, what is going on is on stderr."""
    added = bak("add", "alpha")
    synced = bak("sync")
    removed = bak("remove", "ALPHA")

    assert (added.code, added.out) == (0, "added alpha 1.0\n")
    assert "Installing alpha 1.0\n" in added.err
    assert (synced.code, synced.out, synced.err) == (0, "Nothing to change.\n", "")
    assert (removed.code, removed.out) == (0, "removed alpha 1.0\n")


@pytest.mark.slow
def test_prints_json(bak: Terminal, project: Path, index: Path) -> None:
    """Scripts get what changed and what is there."""
    alpha = {"name": "alpha", "version": "1.0"}

    assert bak("add", "alpha", "--json").json == {
        "added": [alpha],
        "removed": [],
        "installed": [alpha],
    }
    assert bak("sync", "--json").json["added"] == []
    assert bak("remove", "alpha", "--json").json["removed"] == [alpha]


@pytest.mark.slow
def test_says_in_one_sentence_what_cannot_be_had(
    bak: Terminal, project: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code tells a package that is not to be had from an index that does not answer."""
    no_wheel = bak("add", "gamma")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    no_network = bak("add", "alpha")

    assert (no_wheel.code, no_wheel.out) == (1, "")
    assert "gamma has no wheel for this platform" in no_wheel.err
    assert "Traceback" not in no_wheel.err
    assert (no_network.code, no_network.out) == (69, "")
    assert "The package index does not answer" in no_network.err
    assert not (project / "packages.txt").exists()
    assert not (project / "packages.lock").exists()


@pytest.mark.parametrize(
    "args",
    [
        ("add",),
        ("remove",),
        ("add", "./folder"),
        ("add", "x @ http://example.com/x.whl"),
        ("remove", "never-asked-for"),
        ("sync", "surplus"),
    ],
    ids=" ".join,
)
def test_refuses_wrong_usage(bak: Terminal, project: Path, args: tuple[str, ...]) -> None:
    """What makes no sense ends with code 2, without asking any index."""
    result = bak(*args)

    assert result.code == 2
    assert "Error: " in result.err
    assert not (project / "packages.txt").exists()


@pytest.mark.parametrize("args", [("add", "alpha"), ("remove", "alpha"), ("sync",)], ids=" ".join)
def test_needs_a_project(bak: Terminal, tmp_path: Path, args: tuple[str, ...]) -> None:
    """In any other folder nothing is made."""
    result = bak(*args)

    assert result.code == 78
    assert list(tmp_path.iterdir()) == []
