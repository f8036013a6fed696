"""Waitress' request parser, with our limits, our errors and our place for bodies."""

from __future__ import annotations

from contextlib import suppress
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

from waitress.adjustments import Adjustments  # type: ignore[import-untyped]  # ships no types
from waitress.parser import HTTPRequestParser, ParsingError  # type: ignore[import-untyped]

from bakend.errors import BakendError, InvalidInputError, PayloadTooLargeError
from bakend.server.failures import Refusal, from_system, from_waitress
from bakend.server.limits import BodyLimits, size_text
from bakend.server.upgrades import Taker, Upgrades

CHUNK_LINE_MAX: Final = 4_096
"""Bytes of one chunk's size line. Waitress has no limit, and a line without end costs memory."""

TRAILER_MAX: Final = 65_536
"""Bytes of the fields after the last chunk, for the same reason."""


class RequestParser(HTTPRequestParser):  # type: ignore[misc]  # Waitress has no types
    """One request as it arrives.

    Differs from its base in what would break a limit or the connection: the body limit depends on
    the path and holds from the head on; whatever is wrong ends as a `Refusal` in `error`; a request
    that is complete asks for no `100 Continue` (the base would wait for its body for ever).
    """

    command = ""
    path = ""
    completed: bool
    error: Any
    """None or a `Refusal`; inside `received` also an error of the base."""
    headers: dict[str, str]
    """By names as in WSGI: `SEC_WEBSOCKET_KEY`."""
    query: str
    version: str
    body_rcv: Any
    taker: Taker | None = None
    """Who takes the connection over after this request; None for almost every one."""
    rest = b""
    """What came behind a request after which no HTTP follows."""
    checked_at: float | None = None
    """When the channel's maintenance last looked at it; its own clock, in seconds."""
    checked_bytes = 0
    """How much of the body there was then."""

    def __init__(self, adj: Adjustments, limits: BodyLimits, upgrades: Upgrades) -> None:
        super().__init__(adj)
        self._limits = limits
        self._upgrades = upgrades
        self._body_limit: int | None = None

    def received(self, data: bytes) -> int:
        """Take the next bytes and return how many of them belong to this request.

        A refused request takes all: what follows is the rest of a body that nobody reads, and must
        not be taken for the next request.
        """
        try:
            consumed = int(super().received(data))
            self._check_size()
            if self.completed and self.error is None and self.body_rcv is not None:
                self.body_rcv.getfile()  # writes what is still in memory, here where it may fail
        except OSError as failure:
            self.error = from_system(failure)
        if self.error is not None:
            if not isinstance(self.error, Refusal):
                self.error = from_waitress(self.error)
            self.completed = True
            consumed = len(data)
            self.close()
        if self.completed:
            self.expect_continue = False
            if self.error is None and not self.empty:
                self.taker = self._upgrades.taker(self)
        if self.taker is not None:
            self.rest = data[consumed:]  # frames: read as HTTP, they would be a broken request
            return len(data)
        return consumed

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head.

        Raises:
            ParsingError: It cannot be understood.
        """
        try:
            super().parse_header(header_plus)
        except ValueError as failure:  # thousands of digits, a host in half a bracket
            raise ParsingError("Request line or header is invalid") from failure
        if self.version != "1.1" and "TRANSFER_ENCODING" in self.headers:
            # RFC 9112 6.1: faulty framing; read as no body, the body would become the next request.
            raise ParsingError("Transfer-Encoding needs HTTP/1.1")
        if self.body_rcv is not None:
            self.body_rcv.buf = Spool(self.adj.inbuf_overflow)

    def refuse(self, error: BakendError, status: int) -> None:
        """Make this a request that gets an error for an answer, whatever was sent."""
        self.error = Refusal(error, status)
        self.completed = True
        self.taker = None

    def has_begun(self) -> bool:
        """Return whether anything but blank lines has arrived."""
        return self.headers_finished or bool(self.header_plus.strip())

    def _check_size(self) -> None:
        body = self.body_rcv
        if body is None or self.error is not None:
            return
        if self._body_limit is None:
            self._body_limit = self._limits.limit_of(self.path)
        size = len(body) + body.chunk_remainder if self.chunked else self.content_length
        if size > self._body_limit:
            text = f"Request body is larger than {size_text(self._body_limit)}"
            self.refuse(PayloadTooLargeError(text), 413)
        elif self.chunked and (
            len(body.control_line) > CHUNK_LINE_MAX or len(body.trailer) > TRAILER_MAX
        ):
            self.refuse(InvalidInputError("Chunk header or trailer is too long"), 400)


class Spool:
    """A body: in memory as long as it is small, then in a temporary file.

    In place of Waitress' buffer, which moves to the end and back for each piece, and leaves its
    file open when the disk is full.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._file = SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115  # close() is below
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, data: bytes) -> None:
        """Write the next piece.

        Raises:
            OSError: The temporary folder takes no more.
        """
        self._file.write(data)
        self._length += len(data)

    def getfile(self) -> IO[Any]:
        """Return the body to read, from its beginning."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Give the memory or the file back."""
        # It tries once more to write what found no space, and closes all the same.
        with suppress(OSError):
            self._file.close()
