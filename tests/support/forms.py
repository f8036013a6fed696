"""Forms with a file, as a client sends them."""

from __future__ import annotations

from typing import Final

BOUNDARY: Final = "----bakend-test-6a1f"
CONTENT_TYPE: Final = f"multipart/form-data; boundary={BOUNDARY}"
UPLOAD: Final = "/api/storage/upload"


def form(content: bytes, *, filename: str = "a.bin", visibility: str = "protected") -> bytes:
    """Return a body for an upload."""
    return (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="visibility"\r\n\r\n'
        f"{visibility}\r\n--{BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode() + b"".join((content, f"\r\n--{BOUNDARY}--\r\n".encode()))


def upload_head(length: int, headers: dict[str, str]) -> str:
    """Return the head of a request with a form."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return (
        f"POST {UPLOAD} HTTP/1.1\r\nHost: test\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {length}\r\n{lines}\r\n"
    )
