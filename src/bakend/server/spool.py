"""Where an answer waits for a slow client: in memory, and beyond 1 MiB in a temporary file.

Waitress' own buffer loses the answer when the disk turns out to be full: half of it is copied then,
and the count of what is to be sent is wrong, so that the client waits for nothing. This one keeps
the answer in memory instead, because reading has to go on where writing cannot.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from tempfile import TemporaryFile
from typing import IO, Any

from waitress.buffers import (  # type: ignore[import-untyped]  # ships no types
    FileBasedBuffer,
    OverflowableBuffer,
)

_log = logging.getLogger("bakend.server")


class AnswerBuffer(OverflowableBuffer):  # type: ignore[misc]  # Waitress has no types
    """A buffer that moves to the disk as a whole, or not at all."""

    buf: Any

    def _set_large_buffer(self) -> None:
        memory = self.buf
        place = memory.getfile().tell()
        try:
            self.buf = _on_disk(memory)
        except OSError as failure:
            memory.getfile().seek(place)
            self.overflow = sys.maxsize  # not tried again for this connection
            _log.warning(
                "an answer stays in memory, no temporary file: %s bytes=%d",
                failure.strerror,
                len(memory),
            )
        else:
            memory.close()
            self.overflowed = True


def _on_disk(memory: FileBasedBuffer) -> FileBasedBuffer:
    file: IO[bytes] = TemporaryFile()  # noqa: SIM115  # the buffer closes it
    try:
        copy = FileBasedBuffer(file, memory)
        file.flush()  # what does not fit has to fail here, not when it is read back
        return copy
    except OSError:
        with contextlib.suppress(OSError):
            file.close()
        raise
