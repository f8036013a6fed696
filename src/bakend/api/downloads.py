"""A file as an answer: which headers it has, and which part of it is sent.

The bytes go out by `wsgi.file_wrapper`: the server's loop reads and sends them, so that no thread
waits for a slow reader.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO, Final
from urllib.parse import quote

from flask import Request
from werkzeug.http import http_date
from werkzeug.wrappers import Response

from bakend.errors import RangeNotSatisfiableError
from bakend.storage.file import StoredFile
from bakend.storage.media import PDF, essence, is_shown, sendable
from bakend.storage.names import UNNAMED

PUBLIC_MAX_AGE_S: Final = 3_600
"""Bytes never change under an id, but a file may be deleted: so long it may be seen after that."""

PIECE_BYTES: Final = 256 * 1024

_NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
_VIEWERS: Final = "img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
POLICY: Final = f"sandbox; {_NOTHING}; {_VIEWERS}"
"""Whatever a browser makes of a file, it is nobody's page: no script, no origin. What is left is what
browsers themselves need to show a picture or a film."""
PDF_POLICY: Final = f"{_NOTHING}; {_VIEWERS}; object-src 'self'"
"""Browsers refuse to show a PDF in a sandbox; their viewers run it apart from our origin anyway."""

# RFC 8187: what may stand in `filename*` as it is.
_PLAIN: Final = "!#$&+-.^_`|~"

Open = Callable[[StoredFile], BinaryIO]


def answer(request: Request, file: StoredFile, open_file: Open) -> Response:
    """Return the answer to who may read a file: all of it, a part, or that it has not changed.

    Raises:
        NotFoundError: Its bytes are gone.
        RangeNotSatisfiableError: The part asked for is not in it.
    """
    etag, modified = _etag(file), _modified(file)
    headers = {
        "ETag": f'"{etag}"',
        "Cache-Control": (
            f"public, max-age={PUBLIC_MAX_AGE_S}, immutable"
            if file.is_public
            else "private, no-cache"
        ),
    }
    if modified is not None:
        headers["Last-Modified"] = http_date(modified)
    if _is_known(request, etag, modified):
        return Response(status=304, headers=headers)
    stream = open_file(file)
    try:
        size = file.size_bytes
        part = _part(request, size, etag, modified)
        start, stop = part or (0, size)
        if part is not None:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        headers |= {
            "Content-Type": sendable(file.mime_type),
            "Content-Length": str(stop - start),
            "Content-Disposition": disposition(file),
            "Content-Security-Policy": (PDF_POLICY if essence(file.mime_type) == PDF else POLICY),
            "Accept-Ranges": "bytes",
        }
        stream.seek(start)
        return Response(
            _body(request, stream, stop - start),
            status=200 if part is None else 206,
            headers=headers,
            direct_passthrough=True,
        )
    except BaseException:
        stream.close()
        raise


def disposition(file: StoredFile) -> str:
    """Return `Content-Disposition`: shown or saved, and under which name, for old and new readers."""
    kind = "inline" if is_shown(file.mime_type) else "attachment"
    name = file.filename or UNNAMED
    simple = _simple(name)
    if simple == name:
        return f'{kind}; filename="{simple}"'
    exact = quote(name, safe=_PLAIN, errors="replace")
    return f"{kind}; filename=\"{simple}\"; filename*=UTF-8''{exact}"


def _simple(name: str) -> str:
    """Return a name in ASCII, without what some readers would unescape."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join(c if c.isprintable() and c not in '"\\%;/' else "_" for c in plain)
    if plain == name:
        return plain
    stem, dot, extension = plain.rpartition(".")
    has_name = bool(stem.strip(" ._")) if dot else bool(plain)
    return plain if has_name else f"{UNNAMED}{dot}{extension}"


def _etag(file: StoredFile) -> str:
    return file.sha256[:32] if file.sha256 else f"{file.id}-{file.size_bytes}"


def _modified(file: StoredFile) -> datetime | None:
    """Return when a file came, in whole seconds as HTTP has them."""
    try:
        moment = datetime.fromisoformat(file.created_at)
    except ValueError:  # a database may hold anything
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).replace(microsecond=0)


def _is_known(request: Request, etag: str, modified: datetime | None) -> bool:
    """Tell whether the client has the file already; a tag it names counts more than a time."""
    if "If-None-Match" in request.headers:
        return request.if_none_match.contains_weak(etag)
    since = request.if_modified_since
    return since is not None and modified is not None and modified <= since


def _part(
    request: Request, size: int, etag: str, modified: datetime | None
) -> tuple[int, int] | None:
    """Return begin and end of the part that is asked for, None for the whole.

    Several parts at once are not worth their own form of answer: such a request gets the whole.
    """
    asked = request.range if request.method == "GET" else None
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    if not _still_holds(request, etag, modified):
        return None
    start, stop = asked.ranges[0]
    if start < 0:
        start, stop = max(0, size + start), size
    stop = size if stop is None else min(stop, size)
    if start >= stop:
        raise RangeNotSatisfiableError(size)
    return start, stop


def _still_holds(request: Request, etag: str, modified: datetime | None) -> bool:
    """Tell whether a client that has a part of some version means this one."""
    if "If-Range" not in request.headers:
        return True
    meant = request.if_range
    return meant.etag == etag or (meant.date is not None and meant.date == modified)


def _body(request: Request, stream: BinaryIO, length: int) -> Iterable[bytes]:
    wrapper = request.environ.get("wsgi.file_wrapper")
    if wrapper is not None:
        wrapped: Iterable[bytes] = wrapper(stream)
        return wrapped
    return _Pieces(stream, length)  # no server: a test's client


class _Pieces:
    """The next bytes of a file."""

    def __init__(self, stream: BinaryIO, length: int) -> None:
        self._stream = stream
        self._left = length

    def __iter__(self) -> Iterator[bytes]:
        with self._stream:
            while self._left and (piece := self._stream.read(min(PIECE_BYTES, self._left))):
                self._left -= len(piece)
                yield piece

    def close(self) -> None:
        self._stream.close()
