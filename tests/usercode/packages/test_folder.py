"""What is installed, whether it fits, and its place on the path."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import pytest

from bakend.testing import temporary_project
from bakend.usercode.packages import LOCK_FILE, lock
from bakend.usercode.packages.folder import PackageFolder, Stamp, fingerprint, this_platform
from bakend.usercode.packages.lock import Pin

PINS = (Pin("alpha", "1.0", (f"sha256:{'a' * 64}",)), Pin("beta", "2.0", (f"sha256:{'b' * 64}",)))


def _silent() -> None:
    pytest.fail("nobody else changes the packages")


def _install(project: Path, *, text: str | None = None, **stamped: Any) -> Stamp:
    """Lock the two packages and install a module for each, without pip."""
    text = lock.write(PINS) if text is None else text
    (project / LOCK_FILE).write_text(text)
    abi, target = this_platform()
    stamp = Stamp(abi, target, fingerprint(text), {pin.name: pin.version for pin in PINS})
    stamp = stamp.replaced(**stamped)
    folder = PackageFolder(project)
    with folder.alone(_silent), folder.room() as work:
        made = work / "installed"
        made.mkdir()
        (made / "a_module_of_the_user.py").write_text(f"NUMBER = {len(text)}\n")
        folder.use(made, stamp)
    return stamp


def test_what_fits_is_no_problem(tmp_path: Path) -> None:
    """Neither a project without packages nor one with all of them is warned about."""
    assert PackageFolder(tmp_path).problem() is None

    stamp = _install(tmp_path)

    assert PackageFolder(tmp_path).problem() is None
    assert PackageFolder(tmp_path).stamp() == stamp


def test_a_machine_that_has_not_synced_is_told(tmp_path: Path) -> None:
    """A lock out of git names what is missing here, and what to do."""
    (tmp_path / LOCK_FILE).write_text(lock.write(PINS))

    assert PackageFolder(tmp_path).problem() == (
        "Packages are not installed on this machine: alpha 1.0, beta 2.0; run `bak sync`"
    )


@pytest.mark.parametrize("field", ["abi", "target"])
def test_packages_of_another_python_or_system_are_told(tmp_path: Path, field: str) -> None:
    """A folder that was copied, or is older than the Python, holds modules that can't be loaded."""
    _install(tmp_path, **{field: "something-else"})

    problem = PackageFolder(tmp_path).problem()

    assert problem is not None
    assert "something-else" in problem
    assert problem.endswith("alpha 1.0, beta 2.0; run `bak sync`")


def test_a_lock_that_has_moved_on_names_what_is_new(tmp_path: Path) -> None:
    """Only the packages that differ are named."""
    _install(tmp_path)
    (tmp_path / LOCK_FILE).write_text(lock.write([PINS[0], PINS[1].replaced(version="3.0")]))
    changed = PackageFolder(tmp_path).problem()
    (tmp_path / LOCK_FILE).write_text(lock.write(PINS[:1]))
    fewer = PackageFolder(tmp_path).problem()

    assert changed == (
        "Packages stand in packages.lock and are not what is installed: beta 3.0; run `bak sync`"
    )
    assert fewer == "packages.lock has changed since the packages were installed: run `bak sync`"


def test_a_lock_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A start goes on with what is there."""
    (tmp_path / LOCK_FILE).write_text("<<<<<<< HEAD\n")

    assert "packages.lock is damaged" in str(PackageFolder(tmp_path).problem())


def test_a_start_says_what_does_not_fit(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The server starts all the same, with a warning."""
    (tmp_path / LOCK_FILE).write_text(lock.write(PINS))
    with (
        caplog.at_level(logging.WARNING, logger="bakend.app"),
        temporary_project(folder=tmp_path, settings={"host": "127.0.0.1", "port": 0}) as project,
    ):
        project.app.listen(develops=False)
        project.app.stop()
        project.app.serve()

    assert "alpha 1.0, beta 2.0; run `bak sync`" in caplog.text


def test_packages_come_last_on_the_path(tmp_path: Path) -> None:
    """Nothing that a user installs replaces a part of Bakend."""
    _install(tmp_path)
    folder = PackageFolder(tmp_path)
    before = list(sys.path)

    folder.put_on_path()
    folder.put_on_path()
    during = list(sys.path)
    folder.take_off_path()
    folder.take_off_path()

    assert during[:-1] == before
    assert (Path(during[-1]) / "a_module_of_the_user.py").is_file()
    assert sys.path == before


def test_nothing_installed_changes_no_path(tmp_path: Path) -> None:
    """A project without packages has no folder on the path that could appear later."""
    before = list(sys.path)

    PackageFolder(tmp_path).put_on_path()

    assert sys.path == before


def test_a_process_keeps_the_folder_that_it_began_with(tmp_path: Path) -> None:
    """A running server finds its packages after others were installed, until the next time."""
    _install(tmp_path)
    folder = PackageFolder(tmp_path)
    folder.put_on_path()
    began_with = Path(sys.path[-1])
    try:
        _install(tmp_path, text=lock.write(PINS[:1]))
        after_one = (began_with / "a_module_of_the_user.py").is_file()
        _install(tmp_path)
        after_two = began_with.exists()
    finally:
        folder.take_off_path()

    assert (after_one, after_two) == (True, False)


def test_what_a_killed_process_left_is_taken_away(tmp_path: Path) -> None:
    """An installation that never finished is not in use and not in the way."""
    _install(tmp_path)
    left = tmp_path / ".bakend" / "packages" / "work-left"
    (left / "installed").mkdir(parents=True)
    (tmp_path / ".bakend" / "packages" / ".new-link").symlink_to("nowhere")

    stamp = _install(tmp_path)

    assert not left.exists()
    assert PackageFolder(tmp_path).stamp() == stamp
    assert PackageFolder(tmp_path).problem() is None


def test_a_folder_made_by_hand_is_put_aside(tmp_path: Path) -> None:
    """What somebody put there with other tools is not deleted."""
    theirs = tmp_path / ".bakend" / "site-packages"
    theirs.mkdir(parents=True)
    (theirs / "theirs.py").touch()

    _install(tmp_path)

    assert (tmp_path / ".bakend" / "site-packages.before" / "theirs.py").is_file()
    assert (theirs / "a_module_of_the_user.py").is_file()


def test_a_project_may_be_moved(tmp_path: Path) -> None:
    """The link is relative."""
    (tmp_path / "old").mkdir()
    _install(tmp_path / "old")

    (tmp_path / "old").rename(tmp_path / "new")

    assert PackageFolder(tmp_path / "new").problem() is None
    assert (tmp_path / "new/.bakend/site-packages/a_module_of_the_user.py").is_file()
