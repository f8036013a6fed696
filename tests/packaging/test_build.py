"""packaging/build.py and packaging/application: what is built, and from what."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
from application import stage
from interpreter.progress import BuildError

ROOT: Final = Path(__file__).resolve().parents[2]


def load() -> ModuleType:
    """Import packaging/build.py under a name of its own: `build` is a common word."""
    spec = importlib.util.spec_from_file_location(
        "packaging_build", ROOT / "packaging" / "build.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


build: Final[Any] = load()


def git(folder: Path, *words: str) -> None:
    """Run git, with nobody's settings."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    env |= {"GIT_COMMITTER_DATE": "1700000000 +0000", "GIT_AUTHOR_DATE": "1600000000 +0000"}
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run(["git", "-C", folder, *who, *words], env=env, check=True, capture_output=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a repository with one commit."""
    git(tmp_path, "init", "--quiet")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_the_build_time_is_that_of_the_commit(clone: Path) -> None:
    """So the same commit gives the same bytes on any day."""
    commit = build.commit_of(clone)

    assert len(commit.name) == 40
    assert commit.at.isoformat() == "2023-11-14T22:13:20+00:00"


@pytest.mark.parametrize("name", ["file", "new"])
def test_a_changed_tree_is_marked(clone: Path, name: str) -> None:
    """Nobody takes a build of changed files, or with files more, for one of the commit."""
    (clone / name).write_text("2")

    assert build.commit_of(clone).name.endswith("-dirty")


def test_without_a_repository_the_environment_says_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tarball of the sources can be built, too."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    commit = build.commit_of(tmp_path)

    assert (commit.name, commit.at.year) == ("unknown", 2023)


def test_every_product_says_what_it_is() -> None:
    """Version and schema are read from the sources that are built."""
    from bakend.database.migrations import STEPS
    from bakend.version import VERSION

    about = build.describe(ROOT, build.Commit("c0ffee", build.instant("1700000000")))

    assert about == {
        "version": VERSION,
        "commit": "c0ffee",
        "builtAt": "2023-11-14T22:13:20Z",
        "schemaVersion": max(STEPS),
    }


def test_every_locked_package_is_found() -> None:
    """A lock is taken apart into whole requirements, each with its hashes."""
    found = list(stage.requirements((ROOT / "requirements" / "runtime.txt").read_text()))

    assert len(found) >= 10
    assert [each for each in found if "--hash=sha256:" not in each] == []


def test_a_failing_command_shows_what_it_said() -> None:
    """Whoever builds sees the cause, not only that something failed."""
    program = "import sys; print('out'); sys.exit('cause')"

    with pytest.raises(BuildError, match=r"(?s)out.*cause.*failed"):
        stage.run([sys.executable, "-c", program])


def test_nothing_in_packaging_shadows_the_library() -> None:
    """An __init__.py there would be what `import packaging` finds in this folder."""
    assert list((ROOT / "packaging").rglob("__init__.py")) == []


@pytest.mark.slow
def test_the_zipapp_carries_no_binary_module() -> None:
    """It runs on any Python from 3.11 on, on any machine."""
    found = sorted((ROOT / "dist").glob("bakend-v*.pyz"))
    if not found:
        pytest.skip("there is no zipapp in dist: scripts/build makes it")

    with zipfile.ZipFile(found[-1]) as file:
        names = file.namelist()

    assert [name for name in names if name.endswith((".so", ".pyc", ".pyd"))] == []
    assert {"site-packages/bakend/dashboard/index.html", "site-packages/bakend/build.json"} <= {
        *names
    }
