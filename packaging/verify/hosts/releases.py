"""Releases of a built file on a web server of this machine, for install.sh and `bak upgrade`."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from release import signing
from release.checksums import write_checksums

ROOT = Path(__file__).resolve().parents[3]
INSTALLER = ROOT / "scripts" / "install.sh"


class Releases:
    """A folder with releases, and its address."""

    def __init__(self, folder: Path, url: str, target: str) -> None:
        self.folder = folder
        self.url = url
        self.target = target
        self.is_signed = False

    def publish(self, bak: Path, version: str, packed: Path | None = None) -> Path:
        """Add a version, as the newest; return its tarball.

        Args:
            bak: The executable.
            packed: Its tarball, if there is one.
        """
        asset = self.folder / f"bakend-v{version}-{self.target}.tar.gz"
        latest = self.folder / f"bakend-latest-{self.target}.tar.gz"
        if packed is not None:
            shutil.copyfile(packed, asset)
        else:
            pack(bak, asset)
        latest.unlink(missing_ok=True)
        latest.hardlink_to(asset)
        self.sum_up()
        return asset

    def sum_up(self) -> None:
        """Write the checksums of what is there, and sign them if there is a key for that."""
        write_checksums(sorted(self.folder.glob("*.tar.gz")), self.folder)
        # A key that was given to a build is not asked for here.
        self.is_signed = signing.sign(self.folder, {}) is not None

    @property
    def words(self) -> tuple[str, ...]:
        """Options for install.sh and `bak upgrade` that these releases need."""
        return () if self.is_signed else ("--allow-unsigned",)


def pack(bak: Path, to: Path) -> None:
    """Write a tarball, quickly."""
    content = bak.read_bytes()
    with tarfile.open(to, "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("bak")
        info.size, info.mode = len(content), 0o755
        archive.addfile(info, io.BytesIO(content))


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def releases(target: str) -> Iterator[Releases]:
    """Yield a folder that is served on loopback until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="bakend-releases-") as name:
        handler = functools.partial(_Handler, directory=name)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                url = f"http://127.0.0.1:{server.server_address[1]}"
                yield Releases(Path(name), url, target)
            finally:
                server.shutdown()
                thread.join()


def tamper(file: Path) -> None:
    """Change one byte in the middle of a file."""
    with file.open("r+b") as opened:
        middle = os.fstat(opened.fileno()).st_size // 2
        opened.seek(middle)
        byte = opened.read(1)
        opened.seek(middle)
        opened.write(bytes([byte[0] ^ 1]))
