"""The sources: what the lock file pins, where it can be had, and its bytes checked before use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from interpreter import store
from interpreter.progress import BuildError, step

LOCK_FILE: Final = Path(__file__).with_name("sources.lock")

# Seconds without a byte after which a place counts as dead.
STALL_S: Final = 30


@dataclass(frozen=True, slots=True)
class Place:
    """One place a source can be had from, and what its file must be."""

    address: str
    """A url, or a path below the pool of a Debian archive."""
    in_pool: bool
    sha256: str
    line: int
    """Where the lock file says so, counted from 1."""

    @property
    def file(self) -> str:
        """The name of the file, the same in the cache and in a mirror."""
        return self.address.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Source:
    """One pinned source."""

    name: str
    version: str
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Lock:
    """What the lock file says."""

    epoch: int
    """The moment all products carry, in seconds since 1970 (SOURCE_DATE_EPOCH)."""
    sources: Mapping[str, Source]


def read_lock(file: Path = LOCK_FILE) -> Lock:
    """Read the lock file.

    Raises:
        BuildError: The file is not what it should be.
    """
    text = file.read_text()
    try:
        raw = json.loads(text)
        lines = text.splitlines()
        sources = {
            name: Source(name, entry["version"], tuple(read_places(entry["places"], lines)))
            for name, entry in raw["sources"].items()
        }
        return Lock(int(datetime.fromisoformat(raw["date"]).timestamp()), sources)
    except (ValueError, KeyError, TypeError) as error:
        raise BuildError(f"{file} cannot be read: {error!r}") from error


def read_places(places: list[dict[str, str]], lines: list[str]) -> Iterator[Place]:
    """Yield the places of one source, each with its line in the lock file."""
    for place in places:
        address = place.get("pool") or place["url"]
        line = next(n for n, text in enumerate(lines, 1) if f'"{address}"' in text)
        yield Place(address, "pool" in place, place["sha256"], line)


def archives() -> list[str]:
    """Return the Debian archives that apt of this machine is set up with, the main one first."""
    if shutil.which("apt-get") is None:
        return []
    shown = subprocess.run(
        [
            "/usr/bin/apt-get",
            "indextargets",
            "--format",
            "$(ORIGIN)|$(LABEL)|$(REPO_URI)",
            "Created-By: Packages",
        ],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.splitlines()
    found = [line.split("|", 2) for line in shown if line.count("|") >= 2]
    # An archive whose index was never read has no origin yet, and may be the right one.
    ranked = sorted(found, key=lambda entry: (entry[:2] != ["Debian", "Debian"], entry[0] != ""))
    return list(dict.fromkeys(uri.rstrip("/") for _, _, uri in ranked if uri.startswith("http")))


def addresses(place: Place, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield every full address under which a place's file may be found, best first."""
    quoted = urllib.parse.quote(place.file)
    if mirror := environ.get("BAKEND_SOURCE_MIRROR"):
        folder = Path(mirror)
        yield (
            (folder.absolute() / place.file).as_uri()
            if folder.is_dir()
            else f"{mirror.rstrip('/')}/{quoted}"
        )
    if place.in_pool:
        for archive in archives():
            yield f"{archive}/pool/{urllib.parse.quote(place.address)}"
    else:
        yield place.address


def fetch(source: Source, cache: Path) -> Path:
    """Return the file of a source in the cache, downloaded and checked if it is not there yet.

    Raises:
        BuildError: No place has it; names the lines of the lock file to change.
    """
    folder = cache / "sources"
    with store.alone(folder / f"{source.name}.lock", source.name):
        for place in source.places:
            kept = folder / place.file
            if kept.is_file() and store.file_digest(kept) == place.sha256:
                return kept
        with step(f"download {source.name} {source.version}"):
            return download(source, folder)


def download(source: Source, folder: Path) -> Path:
    """Try every place in turn; keep the first file that is the pinned one."""
    failures = []
    for place in source.places:
        partial = folder / f"{place.file}.partial"
        for address in addresses(place, os.environ):
            try:
                with (
                    urllib.request.urlopen(address, timeout=STALL_S) as answer,  # noqa: S310 - pinned by sha256
                    partial.open("wb") as out,
                ):
                    shutil.copyfileobj(answer, out, 1 << 20)
            except (OSError, ValueError) as error:
                failures.append(f"  {LOCK_FILE.name} line {place.line}: {address}: {error}")
                continue
            found = store.file_digest(partial)
            if found == place.sha256:
                return partial.rename(folder / place.file)
            failures.append(
                f"  {LOCK_FILE.name} line {place.line}: {address}: its sha256 is {found},"
                f" the lock says {place.sha256}"
            )
        partial.unlink(missing_ok=True)
    raise BuildError(
        f"{source.name} {source.version} cannot be had from any place:\n"
        + "\n".join(failures)
        + "\n"
        f"Change these lines of {LOCK_FILE}, or put the file into a folder named by BAKEND_SOURCE_MIRROR"
    )


def unpack(file: Path, folder: Path) -> None:
    """Unpack a source into a new folder, without the one folder everything in it lies in."""
    beside = folder.with_name(f"{folder.name}.unpacking")
    store.remove(beside)
    with tarfile.open(file) as archive:
        # The first releases of 3.11 have no filters. The file is pinned, so they are no defence here.
        if hasattr(tarfile, "tar_filter"):
            archive.extraction_filter = tarfile.tar_filter
        archive.extractall(beside)  # noqa: S202
    (top,) = beside.iterdir()
    top.rename(folder)
    beside.rmdir()
