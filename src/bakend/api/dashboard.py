"""The dashboard: `/_`, the pages below it, and their files.

The files are the package `bakend.dashboard`, read once and answered from memory: reading through
the zip of the single file takes longer than answering. An address that is no file is one of the
dashboard's own pages, which `index.html` draws; a *file* that is missing is 404, so that an old
page notices that its parts are gone instead of running HTML as a script.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.errors import NotFoundError, UnavailableError
from bakend.structs import Struct

if TYPE_CHECKING:
    from importlib_resources.abc import Traversable

INDEX: Final = "index.html"

CONTENT_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    "woff": "font/woff",
    "woff2": "font/woff2",
}
"""Our own table: the one of `mimetypes` also reads what the machine has to say."""

COMPRESSIBLE: Final = frozenset(
    {"css", "html", "ico", "js", "json", "svg", "txt", "wasm", "webmanifest"}
)

CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self' ws: wss:",  # older Safari does not count a WebSocket as 'self'
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

IMMUTABLE: Final = "_app/immutable/"
"""Files here have a hash of what they hold in their name, and never change under it."""

_WITH_EXTENSION: Final = re.compile(r"\.[A-Za-z0-9]{1,12}\Z")
_COMPRESSED: Final = (".gz", ".br")
_HIDDEN: Final = re.compile(r"(?:\A|/)(?:\.|__pycache__(?:/|\Z))|\.py[a-z]?\Z")
"""What lies in a package and is not part of the dashboard."""


class Asset(Struct, kw_only=True):
    """One file, as it is answered."""

    content: bytes
    compressed: bytes | None
    """With gzip, where that is smaller by enough to matter."""
    content_type: str
    cache_control: str
    digest: str

    def response(self, *, takes_gzip: bool) -> Response:
        """Return the answer; each variant has a tag of its own, because its bytes differ."""
        is_compressed = takes_gzip and self.compressed is not None
        content = self.compressed if is_compressed and self.compressed else self.content
        response = Response(content, content_type=self.content_type)
        response.set_etag(f"{self.digest}-gzip" if is_compressed else self.digest)
        response.headers["Cache-Control"] = self.cache_control
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        if self.compressed is not None:
            response.headers["Vary"] = "Accept-Encoding"
        if is_compressed:
            response.headers["Content-Encoding"] = "gzip"
        return response


def make_asset(path: str, content: bytes, compressed: bytes | None = None) -> Asset:
    """Return a file ready to be answered.

    Args:
        path: Below the dashboard's folder.
        content: What it holds.
        compressed: The same with gzip, if the build made it.
    """
    extension = path.rpartition(".")[2]
    if compressed is None and extension in COMPRESSIBLE:
        import gzip

        compressed = gzip.compress(content, mtime=0)
    if compressed is not None and len(compressed) > len(content) * 0.9:
        compressed = None
    return Asset(
        content=content,
        compressed=compressed,
        content_type=CONTENT_TYPES.get(extension, "application/octet-stream"),
        cache_control=(
            "public, max-age=31536000, immutable" if path.startswith(IMMUTABLE) else "no-cache"
        ),
        digest=hashlib.sha256(content).hexdigest()[:32],
    )


def read_assets(folder: Traversable) -> Mapping[str, Asset]:
    """Return every file of the dashboard by its path; `x.js.gz` is the gzip of `x.js`."""
    files = dict(_files(folder, ""))
    return {
        path: make_asset(path, content, files.get(f"{path}.gz"))
        for path, content in files.items()
        if not path.endswith(_COMPRESSED)
    }


def _files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if _HIDDEN.search(path):
            continue
        if entry.is_dir():
            yield from _files(entry, f"{path}/")
        else:
            yield path, entry.read_bytes()


Assets = Callable[[str], Asset | None]
"""Returns the file at a path below `/_/`, None where there is none."""


def assets(*, develops: bool) -> Assets:
    """Return where the dashboard's files come from.

    Args:
        develops: Whether files that lie on the disk are read for each request, so that a rebuilt
            dashboard shows at once.
    """
    if develops:
        folder = _folder()
        if isinstance(folder, Path):
            return from_disk(folder)

    @functools.cache
    def packed() -> Mapping[str, Asset]:
        return read_assets(_folder())

    return lambda path: packed().get(path)


def _folder() -> Traversable:
    """Return where the files are; asked by the first request, as listing a zip takes 30 ms."""
    import importlib_resources

    return importlib_resources.files("bakend.dashboard")


def from_disk(folder: Path) -> Assets:
    """Return the files of a folder as they are at the moment of each request."""

    def read(path: str) -> Asset | None:
        if _HIDDEN.search(path) or path.endswith(_COMPRESSED):
            return None
        try:
            file = (folder / path).resolve()
            # A link in the folder must not lead out of it.
            if not file.is_relative_to(folder.resolve()) or not file.is_file():
                return None
            return make_asset(path, file.read_bytes())
        except OSError:  # a name that is too long, a file that a build takes away just now
            return None

    return read


def routes(asset_at: Assets) -> Blueprint:
    """Return the routes of the dashboard."""
    blueprint = Blueprint("dashboard", __name__)

    @blueprint.get("/_")
    @blueprint.get("/_/<path:path>")
    def dashboard(path: str = INDEX) -> Response:
        asset = asset_at(path) if _is_plain(path) else None
        if asset is None:
            asset = _page(path, asset_at)
        response = asset.response(takes_gzip=request.accept_encodings.quality("gzip") > 0)
        return response.make_conditional(request.environ)

    return blueprint


def _is_plain(path: str) -> bool:
    """Tell whether a path only goes down, and is the same on every system."""
    return not any(
        segment in ("", ".", "..") or "\\" in segment or not segment.isprintable()
        for segment in path.split("/")
    )


def _page(path: str, asset_at: Assets) -> Asset:
    """Return `index.html` for an address that may be one of the dashboard's pages."""
    is_file = path.split("/", 1)[0] == "_app" or _WITH_EXTENSION.search(path) is not None
    if path != INDEX and (is_file or not _is_plain(path)):
        raise NotFoundError("Not found")
    index = asset_at(INDEX)
    if index is None:
        raise UnavailableError("The dashboard is not built", hint="build it, or wait for its build")
    return index
