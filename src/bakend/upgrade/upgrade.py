"""The order of an upgrade: find, check, try, copy the database, swap, restart, wait, or go back.

Nothing is changed before the new file has been checked and tried and the database has been copied. From
the swap on, whatever goes wrong ends with the old file in its place and running again.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bakend import executable
from bakend.clock import Clock
from bakend.errors import (
    BakendError,
    NotFoundError,
    NotGenuineError,
    SchemaTooNewError,
    TakenBackError,
    UpgradeError,
)
from bakend.structs import Struct
from bakend.upgrade import candidate, download, releases
from bakend.upgrade.candidate import Candidate
from bakend.upgrade.place import Place
from bakend.upgrade.programs import Owner, Programs
from bakend.upgrade.running import Running

Say = Callable[[str], None]
_DATA: Final = "bakend.upgrade.data"


class Wanted(Struct, kw_only=True):
    """What is asked for."""

    version: str | None = None
    """None for the newest."""
    file: Path | None = None
    """A tarball that is here."""
    url: str | None = None
    """A folder with the files of a release; None for GitHub."""
    may_be_unsigned: bool = False


class Project(Struct, kw_only=True):
    """What a server serves, as far as an upgrade touches it."""

    database: Path
    copies: Path
    """The folder of backups."""
    owner: Owner


class Done(Struct, kw_only=True):
    """What came of it."""

    old: str
    new: str
    served_after_s: float | None
    """From the restart to the first good answer; None where nothing was restarted."""
    copy: Path | None
    """Of the database, as it was before."""


def find(wanted: Wanted, say: Say) -> tuple[releases.Asset, str]:
    """Return the file of a version, and the folder that it is in.

    Raises:
        UnavailableError: It cannot be found out.
        NotFoundError: There is no such version.
        NotGenuineError: The signature is wrong.
    """
    machine = releases.target()
    version = releases.require_version(wanted.version) if wanted.version else None
    folder = releases.folder(wanted.url, version)
    sums = download.small(f"{folder}/{releases.SUMS}", releases.SUMS_MAX_BYTES)
    if sums is None:
        raise NotFoundError(f"There is no release at {folder}", hint="is there such a version?")
    signature = download.small(f"{folder}/{releases.SIGNATURE}", releases.SIGNATURE_BYTES)
    say(releases.require_genuine(sums, signature, may_be_unsigned=wanted.may_be_unsigned))
    asset = releases.choose(sums, version, machine)
    # The newest may be another one by now.
    return asset, folder if wanted.url else releases.folder(None, asset.version)


class Upgrade:
    """One upgrade. Thread: one."""

    def __init__(
        self,
        place: Place,
        *,
        version: str,
        programs: Programs,
        clock: Clock,
        say: Say,
        progress: download.Progress,
    ) -> None:
        """Take the parts.

        Args:
            place: Where the executable lies.
            version: Of the present one.
            programs: Runs others.
            clock: Where time comes from.
            say: Takes a sentence about each step, for a person.
            progress: Called while the file is downloaded.
        """
        self._place = place
        self._version = version
        self._programs = programs
        self._clock = clock
        self._say = say
        self._progress = progress

    def newest(self, wanted: Wanted) -> str:
        """Return the version that would be taken.

        Raises:
            UnavailableError: It cannot be found out.
            NotGenuineError: The signature is wrong.
        """
        return find(wanted, self._say)[0].version

    def run(self, wanted: Wanted, project: Project | None, running: Running | None) -> Done | None:
        """Put another version in place; return None if it is there already.

        Args:
            wanted: Which.
            project: Whose database is copied; None where nobody serves.
            running: What is restarted; None for nothing.

        Raises:
            UpgradeError: It cannot be had, or does not run here; nothing was changed.
            SchemaTooNewError: It is too old for the database; nothing was changed.
            TakenBackError: It did not work; the old one is back.
        """
        self._place.require_ours()
        self._place.require_writable()
        with self._place.locked(), self._place.workspace() as (packed, new):
            version = self._get(wanted, packed)
            if version == self._version and wanted.file is None:
                return None
            candidate.unpack(packed, new)
            packed.unlink()
            new.chmod(0o755)
            found = candidate.tried(new, self._programs)
            if version is not None and found.version != version:
                raise NotGenuineError(
                    f"The new file says that it is version {found.version}, not {version}"
                )
            return self._change(found, project, running, lambda: self._place.put(new))

    def roll_back(self, project: Project | None, running: Running | None) -> Done:
        """Put the previous version in place again; the present one then is the previous one.

        Raises:
            NotFoundError: There is none.
            SchemaTooNewError: The database is too new for it; nothing was changed.
            TakenBackError: It did not work; the present one is back.
        """
        self._place.require_ours()
        self._place.require_writable()
        with self._place.locked(), self._place.workspace() as (_, new):
            shutil.copyfile(self._place.require_previous(), new)
            new.chmod(0o755)
            found = candidate.tried(new, self._programs)
            return self._change(found, project, running, lambda: self._place.put(new))

    def _get(self, wanted: Wanted, packed: Path) -> str | None:
        """Bring the tarball here, checked; return its version, None where only it can tell."""
        if wanted.file is not None:
            self._take(wanted.file, packed, may_be_unsigned=wanted.may_be_unsigned)
            return None
        asset, folder = find(wanted, self._say)
        if asset.version == self._version:
            return asset.version
        self._say(f"Downloading {asset.name}")
        download.large(f"{folder}/{asset.name}", packed, asset.sha256, self._progress)
        return asset.version

    def _take(self, file: Path, packed: Path, *, may_be_unsigned: bool) -> None:
        """Copy a tarball that is here, checked by what lies beside it."""
        try:
            shutil.copyfile(file, packed)
            beside = file.with_name(releases.SUMS)
            own = file.with_name(f"{file.name}.sha256")
            if beside.exists():
                sums = beside.read_bytes()
                signature = file.with_name(releases.SIGNATURE)
                self._say(
                    releases.require_genuine(
                        sums,
                        signature.read_bytes() if signature.exists() else None,
                        may_be_unsigned=may_be_unsigned,
                    )
                )
            elif own.exists():
                sums = own.read_bytes()
                self._say(f"Only the checksum can be checked: there is no {releases.SUMS}")
            else:
                raise NotGenuineError(
                    f"Nothing is there to check {file} against",
                    hint=f"put {releases.SUMS} and {releases.SIGNATURE} of the release beside it",
                )
        except OSError as error:
            raise UpgradeError(f"{error.filename}: {error.strerror}") from error
        for line in sums.decode(errors="replace").splitlines():
            sha256, _, name = line.partition("  ")
            if name == file.name:
                download.require_digest(name, candidate.digest_of(packed), sha256)
                return
        raise NotGenuineError(f"The checksums beside {file} do not name it")

    def _change(
        self,
        found: Candidate,
        project: Project | None,
        running: Running | None,
        put: Callable[[], None],
    ) -> Done:
        schema, copy = 0, None
        if project is not None:
            schema = int(self._data(project, "schema", project.database)["schema"])
            if schema > found.schema:
                raise SchemaTooNewError(
                    f"Version {found.version} knows the database up to schema {found.schema},"
                    f" and it has {schema}",
                    hint="nothing was changed; an older database is needed with it, from a backup",
                )
            if schema:
                copy = (
                    project.copies
                    / f"{project.database.stem}-before-upgrade-from-{self._version}.db"
                )
                self._say(f"Copying the database to {copy}")
                self._data(project, "copy", project.database, copy)
        began_at = self._clock.now().timestamp()
        put()
        self._say(
            f"{self._place.path} is version {found.version} now; the old one is kept beside it"
        )
        if running is None:
            return Done(old=self._version, new=found.version, served_after_s=None, copy=copy)
        began = self._clock.monotonic()
        with self._taken_back(found, project, running, schema, began_at, copy):
            self._say(f"Restarting {running}")
            running.restart()
            problem = running.wait(found.version)
            if problem is not None:
                raise _DoesNotWork(problem)
        took_s = self._clock.monotonic() - began
        return Done(old=self._version, new=found.version, served_after_s=took_s, copy=copy)

    @contextmanager
    def _taken_back(
        self,
        found: Candidate,
        project: Project | None,
        running: Running,
        schema: int,
        began_at: float,
        copy: Path | None,
    ) -> Iterator[None]:
        """Go back if what is done inside fails, however it fails."""
        began = self._clock.monotonic()
        try:
            yield
        except BaseException as error:
            problem = _told(error)
            self._say(f"Version {found.version} does not work: {problem}. Going back")
            words = running.last_words()
            restored = self._go_back(project, running, schema, began_at, copy)
            took_s = self._clock.monotonic() - began
            raise TakenBackError(
                f"Version {found.version} did not work: {problem}. {self._version} is back and"
                f" serves again, {took_s:.1f} s after the restart{restored}",
                hint=f"its last words: {words}" if words else "",
            ) from error

    def _go_back(
        self,
        project: Project | None,
        running: Running,
        schema: int,
        began_at: float,
        copy: Path | None,
    ) -> str:
        """Put file and database back and start them; return what is to be said of the database."""
        self._place.put_back()
        said, damage = "", None
        try:
            running.end()
            if project is not None and copy is not None:
                said = self._put_data_back(project, schema, began_at, copy)
        except BakendError as error:
            damage = error
        try:
            running.restart()
        except UpgradeError as error:  # whoever watches over it may start it all the same
            self._say(error.message)
        problem = running.wait(self._version)
        if damage is not None:
            raise UpgradeError(
                f"The old version is back, but not the database: {damage.message}",
                hint=f"stop the server and put {copy} in the place of {project and project.database}",
            ) from damage
        if problem is not None:
            raise UpgradeError(
                f"The old version is back, but does not serve: {problem}",
                hint=running.last_words() or "look into its log",
            )
        return said

    def _put_data_back(self, project: Project, schema: int, began_at: float, copy: Path) -> str:
        """Put the database back if its schema has changed; return what is to be said of it."""
        if self._data(project, "schema", project.database)["schema"] == schema:
            return ""
        put = self._data(project, "restore", project.database, project.copies, began_at, copy)
        return (
            f"; the database is that of {put['restored']} again,"
            f" what the new version left of it is {put['aside']}"
        )

    def _data(self, project: Project, *words: object) -> Any:
        """Have a process of the project's owner look at, copy or put back the database."""
        command = [executable.PYTHON, "-I", "-m", _DATA, *map(str, words)]
        answer = self._programs.run(command, owner=project.owner, timeout_s=None)
        if answer.code != 0:
            raise UpgradeError(f"The database cannot be handled: {answer.error}")
        return json.loads(answer.output.splitlines()[-1])


class _DoesNotWork(Exception):
    """Raised when a restart did not go well."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def _told(error: BaseException) -> str:
    match error:
        case _DoesNotWork():
            return error.problem
        case BakendError():
            return error.message
        case KeyboardInterrupt():
            return "the upgrade was interrupted"
    return f"{type(error).__name__}: {error}"


def own_path() -> Path:
    """Return the file that runs, not a link to it."""
    return Path(sys.executable).resolve()
