"""Who uses a database: many at once, or one who replaces it.

A lock on `<database>.lock`, which the system frees when its holder ends, however that ends. Everybody
who opens the database shares it; a restore needs it alone. The file itself stays: to remove it would
let two hold the lock of the same name.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from bakend.errors import DatabaseBusyError, NotWritableError


class UseLock:
    """The lock of one database. Thread: one."""

    def __init__(self, database: Path) -> None:
        """Name the database; nothing is locked yet."""
        self.path = database.with_name(f"{database.name}.lock")
        self._descriptor: int | None = None

    def share(self, *, makes_file: bool = True) -> None:
        """Use the database together with others, until `release`.

        Args:
            makes_file: False for who only looks and must leave no trace: without a file nobody has
                ever locked it.

        Raises:
            DatabaseBusyError: Somebody has it alone.
            NotWritableError: The file cannot be made.
        """
        if self._descriptor is not None or not (makes_file or self.path.exists()):
            return
        if not self._take(fcntl.LOCK_SH):
            raise DatabaseBusyError(
                "The database is being replaced by a restore or an upgrade",
                hint="try again when that is done",
            )

    def take_alone(self) -> None:
        """Keep everybody else out, until `release`.

        Raises:
            DatabaseBusyError: Somebody uses the database.
            NotWritableError: The file cannot be made.
        """
        if not self._take(fcntl.LOCK_EX):
            raise DatabaseBusyError(
                "The database is in use by a server or another command",
                hint="stop the server first",
            )

    def is_shared_with_others(self) -> bool:
        """Tell whether other processes use the database, as far as the system says so.

        Only Linux does, and only of processes that this one can see: False means that nobody is known.
        """
        with suppress(OSError):
            status = self.path.stat()
            device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
            place = f"{device}:{status.st_ino}"
            for line in Path("/proc/locks").read_text("ascii").splitlines():
                words = line.split()  # 1: FLOCK ADVISORY READ 4711 08:01:123456 0 EOF
                is_of_it = len(words) == 8 and words[1] == "FLOCK" and words[5] == place
                if is_of_it and words[4] != str(os.getpid()):
                    return True
        return False

    def release(self) -> None:
        """Let go of it; without it, do nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _take(self, kind: int) -> bool:
        try:
            descriptor = self._open()
        except OSError as error:
            raise NotWritableError(
                f"The lock file {self.path} cannot be opened: {error.strerror}",
                hint="check who owns it and its folder",
            ) from error
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def _open(self) -> int:
        """Open the file, and make it where there is none.

        What the project's owner has put in its place is neither followed nor given to anybody: a
        command of root would hand out a file of the system.
        """
        # Locking needs no right to write, and who only looks may have none.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        while True:
            with suppress(FileNotFoundError):
                return os.open(self.path, flags)
            with suppress(FileExistsError):
                descriptor = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o600)
                if os.geteuid() == 0:  # else it would lock the server out of its own project
                    folder = self.path.parent.stat()
                    os.fchown(descriptor, folder.st_uid, folder.st_gid)
                return descriptor
