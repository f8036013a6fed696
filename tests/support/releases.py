"""Releases as they are published: small, with a shell script for `bak`, and a web server for them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import io
import json
import subprocess
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
TEST_KEY: Final = ROOT / "packaging" / "release" / "test-key.pem"
TARGET: Final = "linux-x64"


def program(version: str, *, schema: int = 1, verifies: bool = True) -> bytes:
    """Return a `bak` that says its version, and carries a manifest as the real one does."""
    script = (
        "#!/bin/sh\n"
        f'case "$*" in version) echo {version} ;; verify) exit {0 if verifies else 70} ;; esac\n'
        "exit\n"
    )
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        about = {"version": version, "schemaVersion": schema, "target": TARGET}
        file.writestr("bak.json", json.dumps(about))
    return script.encode() + content.getvalue()


def publish(folder: Path, version: str, bak: bytes | None = None, *, target: str = TARGET) -> Path:
    """Put a release into a folder, as the newest one, and sign it; return its tarball."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in (("bak", bak or program(version)), ("LICENSE", b"terms")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.mode = 0o755
            archive.addfile(info, io.BytesIO(data))
    packed = folder / f"bakend-v{version}-{target}.tar.gz"
    for name in (packed.name, f"bakend-latest-{target}.tar.gz"):
        (folder / name).write_bytes(content.getvalue())
    sum_up(folder)
    return packed


def sum_up(folder: Path) -> None:
    """Write SHA256SUMS, what stands beside each tarball, and the signature."""
    lines = []
    for each in sorted(folder.glob("*.tar.gz")):
        lines.append(f"{hashlib.sha256(each.read_bytes()).hexdigest()}  {each.name}\n")
        each.with_name(f"{each.name}.sha256").write_text(lines[-1])
    (folder / "SHA256SUMS").write_text("".join(lines))
    sign(folder)


def sign(folder: Path) -> None:
    """Sign SHA256SUMS by the test key."""
    words = ["openssl", "pkeyutl", "-sign", "-inkey", str(TEST_KEY), "-rawin"]
    words += ["-in", "SHA256SUMS", "-out", "SHA256SUMS.sig"]
    subprocess.run(words, cwd=folder, check=True)


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback; yield its address."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
