"""A package index of one's own: tiny wheels, and a server on 127.0.0.1 that lists them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import html
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def make_wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    needs: tuple[str, ...] = (),
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel with one module, which holds its version.

    Args:
        folder: Where to.
        name: A name that is a module's as well.
        version: Any.
        needs: Requirements.
        tag: Python, ABI and platform.
    """
    info = f"{name}-{version}.dist-info"
    metadata = [
        "Metadata-Version: 2.1",
        f"Name: {name}",
        f"Version: {version}",
        *(f"Requires-Dist: {each}" for each in needs),
    ]
    files = {
        f"{name}.py": f'VERSION = "{version}"\n',
        f"{info}/METADATA": "".join(f"{line}\n" for line in metadata),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},sha256={_digest(text)},{len(text)}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel


def sha256(file: Path) -> str:
    """Return the hash of a file as a lock has it."""
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@contextlib.contextmanager
def serve_index(folder: Path) -> Iterator[str]:
    """Serve the files of a folder as a package index, and return its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            words = self.path.strip("/").split("/")
            if words[0] == "simple":
                self._list(words[1])
            else:
                self._answer(200, (folder / words[1]).read_bytes(), "application/zip")

        def _list(self, name: str) -> None:
            files = [
                file
                for file in sorted(folder.iterdir())
                if file.name.split("-")[0].lower().replace("_", "-") == name
            ]
            links = [
                f'<a href="/files/{file.name}#{sha256(file).replace(":", "=")}">'
                f"{html.escape(file.name)}</a>"
                for file in files
            ]
            page = f"<!doctype html><html><body>{''.join(links)}</body></html>"
            self._answer(200 if files else 404, page.encode(), "text/html")

        def _answer(self, status: int, content: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/simple"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
