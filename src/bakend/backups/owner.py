"""Whose files they are: what root makes in a project belongs to whom the project belongs."""

from __future__ import annotations

import os
from pathlib import Path


def give_away(path: Path, like: Path) -> None:
    """Give a file, or a folder with all that is in it, the owner of another one; only root can.

    Raises:
        OSError: It is not possible.
    """
    if os.geteuid() != 0:
        return
    owner = like.stat()
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(Path(folder, name), owner.st_uid, owner.st_gid, follow_symlinks=False)
    os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)
