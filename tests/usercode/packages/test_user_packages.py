"""Adding, removing and syncing, with the real pip and an index of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest
from wheels import make_wheel, serve_index, sha256

from bakend.errors import (
    BakendError,
    InvalidInputError,
    NotWritableError,
    PackageError,
    SettingsError,
    UnavailableError,
)
from bakend.usercode.packages import lock
from bakend.usercode.packages.folder import PackageFolder
from bakend.usercode.packages.user_packages import Outcome, UserPackages

pytestmark = pytest.mark.slow

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
OTHER_PLATFORM = "cp39-cp39-win_arm64"


@dataclass
class Site:
    """A project, an index, and what was said on the way."""

    project: Path
    index: Path
    environ: dict[str, str]
    bundled: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def packages(
        self, project: Path | None = None, environ: Mapping[str, str] = NOTHING
    ) -> UserPackages:
        """The packages of the project, or of another one."""
        return UserPackages(
            project or self.project,
            environ={**self.environ, **environ},
            say=self.said.append,
            bundled=lambda: self.bundled,
        )

    def add(self, *texts: str) -> Outcome:
        return self.packages().add(texts)

    @property
    def asked(self) -> str:
        return (self.project / "packages.txt").read_text()

    @property
    def pins(self) -> Mapping[str, lock.Pin]:
        return lock.read((self.project / "packages.lock").read_text())

    def versions(self) -> dict[str, str]:
        return {name: pin.version for name, pin in self.pins.items()}

    def imported(self, module: str) -> str:
        """The version of a module as the installed packages have it."""
        return subprocess.run(
            [sys.executable, "-c", f"import {module}; print({module}.VERSION)"],
            env={**os.environ, "PYTHONPATH": str(self.project / ".bakend" / "site-packages")},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def snapshot(self) -> dict[str, object]:
        """Everything that a command which fails must leave alone."""
        link = self.project / ".bakend" / "site-packages"
        files = {name: self.project / name for name in ("packages.txt", "packages.lock")}
        read = {name: path.read_text() if path.exists() else None for name, path in files.items()}
        return {**read, "link": os.readlink(link) if link.is_symlink() else None}  # noqa: PTH115


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """alpha 1.0 and 2.0 (which needs beta), beta 1.0, for all platforms; gamma for another one."""
    index = tmp_path / "index"
    make_wheel(index, "alpha", "1.0")
    make_wheel(index, "alpha", "2.0", needs=("beta>=1",))
    make_wheel(index, "beta", "1.0")
    make_wheel(index, "gamma", "1.0", tag=OTHER_PLATFORM)
    (tmp_path / "project").mkdir()
    with serve_index(index) as address:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith("PIP_")}
        yield Site(
            tmp_path / "project",
            index,
            {
                **inherited,
                "PIP_INDEX_URL": address,
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_RETRIES": "0",
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
            },
        )


def test_a_package_is_asked_for_locked_and_installed(site: Site) -> None:
    """It comes in its newest version, with what it needs, and can be imported."""
    outcome = site.add("alpha")

    assert [str(pin) for pin in outcome.added] == ["alpha 2.0", "beta 1.0"]
    assert site.asked == "alpha\n"
    assert site.versions() == {"alpha": "2.0", "beta": "1.0"}
    assert (site.imported("alpha"), site.imported("beta")) == ("2.0", "1.0")
    assert PackageFolder(site.project).problem() is None


def test_the_lock_has_the_wheels_of_every_platform(site: Site, tmp_path: Path) -> None:
    """One lock serves all: the hashes of wheels that this machine cannot use are in it, too."""
    wheels = [site.index / "beta-1.0-py3-none-any.whl"]
    wheels += [make_wheel(site.index, "beta", "1.0", tag=OTHER_PLATFORM)]
    make_wheel(site.index, "beta", "0.9")

    site.add("beta")

    assert set(site.pins["beta"].hashes) == {sha256(wheel) for wheel in wheels}


def test_a_plain_folder_of_wheels_is_an_index(site: Site) -> None:
    """pip's own configuration says where packages come from; files without hashes are hashed."""
    address = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(site.index)}

    site.packages(environ=address).add(["beta"])

    assert site.pins["beta"].hashes == (sha256(site.index / "beta-1.0-py3-none-any.whl"),)
    assert site.imported("beta") == "1.0"


def test_what_was_locked_keeps_its_version(site: Site) -> None:
    """Adding one package does not renew the others; naming one again renews it."""
    site.add("beta")
    make_wheel(site.index, "beta", "1.5")

    site.add("alpha")
    kept = site.versions()
    renewed = site.add("beta")

    assert kept == {"alpha": "2.0", "beta": "1.0"}
    assert [str(pin) for pin in renewed.added] == ["beta 1.5"]
    assert site.imported("beta") == "1.5"


def test_what_was_locked_gives_way_where_it_has_to(site: Site) -> None:
    """A new package that needs a newer version of an old one gets it."""
    site.add("beta")
    make_wheel(site.index, "beta", "1.5")
    make_wheel(site.index, "delta", "1.0", needs=("beta>1.2",))

    site.add("delta")

    assert site.versions() == {"beta": "1.5", "delta": "1.0"}


def test_removing_takes_what_only_that_needed(site: Site) -> None:
    """A package that another one needs stays; at the end nothing is left."""
    site.add("alpha==2.0", "beta")
    site.packages().remove(["Alpha"])
    one = site.versions()
    outcome = site.packages().remove(["beta"])

    assert one == {"beta": "1.0"}
    assert [str(pin) for pin in outcome.removed] == ["beta 1.0"]
    assert (site.asked, site.versions()) == ("", {})
    assert not (site.project / ".bakend/site-packages/beta.py").exists()
    assert PackageFolder(site.project).problem() is None


def test_only_what_was_asked_for_can_be_removed(site: Site) -> None:
    """What came along is kept by what needs it."""
    site.add("alpha")
    before = site.snapshot()

    with pytest.raises(InvalidInputError, match=r"does not ask for beta"):
        site.packages().remove(["beta"])

    assert site.snapshot() == before


def test_a_second_machine_gets_exactly_the_lock(site: Site, tmp_path: Path) -> None:
    """Sync installs what was locked, also after newer versions have come out."""
    site.add("alpha==1.0", "beta")
    other = tmp_path / "other"
    other.mkdir()
    for name in ("packages.txt", "packages.lock"):
        shutil.copy(site.project / name, other)
    make_wheel(site.index, "beta", "1.5")

    outcome = site.packages(other).sync()
    again = site.packages(other).sync()

    assert [str(pin) for pin in outcome.added] == ["alpha 1.0", "beta 1.0"]
    assert again.added == ()
    assert PackageFolder(other).problem() is None


def test_a_file_that_was_not_locked_is_not_installed(site: Site, tmp_path: Path) -> None:
    """An index, or somebody on the way, that gives another file for the version is found out."""
    site.add("beta")
    shutil.rmtree(site.project / ".bakend")
    make_wheel(site.index, "beta", "1.0", needs=("evil",))

    with pytest.raises(PackageError, match=r"another file for beta==1\.0"):
        site.packages().sync()

    assert not (site.project / ".bakend" / "site-packages").exists()


def test_a_lock_without_a_wheel_for_this_platform_is_told(site: Site) -> None:
    """A lock made elsewhere may have packages that this machine cannot have."""
    digest = sha256(site.index / f"gamma-1.0-{OTHER_PLATFORM}.whl")
    (site.project / "packages.lock").write_text(lock.write([lock.Pin("gamma", "1.0", (digest,))]))

    with pytest.raises(PackageError, match=r"gamma==1\.0 has no wheel for this platform"):
        site.packages().sync()


def test_a_request_that_was_never_locked_is_told(site: Site) -> None:
    """A line written by hand is not installed by sync; the way out is named."""
    (site.project / "packages.txt").write_text("beta>=1\n")

    with pytest.raises(
        SettingsError, match=r"asks for beta, and packages\.lock lacks it"
    ) as caught:
        site.packages().sync()

    assert caught.value.hint == 'lock it: bak add "beta>=1"'


def test_a_request_for_another_platform_needs_no_lock(site: Site) -> None:
    """A lock that was made here cannot have it, and that is no fault."""
    (site.project / "packages.txt").write_text('beta; sys_platform == "elsewhere"\n')

    assert site.packages().sync().installed == ()


def test_a_project_without_packages_has_nothing_to_sync(site: Site) -> None:
    """Sync may stand in every deployment."""
    assert site.packages().sync().installed == ()
    assert list(site.project.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere", r'no package called "nowhere"'),
        ("gamma", r"gamma has no wheel for this platform"),
        ("alpha>9", r'No version fits "alpha>9"; there are 1\.0, 2\.0'),
        ("alpha==2.0,<2", r'No version fits "alpha<2,==2\.0"|do not go together'),
        ("epsilon", r'No version fits "beta>9"'),
        ("flask==2.0", r"do not go together: flask==2\.0; flask 3\.1, which is fixed"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(site: Site, text: str, message: str) -> None:
    """Why is said, and project and packages stay as they were."""
    make_wheel(site.index, "epsilon", "1.0", needs=("beta>9",))
    for version in ("2.0", "3.1"):
        make_wheel(site.index, "flask", version)
    site.bundled["flask"] = "3.1"
    before = site.snapshot()

    with pytest.raises(PackageError, match=message) as caught:
        site.add(text)

    assert "\n" not in caught.value.message
    assert site.snapshot() == before


def test_what_bakend_brings_is_not_installed_again(site: Site) -> None:
    """A package that needs a part of Bakend uses that very part."""
    make_wheel(site.index, "flask", "3.1")
    make_wheel(site.index, "flask", "3.2")
    make_wheel(site.index, "plugin", "1.0", needs=("flask>=3",))
    site.bundled["flask"] = "3.1"

    outcome = site.add("plugin", "flask")

    assert outcome.bundled == (("flask", "3.1"),)
    assert site.asked == "flask\nplugin\n"
    assert site.versions() == {"plugin": "1.0"}
    assert not (site.project / ".bakend/site-packages/flask.py").exists()
    assert site.packages().sync().added == ()


def test_an_index_that_does_not_answer_is_not_an_empty_one(site: Site) -> None:
    """No network is told from no such package."""
    site.add("beta")
    before = site.snapshot()

    for texts in (["alpha"], ["nowhere"]):
        with pytest.raises(UnavailableError, match="index does not answer"):
            site.packages(environ={"PIP_INDEX_URL": "http://127.0.0.1:1/simple"}).add(texts)

    assert site.snapshot() == before


def test_works_without_a_home_and_with_odd_settings_of_pip(site: Site) -> None:
    """Neither a bare environment nor a person's own settings send packages elsewhere."""
    del site.environ["XDG_CACHE_HOME"]
    site.environ.pop("HOME", None)
    odd = {
        "PIP_TARGET": str(site.project / "elsewhere"),
        "PIP_USER": "1",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_NO_BINARY": ":all:",
        "PIP_REQUIRE_HASHES": "1",
    }

    site.packages(environ=odd).add(["beta"])

    assert site.imported("beta") == "1.0"
    assert sorted(path.name for path in site.project.iterdir()) == [
        ".bakend",
        "packages.lock",
        "packages.txt",
    ]


def test_a_module_of_the_project_does_not_stand_in_for_one_of_pip(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project may have a file called json.py."""
    (site.project / "json.py").write_text("raise SystemExit('the wrong json')\n")
    monkeypatch.chdir(site.project)

    site.add("beta")

    assert site.imported("beta") == "1.0"


def test_two_at_once_take_turns(site: Site) -> None:
    """Both are done in the end, and the second one says that it waits."""
    failures: list[BaseException] = []

    def add(text: str) -> None:
        try:
            site.packages().add([text])
        except BaseException as error:  # noqa: BLE001  # whatever it is, it fails the test
            failures.append(error)

    threads = [threading.Thread(target=add, args=(text,)) for text in ("alpha==1.0", "beta")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert site.versions() == {"alpha": "1.0", "beta": "1.0"}
    assert any("Waiting for another" in line for line in site.said)
    assert (site.imported("alpha"), site.imported("beta")) == ("1.0", "1.0")


def test_a_project_that_cannot_be_written_is_told(site: Site) -> None:
    """A file where the folder should be is as bad as a read-only disk."""
    (site.project / ".bakend").write_text("")

    with pytest.raises(NotWritableError, match="packages cannot be installed"):
        site.add("beta")


def test_a_kill_before_the_end_changes_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends an installation before its last step leaves what was in use."""
    site.add("beta")
    before = site.snapshot()

    def die(*_arguments: object) -> None:
        raise KeyboardInterrupt

    packages = site.packages()
    with monkeypatch.context() as patch:
        patch.setattr(PackageFolder, "use", die)
        patch.setattr("bakend.usercode.packages.user_packages._replace", die)
        with pytest.raises(KeyboardInterrupt):
            packages.add(["alpha"])
    after = site.snapshot()
    site.add("alpha")

    assert after == before
    assert site.versions() == {"alpha": "2.0", "beta": "1.0"}


def test_a_kill_between_the_steps_is_mended_by_sync(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new lock over old packages is noticed by the next start."""
    site.add("beta")

    def die(*_arguments: object) -> None:
        raise BakendError("killed")

    packages = site.packages()
    with monkeypatch.context() as patch:
        patch.setattr(PackageFolder, "use", die)
        with pytest.raises(BakendError, match="killed"):
            packages.add(["alpha"])
    problem = PackageFolder(site.project).problem()
    site.packages().sync()

    assert problem is not None
    assert "alpha 2.0" in problem
    assert site.imported("beta") == "1.0"
    assert site.imported("alpha") == "2.0"
