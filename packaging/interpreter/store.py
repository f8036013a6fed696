"""The cache on disk: what was made once is found again by what it was made from.

A stage is made in a work folder, under a lock, and gets its name in one rename when it is whole:
two builds of the same thing wait for each other, and a killed one leaves nothing that counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from interpreter.progress import say


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return where the cache of this person is; without a home, a folder that may not stay."""
    if chosen := environ.get("BAKEND_CACHE"):
        return Path(chosen).absolute()
    if base := environ.get("XDG_CACHE_HOME"):
        return Path(base) / "bakend"
    if home := environ.get("HOME"):
        return Path(home) / ".cache" / "bakend"
    folder = Path(tempfile.gettempdir()) / f"bakend-cache-{os.getuid()}"
    say(f"HOME is not set: the cache is {folder} (BAKEND_CACHE chooses another)")
    return folder


def file_digest(file: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def key_of(inputs: Mapping[str, object]) -> str:
    """Return a short name for a set of inputs; any change of one gives another."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@contextlib.contextmanager
def alone(lock_file: Path, what: str) -> Iterator[None]:
    """Wait until nobody else makes the same thing; the system frees the lock if we die."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for another build of {what} to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_made(folder: Path) -> bool:
    """Tell whether a stage is there; it only ever gets its name when it is whole."""
    return folder.is_dir()


def make_once(folder: Path, what: str, make: Callable[[Path], None]) -> Path:
    """Return a finished stage, made now if it is missing.

    Args:
        folder: Where the stage is when it is whole; its name ends in the key of its inputs.
        what: What is made, for the person who waits.
        make: Fills the empty folder it is given, which lies beside the final one.
    """
    if is_made(folder):
        return folder
    with alone(folder.with_name(f"{folder.name}.lock"), what):
        if is_made(folder):
            return folder
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        remove(unfinished)
        unfinished.mkdir(parents=True)
        try:
            make(unfinished)
            unfinished.rename(folder)
        finally:
            remove(unfinished)
    return folder


def sweep(stages: Path, workshops: Path) -> None:
    """Remove what killed builds left: unfinished stages, and workshops nobody works in."""
    left = [*stages.glob("*.unfinished"), *workshops.glob("*")]
    for folder in left:
        owner = stages / f"{folder.name.removesuffix('.unfinished')}.lock"
        # A workshop without a stage of its name is for linking, and named by the process.
        process = folder.name.removeprefix("link-")
        if process.isdigit():
            if not is_alive(int(process)):
                remove(folder)
            continue
        with owner.open("a") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)


def is_alive(process: int) -> bool:
    """Tell whether a process runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def remove(folder: Path) -> None:
    """Remove a folder and all in it; nothing happens if it is not there."""
    if folder.exists():
        shutil.rmtree(folder)
