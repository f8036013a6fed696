"""Fetching the files of a release: by HTTP, within limits, over TLS that is checked."""

from __future__ import annotations

import hashlib
import http.client
import pkgutil
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import urlsplit

from bakend.errors import NotGenuineError, StorageFullError, UnavailableError
from bakend.version import VERSION

STEP_S: Final = 30.0
"""So long may a server take for each step of its answer."""

ASSET_MAX_BYTES: Final = 100_000_000
CHUNK_BYTES: Final = 256 * 1024

# Where the systems keep what they trust, if OpenSSL's own place is empty.
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

Headers = http.client.HTTPMessage
Progress = Callable[[int, int | None], None]
"""Bytes so far, and of how many, if the server says it."""


def small(url: str, limit: int) -> bytes | None:
    """Return what is at an address, None if there is nothing.

    Raises:
        UnavailableError: The server does not answer, or otherwise, or with more than `limit` bytes.
    """
    with _opened(url) as answer:
        if answer is None:
            return None
        content = answer.read(limit + 1)
    if len(content) > limit:
        raise UnavailableError(
            f"{url} is larger than {limit:,} bytes, so it is not what it should be"
        )
    return content


def large(url: str, to: Path, sha256: str, progress: Progress) -> None:
    """Download a file whose checksum is known.

    Args:
        url: Its address.
        to: A file that is there already, to be filled.
        sha256: What it has to have.
        progress: Called now and then.

    Raises:
        UnavailableError: It cannot be had.
        NotGenuineError: It is not what was published.
        StorageFullError: There is no room for it.
    """
    digest, done = hashlib.sha256(), 0
    with _opened(url) as answer, to.open("wb") as file:
        if answer is None:
            raise UnavailableError(f"{url} is not there")
        size = answer.headers.get("Content-Length", "")
        total = int(size) if size.isdecimal() else None
        while chunk := answer.read(CHUNK_BYTES):
            done += len(chunk)
            if done > ASSET_MAX_BYTES:
                raise UnavailableError(f"{url} is larger than {ASSET_MAX_BYTES:,} bytes")
            digest.update(chunk)
            try:
                file.write(chunk)
            except OSError as error:
                raise StorageFullError(f"{to} cannot be written: {error.strerror}") from error
            progress(done, total)
    require_digest(url.rpartition("/")[2], digest.hexdigest(), sha256)


def require_digest(name: str, found: str, wanted: str) -> None:
    """Return if a file has the checksum that it should have.

    Raises:
        NotGenuineError: It has another one.
    """
    if found != wanted:
        raise NotGenuineError(
            f"{name} is not what was published: its checksum is {found} instead of {wanted}",
            hint="nothing was changed; try again, and tell us if it stays so",
        )


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows, but never from TLS to none."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Headers,
        newurl: str,
    ) -> urllib.request.Request | None:  # fmt: skip
        allowed = ("https",) if req.type == "https" else ("https", "http")
        if urlsplit(newurl).scheme not in allowed:
            raise urllib.error.URLError(f"it leads to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def _opened(url: str) -> Iterator[http.client.HTTPResponse | None]:
    if urlsplit(url).scheme not in ("http", "https"):
        raise UnavailableError(f"{url} is no http:// or https:// address")
    handlers: list[urllib.request.BaseHandler] = [_Redirects()]
    if urlsplit(url).scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=_trust()))
    opener = urllib.request.build_opener(*handlers)
    request = urllib.request.Request(url, headers={"User-Agent": f"bakend/{VERSION}"})  # noqa: S310
    try:
        try:
            answer = opener.open(request, timeout=STEP_S)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                yield None
                return
            raise UnavailableError(f"{url} was answered with {error.code}", hint=_LATER) from None
        with answer:
            yield answer
    except TimeoutError:
        raise UnavailableError(f"{url}: no answer within {STEP_S:g} s", hint=_LATER) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise UnavailableError(f"{url} cannot be downloaded: {reason}", hint=_LATER) from error


_LATER: Final = "try again later, or bring the file here by hand: --file FILE"


def _trust() -> ssl.SSLContext:
    """Return a context that trusts whom this system trusts; or Mozilla's list, where it has none."""
    context = ssl.create_default_context()
    if context.cert_store_stats()["x509_ca"]:
        return context
    folder = ssl.get_default_verify_paths().capath  # read when a certificate is looked for
    if folder and any(Path(folder).iterdir()):
        return context
    for bundle in _BUNDLES:
        if Path(bundle).is_file():
            context.load_verify_locations(bundle)
            return context
    if inside := pkgutil.get_data("pip._vendor.certifi", "cacert.pem"):
        context.load_verify_locations(cadata=inside.decode("ascii", "ignore"))
    return context
