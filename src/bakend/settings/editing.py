"""Changes values in a config file; other keys, their order, its mode and owner stay as they are."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from pathlib import Path

from bakend.errors import ConflictError, SettingsError, StorageFullError
from bakend.ids import new_id

from .sources import read_config


def change(path: Path, values: Mapping[str, object]) -> None:
    """Write values into a config file; whoever reads it meanwhile finds the old or the new one, whole.

    Args:
        path: The file; made where there is none.
        values: Dotted key to what JSON shall hold. A key stays where it is, dotted or inside its section.

    Raises:
        ConflictError: The file is none that could be changed; nothing was, and it says what to write.
        StorageFullError: There is no room.
    """
    try:
        root = read_config(path) or {}
    except SettingsError as error:
        raise ConflictError(f"{error.message}: nothing is written into it") from error
    for key, value in values.items():
        _set(root, key, value, path)
    text = json.dumps(root, indent=2, ensure_ascii=False)
    try:
        content = text.encode()
    except UnicodeEncodeError:  # half a character, which only an escape can name
        content = json.dumps(root, indent=2).encode()
    try:
        _replace(path.resolve(), content + b"\n")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError(f"No space is left to write {path}") from error
        by_hand = ", ".join(
            f"{json.dumps(key)}: {json.dumps(each)}" for key, each in values.items()
        )
        raise ConflictError(
            f"{path} cannot be written ({error.strerror}); write into it by hand, and restart: {by_hand}"
        ) from error


def _set(root: dict[str, object], key: str, value: object, path: Path) -> None:
    head, _, tail = key.rpartition(".")
    section = root.get(head)
    if key in root or not head:
        root[key] = value
    elif section is None:
        root[head] = {tail: value}
    elif isinstance(section, dict):
        section[tail] = value
    else:
        raise ConflictError(f"{head} is no object in {path}: nothing is written into it")


def _replace(path: Path, content: bytes) -> None:
    before = path.stat() if path.exists() else None
    if before is not None and not os.access(path, os.W_OK):
        # Its folder may let us replace what its owner has kept from us.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    draft = path.with_name(f".{path.name}.{new_id('draft')}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if before is not None:
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), before.st_mode & 0o7777)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
