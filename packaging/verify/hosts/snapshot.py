"""What a file system holds, to be compared with what it held before."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from verify.hosts.host import Host

# Not files: what the kernel shows of processes and itself.
KERNEL = ("/proc", "/sys")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or folder."""

    mode: int
    size: int
    modified_ns: int
    content: str
    """The sha256 of a file, the target of a link."""


def snapshot(host: Host, *, but: str) -> Mapping[str, Entry]:
    """Return all that a host holds, /tmp and /dev included, but one folder and the kernel's."""
    return dict(_walk(host, "/", (*KERNEL, but)))


def differences(before: Mapping[str, Entry], after: Mapping[str, Entry]) -> list[str]:
    """Return each path that came, went or changed, with what happened to it."""
    found = [f"{path} is new" for path in after.keys() - before.keys()]
    found += [f"{path} is gone" for path in before.keys() - after.keys()]
    found += [
        f"{path} changed" for path in before.keys() & after.keys() if before[path] != after[path]
    ]
    return sorted(found)


def _walk(host: Host, folder: str, left_out: tuple[str, ...]) -> Iterator[tuple[str, Entry]]:
    with os.scandir(host.at(folder)) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        path = f"{folder.rstrip('/')}/{name}"
        if path in left_out:
            continue
        place = host.at(path)
        yield path, _entry(place)
        if place.is_dir() and not place.is_symlink():
            yield from _walk(host, path, left_out)


def _entry(place: Path) -> Entry:
    status = place.lstat()
    if stat.S_ISREG(status.st_mode):
        with place.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        return Entry(status.st_mode, status.st_size, status.st_mtime_ns, content)
    if stat.S_ISLNK(status.st_mode):
        return Entry(status.st_mode, 0, status.st_mtime_ns, str(place.readlink()))
    # A folder's time tells of a file that came and went. A device's tells nothing.
    time = status.st_mtime_ns if stat.S_ISDIR(status.st_mode) else 0
    return Entry(status.st_mode, 0, time, "")
