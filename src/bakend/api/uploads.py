"""A form with a file in it, as browsers and clients send one, read while it goes to the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, Final, cast

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import MultiPartParser

from bakend.errors import InvalidInputError
from bakend.storage.incoming import Incoming
from bakend.storage.media import media_type
from bakend.storage.names import clean_name
from bakend.structs import Struct

INVALID: Final = "Invalid multipart form data"

PARTS_MAX: Final = 20
FIELDS_BYTES: Final = 128 * 1024
"""Of one text, and of the head of one part: what is kept in memory."""
BOUNDARY_MAX: Final = 200
"""Characters; the standard has 70."""
LINE_BYTES: Final = 256
"""More than a line with a boundary can have."""


class Upload(Struct, kw_only=True):
    """What a form says, and the file that came with it."""

    content: Incoming
    filename: str
    mime_type: str
    visibility: str


@contextmanager
def received(request: Request, receive: Callable[[], Incoming]) -> Iterator[Upload]:
    """Read a form; what is not moved away inside the block is removed at its end.

    Args:
        request: Its body is the form.
        receive: Returns a new file to be written.

    Raises:
        InvalidInputError: It is no such form, or no file is in it.
        StorageFullError: No space is left.
    """
    with ExitStack() as arriving:
        # The names of its arguments are the parser's.
        def stream_factory(
            total_content_length: int | None,  # noqa: ARG001
            content_type: str | None,  # noqa: ARG001
            filename: str | None,  # noqa: ARG001
            content_length: int | None = None,  # noqa: ARG001
        ) -> IO[bytes]:
            return cast(IO[bytes], arriving.enter_context(receive()))

        boundary = _boundary(request)
        parser = MultiPartParser(
            stream_factory, max_form_memory_size=FIELDS_BYTES, max_form_parts=PARTS_MAX
        )
        try:
            form, files = parser.parse(cast(IO[bytes], _WholeLines(request.stream)), boundary, None)
        except (ValueError, RequestEntityTooLarge) as error:
            raise InvalidInputError(INVALID) from error
        part = files.get("file")
        if part is None:
            raise InvalidInputError("Field 'file' is required")
        filename = clean_name(part.filename or "")
        yield Upload(
            content=cast(Incoming, part.stream),
            filename=filename,
            mime_type=media_type(filename, part.headers.get("Content-Type", "")),
            visibility="public" if form.get("visibility") == "public" else "protected",
        )


def _boundary(request: Request) -> bytes:
    boundary: str = request.mimetype_params.get("boundary", "")
    is_form = request.mimetype == "multipart/form-data"
    if not (is_form and boundary.isascii() and 0 < len(boundary) <= BOUNDARY_MAX):
        raise InvalidInputError(INVALID)
    return boundary.encode()


class _WholeLines:
    """Reads pieces that end with a line, where lines are short.

    The parser of forms is mistaken about the last boundary when a piece ends between its two last
    dashes: it then gives the file one byte more. A boundary is a line of its own, so none is ever
    cut here.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Return the next piece, and what is left of its last line; empty at the end."""
        piece: bytes = self._stream.read(size)
        return piece + self._stream.readline(LINE_BYTES) if piece else piece
