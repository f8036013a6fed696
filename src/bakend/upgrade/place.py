"""Where the executable lies: whether it may be replaced there, and replacing it by a rename."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bakend.errors import DatabaseBusyError, ManagedError, NotFoundError, NotWritableError

MARK: Final = "bak.managed"
"""Beside the executable: its first line says who replaces it, such as `the container image`."""

PREVIOUS: Final = "bak.prev"
IN_THE_IMAGE: Final = Path("/bak")
"""Where the container image has it; nobody else puts it there."""


class Place:
    """The executable that is to be replaced. Thread: one."""

    def __init__(self, path: Path) -> None:
        """Name the file itself, not a link to it."""
        self.path = path
        self.previous = path.with_name(PREVIOUS)

    def require_ours(self) -> None:
        """Return if nobody else replaces the file.

        Raises:
            ManagedError: A package manager or an image brought it.
        """
        mark = self.path.with_name(MARK)
        if mark.exists():
            manager = (
                next(iter(mark.read_text(errors="replace").splitlines()), "") or "another program"
            )
            raise ManagedError(f"{self.path} belongs to {manager}", hint=f"upgrade it by {manager}")
        if self.path == IN_THE_IMAGE:
            raise ManagedError(
                f"{self.path} belongs to the container image",
                hint="pull the new image; what is changed inside a container does not last",
            )
        if os.statvfs(self.path.parent).f_flag & os.ST_RDONLY:
            raise ManagedError(
                f"{self.path.parent} is read-only: an image brought {self.path.name}",
                hint="upgrade the image",
            )

    def require_writable(self) -> None:
        """Return if we may put another file there.

        Raises:
            NotWritableError: We may not.
        """
        if not os.access(self.path.parent, os.W_OK | os.X_OK):
            raise NotWritableError(
                f"{self.path.parent} cannot be written by this user", hint="run it as root"
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other upgrades of the same file out.

        Raises:
            DatabaseBusyError: There is one.
        """
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DatabaseBusyError(
                    f"Another upgrade of {self.path} is under way", hint="try again when it is done"
                ) from None
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def workspace(self) -> Iterator[tuple[Path, Path]]:
        """Yield two files beside the executable, for a tarball and for what is in it; then they go.

        What an upgrade that was killed has left goes first.
        """
        names = [self.path.with_name(f".bak.{word}") for word in ("download", "new")]
        try:
            for name in names:
                name.unlink(missing_ok=True)
                os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield names[0], names[1]
        except OSError as error:
            raise NotWritableError(f"{error.filename}: {error.strerror}") from error
        finally:
            for name in names:
                name.unlink(missing_ok=True)

    def put(self, new: Path) -> None:
        """Put a file in the place of the present one, which stays as the previous one.

        A rename: whoever starts it meanwhile gets the one or the other.
        """
        present = self.path.stat()
        new.chmod(present.st_mode & 0o7777)
        if os.geteuid() == 0:
            os.chown(new, present.st_uid, present.st_gid)
        self._duplicate(self.path, self.previous)
        new.replace(self.path)
        self._sync()

    def require_previous(self) -> Path:
        """Return the previous file.

        Raises:
            NotFoundError: There is none.
        """
        if not self.previous.is_file():
            raise NotFoundError(f"There is no {self.previous} to go back to")
        return self.previous

    def put_back(self) -> None:
        """Put the previous file in its place again; it also stays where it is."""
        back = self.path.with_name(".bak.back")
        self._duplicate(self.previous, back)
        back.replace(self.path)
        self._sync()

    def _duplicate(self, path: Path, to: Path) -> None:
        """Give a file a second name, in the place of whatever had that; or copy it."""
        unfinished = to.with_name(f".{to.name}.unfinished")
        unfinished.unlink(missing_ok=True)
        try:
            os.link(path, unfinished)
        except OSError:  # a file system without such links
            shutil.copy2(path, unfinished)
        unfinished.replace(to)
        unfinished.unlink(missing_ok=True)  # two names of one file: rename then does nothing

    def _sync(self) -> None:
        descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
