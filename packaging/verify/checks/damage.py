"""A file that is not what was built: it says so in a sentence, exit code 70, and runs nothing."""

from __future__ import annotations

import contextlib
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from verify.catalog import quick
from verify.hosts.debian import tool
from verify.hosts.host import Host
from verify.hosts.server import make_project, started
from verify.lab import Lab
from verify.outcome import Failed, NotRun, expect

DAMAGED: Final = 70
END_RECORD: Final = 22
"""Bytes of a zip's last record, which has no comment here."""


@quick
def stripped(lab: Lab) -> str:
    """`strip` takes nothing that it needs: the copy is whole, and serves."""
    with lab.here() as host:
        if lab.machine is None:
            raise NotRun("strip is for ELF files; this is none")
        strip = tool("strip", "binutils")
        place = host.at(host.bak)
        before = place.stat().st_size
        subprocess.run([strip, str(place)], check=True, capture_output=True)
        said = host.must(host.inside(host.bak), "verify").strip()
        expect(said == "whole", f"verify says {said}")
        config = make_project(host, "/srv/app")
        with started(host, config) as server:
            server.wait_well()
            server.stop()
        return f"{before:,} bytes before, {place.stat().st_size:,} after"


@quick
def cut_in_payload(lab: Lab) -> str:
    """Half of the payload missing: `start` says so."""

    def cut(file: Path) -> None:
        start, end = payload(file)
        truncate(file, start + (end - start) // 2)

    return _says_so(lab, cut)


@quick
def cut_by_one_byte(lab: Lab) -> str:
    """The payload's last byte missing: `start` says so."""
    return _says_so(lab, lambda file: truncate(file, payload(file)[1] - 1))


@quick
def cut_behind_payload(lab: Lab) -> str:
    """The file's last byte missing, behind the payload: it serves, or says so."""
    with lab.here() as host:
        config = make_project(host, "/srv/app")
        truncate(host.at(host.bak), host.at(host.bak).stat().st_size - 1)
        code, said = _start(host, config)
        expect(code in (0, DAMAGED), f"start ended with {code}: {said[-300:]}")
        if code == DAMAGED:
            return said
        return "serves: the byte belongs to the table of sections, which only linkers read"


@quick
def cut_in_program(lab: Lab) -> str:
    """A file cut in the middle of the interpreter does not start."""
    with lab.here() as host:
        config = make_project(host, "/srv/app")
        truncate(host.at(host.bak), payload(host.at(host.bak))[0] // 2)
        try:
            code, _ = _start(host, config)
        except OSError as error:  # the kernel may refuse it
            return f"the system refuses it: {error.strerror}"
        expect(code != 0, "it started")
        return f"ended with {code}"


@quick
def changed_where_stored(lab: Lab) -> str:
    """One byte changed in a member that is not compressed: `start` says so."""
    return _says_so(lab, lambda file: flip(file, zipfile.ZIP_STORED, "bakend/cli/main.pyc"))


@quick
def changed_where_deflated(lab: Lab) -> str:
    """One byte changed in a compressed member: `start` says so."""
    return _says_so(lab, lambda file: flip(file, zipfile.ZIP_DEFLATED, ".pyc"))


@quick
def changed_in_standard_library(lab: Lab) -> str:
    """One byte changed in the first module that Python imports: `start` says so."""
    return _says_so(lab, lambda file: flip(file, zipfile.ZIP_STORED, "/encodings/__init__.pyc"))


@quick
def changed_in_directory(lab: Lab) -> str:
    """One byte changed in the zip's directory: `start` says so."""

    def change(file: Path) -> None:
        with zipfile.ZipFile(file) as opened:
            at = opened.start_dir
        invert(file, at)

    return _says_so(lab, change)


def payload(file: Path) -> tuple[int, int]:
    """Return where the zip begins and ends."""
    with zipfile.ZipFile(file) as opened:
        begin = min(entry.header_offset for entry in opened.infolist())
    content = file.read_bytes()
    end = content.rindex(b"PK\x05\x06") + END_RECORD
    return begin, end


def truncate(file: Path, size: int) -> None:
    """Leave the first bytes only."""
    with file.open("r+b") as opened:
        opened.truncate(size)


def flip(file: Path, kind: int, name: str) -> None:
    """Change a byte in the middle of a member, the largest of its kind whose path ends so."""
    with zipfile.ZipFile(file) as opened:
        found = [
            entry
            for entry in opened.infolist()
            if entry.compress_type == kind and entry.filename.endswith(name)
        ]
        if not found:
            raise Failed(
                f"no {'stored' if kind == zipfile.ZIP_STORED else 'deflated'} {name} inside"
            )
        entry = max(found, key=lambda one: one.compress_size)
    content = file.read_bytes()
    # A local header is 30 bytes, then name and extra field, whose lengths are its last four.
    lengths = content[entry.header_offset + 26 : entry.header_offset + 30]
    at = entry.header_offset + 30 + int.from_bytes(lengths[:2], "little")
    at += int.from_bytes(lengths[2:], "little")
    invert(file, at + entry.compress_size // 2)


def invert(file: Path, at: int) -> None:
    """Turn every bit of one byte."""
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 0xFF]))


def _says_so(lab: Lab, damage: Callable[[Path], None]) -> str:
    """Damage a copy; `start` must end with a sentence and 70, `version` without a traceback."""
    with lab.here() as host:
        config = make_project(host, "/srv/app")
        damage(host.at(host.bak))
        code, said = _start(host, config)
        expect(code == DAMAGED, f"start ended with {code} instead of {DAMAGED}: {said[-300:]}")
        expect(said.count("\n") == 1, f"start said more than a sentence: {said[-300:]!r}")
        told = host.run(host.inside(host.bak), "version")
        for word in ("Traceback", "Fatal Python error"):
            expect(word not in told.stderr, f"version shows {word}: {told.stderr[-300:]!r}")
        expect(
            told.returncode in (0, DAMAGED),
            f"version ended with {told.returncode}: {told.stderr[-300:]!r}",
        )
        place = host.inside(host.bak)
    return f"“{said.strip().replace(place, 'FILE')}”; version ended with {told.returncode}"


def _start(host: Host, config: str) -> tuple[int, str]:
    """Try to start a server; return its exit code and all it said, 0 if it serves."""
    with started(host, config) as server:
        with contextlib.suppress(Failed):
            server.wait_well()
            return 0, f"it serves: {server.tail}"
        return server.process.wait(5), server.log
