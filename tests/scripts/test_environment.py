"""scripts/environment.py: what it does again, and what it leaves alone."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest

SCRIPT: Final = Path(__file__).parents[2] / "scripts" / "environment.py"


def load() -> ModuleType:
    """Import the script, which lies outside every package."""
    spec = importlib.util.spec_from_file_location("environment", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


environment: Final[Any] = load()


class Recorded(environment.Environment):  # type: ignore[misc]  # its type is known at run time only
    """An environment that makes its folder, and notes installations instead of doing them."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.did: list[str] = []

    def make_anew(self) -> None:
        self.did.append("anew")
        self.note.unlink(missing_ok=True)
        self.python.parent.mkdir(parents=True, exist_ok=True)
        self.python.unlink(missing_ok=True)
        self.python.symlink_to(sys.executable)

    def pip(self, *_arguments: str, what: str) -> None:
        assert not self.note.exists(), "an interrupted installation would be taken for a whole one"
        self.did.append(what)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a clone with lock files, in a path with a space."""
    clone = tmp_path / "a clone"
    (clone / "requirements").mkdir(parents=True)
    for name in ("build", "runtime", "dev", "packaging"):
        (clone / "requirements" / f"{name}.txt").write_text(f"{name}==1\n")
    (clone / "setup.cfg").write_text("[metadata]\n")
    (clone / "pyproject.toml").write_text("[build-system]\n")
    return clone


def set_up(root: Path, kind: str = "dev", *, chosen_python: bool = False) -> list[str]:
    """Make the clone's environment ready, and return what had to be done."""
    recorded = Recorded(root)
    recorded.make_ready(kind, chosen_python=chosen_python)
    return recorded.did


BUILD: Final = "requirements/build.txt"
RUNTIME: Final = "requirements/runtime.txt"
DEV: Final = "requirements/dev.txt"
PROJECT: Final = "Bakend itself"


def test_a_fresh_clone_gets_everything(root: Path) -> None:
    """A clone without an environment gets one, with the requirements and the project."""
    assert set_up(root) == ["anew", BUILD, RUNTIME, DEV, PROJECT]


def test_building_needs_other_tools_than_testing(root: Path) -> None:
    """The tools of the build come beside those of the tests; their lock counts for all."""
    set_up(root)

    assert set_up(root, "packaging") == ["requirements/packaging.txt"]
    (root / "requirements" / "packaging.txt").write_text("packaging==2\n")
    assert set_up(root)[0] == "anew"


def test_a_second_run_does_nothing(root: Path) -> None:
    """When nothing changed, nothing is installed, and so no network is needed."""
    set_up(root)

    assert set_up(root) == []


def test_an_environment_to_run_grows_into_one_to_test(root: Path) -> None:
    """Testing after running installs only what running did not need."""
    set_up(root, "runtime")

    assert set_up(root, "dev") == [DEV]


def test_an_environment_to_test_is_enough_to_run(root: Path) -> None:
    """Running after testing installs nothing."""
    set_up(root, "dev")

    assert set_up(root, "runtime") == []


def test_changed_metadata_installs_only_the_project(root: Path) -> None:
    """A change of setup.cfg, such as a new command, installs the project again and nothing else."""
    set_up(root)
    (root / "setup.cfg").write_text("[metadata]\nname = other\n")

    assert set_up(root) == [PROJECT]


def _change_lock(root: Path) -> None:
    (root / "requirements" / "dev.txt").write_text("dev==2\n")


def _leave_half_made(root: Path) -> None:
    (root / ".venv" / "bakend-set-up.json").unlink()


def _spoil_note(root: Path) -> None:
    (root / ".venv" / "bakend-set-up.json").write_text('["not", "a note"]')


def _lose_python(root: Path) -> None:
    (root / ".venv" / "bin" / "python").unlink()


def _change_python(root: Path) -> None:
    note = root / ".venv" / "bakend-set-up.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "python": "3.1"}))


@pytest.mark.parametrize(
    "spoil", [_change_lock, _leave_half_made, _spoil_note, _lose_python, _change_python]
)
def test_an_environment_that_does_not_fit_is_made_anew(
    root: Path, spoil: Callable[[Path], None]
) -> None:
    """Other locks, an interrupted set-up, or a Python that is gone: all of it is made again."""
    set_up(root)
    spoil(root)

    assert set_up(root) == ["anew", BUILD, RUNTIME, DEV, PROJECT]


def test_a_moved_clone_gets_a_new_environment(root: Path) -> None:
    """The commands of an environment name its folder, so it does not survive a move."""
    set_up(root)
    moved = root.rename(root.with_name("moved"))

    assert set_up(moved)[0] == "anew"


def test_two_at_once_wait_for_each_other(root: Path) -> None:
    """A second set-up of the same clone begins when the first has ended."""
    order: list[str] = []

    def second() -> None:
        with environment.alone(root):
            order.append("second")

    waiting = threading.Thread(target=second)
    with environment.alone(root):
        waiting.start()
        waiting.join(timeout=0.1)
        order.append("first")
    waiting.join(timeout=10)

    assert order == ["first", "second"]


def test_a_failing_command_shows_what_it_said() -> None:
    """Installations are silent, but never when they fail."""
    command = [sys.executable, "-c", "import sys; sys.exit('no such wheel')"]

    with pytest.raises(environment.SetUpError, match="no such wheel"):
        environment.run(command, "It")
