"""The scripts that people type: they start everywhere, and say it when they cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
VERBS: Final = ("run", "test", "check", "fix", "lock")


@pytest.mark.parametrize("verb", [*(f"scripts/{verb}" for verb in VERBS), ".ci/run"])
def test_a_verb_is_executable(verb: str) -> None:
    """A clone can start each verb as it is."""
    assert os.access(ROOT / verb, os.X_OK)


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("script", [*VERBS, "environment.sh"])
def test_every_shell_can_read_a_script(shell: str, script: str) -> None:
    """The verbs are plain POSIX shell."""
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"no {shell} here")
    command = [found, *(["sh"] if shell == "busybox" else []), "-n", str(ROOT / "scripts" / script)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", VERBS)
def test_a_wrong_python_is_named(verb: str) -> None:
    """A Python that is too old, or none at all, is said in a sentence before anything is made."""
    done = subprocess.run(
        [ROOT / "scripts" / verb],
        env={**os.environ, "PYTHON": "/nowhere/python"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr == "PYTHON=/nowhere/python is not a Python 3.11 or newer\n"


def test_no_python_says_how_to_name_one(tmp_path: Path) -> None:
    """Without any Python the scripts say what they looked for, and what to do."""
    for tool in ("dirname", "sh"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / tool).symlink_to(found)
    shell = shutil.which("sh")
    assert shell is not None

    done = subprocess.run(
        [shell, ROOT / "scripts" / "test"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("Bakend needs Python 3.11 or newer")
    assert "PYTHON=/path/to/python3" in done.stderr
