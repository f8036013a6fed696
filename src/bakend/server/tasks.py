"""Answers: what a `waitress-N` thread does with one request, from the application to the socket."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from waitress.channel import ClientDisconnected  # type: ignore[import-untyped]
from waitress.task import Task, WSGITask  # type: ignore[import-untyped]

from bakend.server.failures import Refusal, from_system

_log = logging.getLogger("bakend.server")


class _Answer(Task):  # type: ignore[misc]  # Waitress has no types
    """What every answer has in common.

    Nothing that happens in it reaches the thread: a failure becomes an answer, or, where the head
    has left already, the end of the connection, which tells the client that the body is not whole.
    """

    logger = _log

    def service(self) -> None:
        """Answer."""
        try:
            self.start()
            self.execute()
            self.finish()
        except ClientDisconnected:
            self.close_on_finish = True
        # Also SystemExit: an application that calls exit() ends its request, not this thread.
        except BaseException as failure:  # noqa: BLE001  # logged by from_system()
            self._answer_failure(failure)

    def write(self, data: bytes) -> None:
        """Send a piece of the body; to a HEAD request only the head."""
        if self.request.command == "HEAD":
            super().write(b"")
            self.chunked_response = False  # finish() would end a body that never began
        else:
            super().write(data)

    def write_refusal(self, refusal: Refusal) -> None:
        """Send an error as the whole answer, and close after it."""
        answer = self.channel.server.error_response(refusal.error, refusal.status)
        status, headers, body = answer
        self.status = f"{status} {_phrase(status)}"
        self.response_headers = list(headers)
        self.content_length = len(body)
        self.content_bytes_written = 0
        self.complete = True
        self._close_after()
        self.write(body)

    def build_response_header(self) -> bytes:
        """Return the head, with `Connection: close` when the server stops and nothing follows."""
        if self.channel.ends_with_this():
            self._close_after()
        return bytes(super().build_response_header())

    def _close_after(self) -> None:
        # As if the client had asked for it. Adding the header instead would give a client of
        # HTTP/1.0 that asked for keep-alive both.
        self.request.headers["CONNECTION"] = "close"

    def _answer_failure(self, failure: BaseException) -> None:
        self.close_on_finish = True
        refusal = from_system(failure)
        if self.wrote_header:
            return
        try:
            self.write_refusal(refusal)
            self.finish()
        except ClientDisconnected:
            pass
        except Exception:  # noqa: BLE001  # the last resort of the last resort, and logged
            _log.exception("an error could not be answered")


class ApplicationAnswer(_Answer, WSGITask):  # type: ignore[misc]
    """The answer of the WSGI application."""

    def get_environment(self) -> dict[str, Any]:
        """Return the WSGI environment."""
        environ: dict[str, Any] = super().get_environment()
        environ["SERVER_SOFTWARE"] = "bakend"
        return environ


class RefusalAnswer(_Answer):
    """The answer to a request that the application never sees."""

    def execute(self) -> None:
        """Send the error; the client may still be sending the rest of its request."""
        self.channel.reads_on_after_close()
        self.write_refusal(self.request.error)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
