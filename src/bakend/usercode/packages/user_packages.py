"""`bak add`, `bak remove`, `bak sync`: from what is asked for to what is installed.

Everything is made ready beside what is in use: found, locked, downloaded, installed. Only then are
`packages.lock` and `packages.txt` replaced, and last the folder. Whatever fails before leaves all
three as they were; a kill between them leaves a lock that the stamp does not fit, which the next
start says and `bak sync` mends.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bakend.errors import (
    InvalidInputError,
    NotWritableError,
    PackageError,
    SettingsError,
    StorageFullError,
)
from bakend.structs import Struct

from . import LOCK_FILE, lock, requirements
from .bundled import bundled_versions
from .failures import UnmetError, VersionConflictError
from .folder import PackageFolder, Stamp, fingerprint, this_platform
from .lock import Pin
from .pip import Found, Pip
from .requirements import normal_name

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class Outcome(Struct, kw_only=True):
    """What a command did."""

    added: tuple[Pin, ...]
    """New, or in another version than before."""
    removed: tuple[Pin, ...]
    installed: tuple[Pin, ...]
    """All of them, also those that were there already."""
    bundled: tuple[tuple[str, str], ...] = ()
    """Asked for, and part of Bakend itself: name and version."""


class UserPackages:
    """The packages of one project.

    Thread: one; other processes are kept out.
    """

    def __init__(
        self,
        project: Path,
        *,
        environ: Mapping[str, str],
        say: Callable[[str], None],
        bundled: Callable[[], Mapping[str, str]] = bundled_versions,
    ) -> None:
        """Look at a project; nothing is changed yet.

        Args:
            project: The folder of `bakend.json`.
            environ: The environment, for pip.
            say: Told what is being done.
            bundled: What Bakend itself brings, name to version.
        """
        self._wanted_file = project / requirements.FILE
        self._lock_file = project / LOCK_FILE
        self._folder = PackageFolder(project)
        self._environ = environ
        self._say = say
        self._bundled = bundled

    def add(self, texts: Sequence[str]) -> Outcome:
        """Ask for packages, each in the newest version that fits, and install them.

        What was locked before keeps its version, unless that does not go with the new ones.

        Raises:
            InvalidInputError: A text is no requirement.
            PackageError: There is no such package, not for this platform, or none that fits.
            UnavailableError: The index does not answer.
        """
        added = [requirements.parse(text) for text in texts]
        with self._alone() as (pip, work):
            before = self._read(self._wanted_file)
            after = requirements.change(before, add=added)
            pins = self._resolve(pip, after, renewed={each.name for each in added})
            ours = self._bundled()
            return self._install(
                pip,
                work,
                pins=pins,
                wanted=after,
                bundled=tuple((each.name, ours[each.name]) for each in added if each.name in ours),
            )

    def remove(self, names: Sequence[str]) -> Outcome:
        """Ask for packages no longer, and take away what only they needed.

        Raises:
            InvalidInputError: One of them was not asked for.
        """
        with self._alone() as (pip, work):
            before = self._read(self._wanted_file)
            asked = requirements.read(before)
            gone = [normal_name(name) for name in names]
            unknown = [name for name in gone if name not in asked]
            if unknown:
                raise InvalidInputError(
                    f"{requirements.FILE} does not ask for {', '.join(unknown)}",
                    hint=f"it asks for {', '.join(sorted(asked)) or 'nothing'}",
                )
            after = requirements.change(before, remove=gone)
            return self._install(
                pip, work, pins=self._resolve(pip, after, renewed=set()), wanted=after
            )

    def sync(self) -> Outcome:
        """Install exactly what `packages.lock` says, if it is not installed already.

        Raises:
            SettingsError: There is no lock, or it lacks what `packages.txt` asks for.
            PackageError: There is no wheel for this platform, or another file than was locked.
        """
        text = self._read(self._lock_file)
        pins = lock.read(text)
        asked = requirements.read(self._read(self._wanted_file))
        # One with a marker may be for other platforms than the one that was locked on.
        needed = {name for name, each in asked.items() if ";" not in each.text}
        missing = sorted(needed - pins.keys() - self._bundled().keys())
        if missing:
            raise SettingsError(
                [f"{requirements.FILE} asks for {', '.join(missing)}, and {LOCK_FILE} lacks it"],
                hint="lock it: bak add " + " ".join(f'"{asked[name].text}"' for name in missing),
            )
        if not self._lock_file.exists():
            return Outcome(added=(), removed=(), installed=())
        with self._alone() as (pip, work):
            if self._folder.problem() is None:
                return Outcome(added=(), removed=(), installed=_in_order(pins))
            return self._install(pip, work, pins=pins, wanted=None)

    def _resolve(self, pip: Pip, wanted: str, *, renewed: set[str]) -> dict[str, Pin]:
        asked = requirements.read(wanted)
        if not asked:
            return {}
        self._say(f"Finding {', '.join(asked)} and what they need")
        ours = dict(self._bundled())
        old = lock.read(self._read(self._lock_file))
        kept = {name: pin.version for name, pin in old.items() if name not in renewed}
        texts = [each.text for each in asked.values()]
        try:
            try:
                found = pip.fetch(texts, {**kept, **ours})
            except VersionConflictError:  # perhaps with the versions that were to be kept
                found = pip.fetch(texts, ours)
        except PackageError as error:
            raise self._with_reason(pip, error, asked) from error
        theirs = [each for each in found if each.name not in ours]
        return self._pins(pip, theirs, old)

    def _pins(self, pip: Pip, found: Iterable[Found], old: Mapping[str, Pin]) -> dict[str, Pin]:
        """Return each package with the hashes of all wheels of its version."""
        pins: dict[str, Pin] = {}
        new: dict[str, Found] = {}
        for each in found:
            pin = old.get(each.name)
            if pin is not None and pin.version == each.version:
                hashes = {*pin.hashes, each.digest}
                pins[each.name] = Pin(each.name, each.version, tuple(sorted(hashes)))
            else:
                new[each.name] = each
        if new:
            self._say(f"Reading the hashes of {len(new)} package{'s' if len(new) > 1 else ''}")
            answers = pip.on_index({name: each.version for name, each in new.items()})
            for name, each in new.items():
                hashes = {*answers[name].hashes, each.digest}
                pins[name] = Pin(name, each.version, tuple(sorted(hashes)))
        return pins

    def _with_reason(self, pip: Pip, error: PackageError, asked: Iterable[str]) -> PackageError:
        """Return a better error where pip only says that it found nothing.

        Raises:
            UnavailableError: The index does not answer, which pip takes for an empty one.
        """
        name = requirements.parse(error.requirement).name if isinstance(error, UnmetError) else ""
        there = pip.on_index(dict.fromkeys(filter(None, {*asked, name})))
        if not isinstance(error, UnmetError) or error.has_versions:
            return error
        if not there[name].wheels and not there[name].others:
            return PackageError(
                f'The index has no package called "{name}"', hint="look at how it is spelled"
            )
        return PackageError(
            f"{error.requirement} has no wheel for this platform ({' on '.join(this_platform())}),"
            " and Bakend installs nothing that would have to be built",
            hint="another version may have one, or another package that does the same",
        )

    def _install(
        self,
        pip: Pip,
        work: Path,
        *,
        pins: Mapping[str, Pin],
        wanted: str | None,
        bundled: tuple[tuple[str, str], ...] = (),
    ) -> Outcome:
        """Install pins, and make them what the project has.

        Args:
            wanted: The new `packages.txt`; None leaves the lock and it as they are.
        """
        old_text = self._read(self._lock_file)
        text = old_text if wanted is None else lock.write(pins.values())
        if wanted is not None and text == old_text and self._folder.problem() is None:
            _replace(self._wanted_file, wanted, work)  # nothing else has changed
            return Outcome(added=(), removed=(), installed=_in_order(pins), bundled=bundled)
        if pins:
            self._say(f"Installing {', '.join(str(pin) for pin in sorted(pins.values()))}")
        try:
            installed = pip.install(text, fetched=wanted is not None)
        except PackageError as error:
            raise self._with_reason(pip, error, pins) from error
        if wanted is not None:
            _replace(self._lock_file, text, work)
            _replace(self._wanted_file, wanted, work)
        abi, target = this_platform()
        versions = {pin.name: pin.version for pin in pins.values()}
        self._folder.use(installed, Stamp(abi, target, fingerprint(text), versions))
        before = {} if wanted is None else lock.read(old_text)
        return Outcome(
            added=tuple(
                pin
                for pin in sorted(pins.values())
                if pin.name not in before or before[pin.name].version != pin.version
            ),
            removed=tuple(pin for name, pin in sorted(before.items()) if name not in pins),
            installed=_in_order(pins),
            bundled=bundled,
        )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[tuple[Pip, Path]]:
        """Keep others out, and give a pip with a folder to work in."""

        def wait() -> None:
            self._say("Waiting for another `bak` that changes the packages of this project")

        try:
            with self._folder.alone(wait), self._folder.room() as work:
                yield Pip(work, self._environ, self._say), work
        except OSError as error:
            if error.errno in _FULL:
                raise StorageFullError(
                    "The disk is full; the packages are as they were",
                    hint="make room, and run the command again",
                ) from error
            raise NotWritableError(
                f"The packages cannot be installed: {error.strerror or error}"
                f"{f' ({error.filename})' if error.filename else ''}",
                hint="they go into .bakend beside bakend.json; it has to be writable",
            ) from error

    def _read(self, file: Path) -> str:
        try:
            return file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise SettingsError([f"{file} cannot be read: {error}"]) from error


def _in_order(pins: Mapping[str, Pin]) -> tuple[Pin, ...]:
    return tuple(sorted(pins.values()))


def _replace(file: Path, text: str, work: Path) -> None:
    """Replace a file in one step; one that would not change is left alone."""
    with contextlib.suppress(OSError):
        if file.read_text(encoding="utf-8") == text:
            return
    new = work / f"{file.name}.new"
    new.write_text(text, encoding="utf-8")
    new.replace(file)
