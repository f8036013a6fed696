"""The secret that signs access tokens: a text that masks itself, and the file it lives in.

Reading and making are apart: `load` only looks, so that a command that reads leaves no trace;
`ensure_secret` makes `<project>/.bakend/jwt_secret` for `bak init` and for a start.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from bakend.errors import NotWritableError, SettingsError
from bakend.ids import new_id, new_secret

# They stand in the sources, examples and compose file of the original: everybody knows them.
KNOWN: Final = frozenset(
    {"dev-only-change-me", "todo-api-demo-change-me", "change-me-in-production"}
)

# HS256 wants a key at least as long as its hash. Source: RFC 7518, 3.2.
SHORTEST_BYTES: Final = 32

# No secret is longer: a wrong path must not read a disk image into memory.
_LONGEST_BYTES: Final = 64 * 1024


class Secret:
    """A text that no log line, traceback or settings listing shows."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    @property
    def is_known(self) -> bool:
        """True for a secret that was published with the original."""
        return self._text in KNOWN

    @property
    def is_short(self) -> bool:
        """True for a secret that can be guessed."""
        return len(self._text.encode()) < SHORTEST_BYTES

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __str__(self) -> str:
        return "********"

    def __repr__(self) -> str:
        return "Secret(********)"


def secret_file(project: Path) -> Path:
    """Return where a project keeps the secret that was made for it."""
    return project / ".bakend" / "jwt_secret"


def read_secret(path: Path) -> Secret:
    """Return the secret in a file, without the white space around it.

    Raises:
        OSError: The file is not there or cannot be read.
        SettingsError: There is no usable text in it.
    """
    with path.open("rb") as file:
        content = file.read(_LONGEST_BYTES + 1)
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > _LONGEST_BYTES:
        raise SettingsError(
            [f"The secret file {path} must hold a non-empty text"],
            hint="Write a secret of at least 32 bytes into it, or remove it",
        )
    return Secret(text)


def ensure_secret(project: Path) -> Secret:
    """Return the project's own secret; make it (folder 0700, file 0600) when there is none.

    Two starts at once get the same one: the first to give the finished file its name wins.

    Raises:
        NotWritableError: The folder cannot be written.
        SettingsError: The file is there without a usable text.

    Thread:
        Any thread, any process.
    """
    path = secret_file(project)
    try:
        if not path.exists():
            _make(path)
        return read_secret(path)
    except OSError as error:
        raise NotWritableError(
            f"Cannot make the secret file {path}: {error.strerror or error}",
            hint="Make the folder writable, or give a secret by BAKEND_AUTH_JWT_SECRET_FILE",
        ) from error


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_name(new_id("draft"))
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(new_secret().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            # A link, unlike a rename, refuses to replace what another start has just made.
            os.link(draft, path)
        except FileExistsError:
            pass
        except OSError:
            # No hard links here (FAT, some network shares): the last of two starts wins.
            if not path.exists():
                draft.rename(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()
    _sync_folder(path.parent)
    _sync_folder(path.parent.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
