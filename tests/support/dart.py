"""What the official Dart client sends and how it reads answers, without Dart.

Requests are the bytes that `package:http` writes over `dart:io`: names in small letters, a length also
where there is no body, JSON with a charset, forms with a boundary of 70 characters. Answers are read as
strictly as Dart's casts do: a value that is missing or of another type is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Final
from urllib.parse import quote

from processes import Answer
from raw import Raw

USER_AGENT: Final = "Dart/3.9 (dart:io)"
BOUNDARY: Final = "dart-http-boundary-aZ09+_-.uWq3-XkR.jf7B_HmT2+Lc8vE4yN6sDpoGiKbQzMVUxS"
"""Of 70 characters, among them every kind that Dart takes: letters, digits and `+_-.`"""


class CastError(AssertionError):
    """Raised where Dart would fail to read an answer."""


@dataclass(frozen=True, slots=True)
class Detail:
    """One fault of a record."""

    field: str
    rule: str
    message: str


class BakendException(Exception):
    """Raised for an answer that is an error, as the client raises it."""

    def __init__(self, status: int, error: Mapping[str, Any]) -> None:
        self.status = status
        self.code = text(error, "code")
        self.message = text(error, "message")
        super().__init__(f"{status} {self.code}: {self.message}")
        details = error.get("details")
        self.details: list[Detail] | None = None
        if details is not None:
            self.details = [
                Detail(*(text(a_map(each), name) for name in ("field", "rule", "message")))
                for each in a_list(details)
            ]


@dataclass(frozen=True, slots=True)
class User:
    """A user, all of it text."""

    id: str
    email: str
    role: str
    created_at: str


@dataclass(frozen=True, slots=True)
class File:
    """An uploaded file; its size is an integer."""

    id: str
    filename: str
    mime_type: str
    size: int
    visibility: str
    user_id: str
    created_at: str


# Casts


def a_map(value: object) -> dict[str, Any]:
    """Return a value as a map."""
    if not isinstance(value, dict):
        raise CastError(f"{value!r} is no Map<String, dynamic>")
    return value


def a_list(value: object) -> list[Any]:
    """Return a value as a list."""
    if not isinstance(value, list):
        raise CastError(f"{value!r} is no List<dynamic>")
    return value


def text(values: Mapping[str, Any], name: str) -> str:
    """Return the text under a name; null and absent are none."""
    value = values.get(name)
    if not isinstance(value, str):
        raise CastError(f"{name} is {value!r} and no String")
    return value


def an_int(values: Mapping[str, Any], name: str) -> int:
    """Return the integer under a name; Dart reads `3.0` as a double."""
    value = values.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise CastError(f"{name} is {value!r} and no int")
    return value


def a_user(values: Mapping[str, Any]) -> User:
    """Read a user."""
    return User(*(text(values, name) for name in ("id", "email", "role", "createdAt")))


def a_file(values: Mapping[str, Any]) -> File:
    """Read a file's description."""
    return File(
        id=text(values, "id"),
        filename=text(values, "filename"),
        mime_type=text(values, "mimeType"),
        size=an_int(values, "size"),
        visibility=text(values, "visibility"),
        user_id=text(values, "userId"),
        created_at=text(values, "createdAt"),
    )


def body_of(answer: Answer) -> str:
    """Return a body as text, in the charset that its type names.

    Older releases of the library read JSON without a charset as Latin-1, and so do we.
    """
    kind = Message()
    kind["Content-Type"] = answer.headers.get("Content-Type", "application/octet-stream")
    return answer.body.decode(str(kind.get_param("charset", "latin-1")))


# Requests


def form(visibility: str, content: bytes, filename: str) -> bytes:
    """Return the body of an upload: the field, then the file, whose type is never said."""
    named = filename.replace("\r\n", "%0D%0A").replace("\n", "%0D%0A").replace("\r", "%0D%0A")
    named = named.replace('"', "%22")
    return b"".join(
        (
            f"--{BOUNDARY}\r\n".encode(),
            b'content-disposition: form-data; name="visibility"\r\n\r\n',
            f"{visibility}\r\n".encode(),
            f"--{BOUNDARY}\r\n".encode(),
            b"content-type: application/octet-stream\r\n",
            f'content-disposition: form-data; name="file"; filename="{named}"\r\n\r\n'.encode(),
            content,
            f"\r\n--{BOUNDARY}--\r\n".encode(),
        )
    )


def head(
    port: int, method: str, path: str, *, length: int, kind: str | None, token: str | None
) -> str:
    """Return the head of a request."""
    # As Uri.parse() leaves a path: what is no ASCII is encoded, what is encoded stays.
    target = quote(path, safe="/%:@!$&'()*+,;=~")
    lines = [f"{method} {target} HTTP/1.1", f"user-agent: {USER_AGENT}"]
    if kind is not None:
        lines.append(f"content-type: {kind}")
    lines.append("accept-encoding: gzip")
    if token is not None:
        lines.append(f"authorization: Bearer {token}")
    lines += [f"content-length: {length}", f"host: 127.0.0.1:{port}", "", ""]
    return "\r\n".join(lines)


class DartClient:
    """The client: the same calls, the same tokens, the same way to renew them. Thread: one."""

    def __init__(self, port: int, *, auto_refresh: bool = True) -> None:
        self._port = port
        self._auto_refresh = auto_refresh
        self._connection: Raw | None = None
        self.token: str | None = None
        self.refresh_token: str | None = None
        self.statuses: list[int] = []
        """Of every answer so far."""

    def __enter__(self) -> DartClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def is_logged_in(self) -> bool:
        """Tell whether it keeps tokens."""
        return self.token is not None and self.refresh_token is not None

    # auth

    def register(self, email: str, password: str) -> User:
        """Make an account, and keep its tokens."""
        return self._tokens("/api/auth/register", {"email": email, "password": password})

    def login(self, email: str, password: str) -> User:
        """Log in, and keep the tokens."""
        return self._tokens("/api/auth/login", {"email": email, "password": password})

    def refresh(self) -> User:
        """Renew the tokens."""
        return self._tokens("/api/auth/refresh", {"refreshToken": self.refresh_token})

    def logout(self) -> None:
        """End the session, and forget the tokens."""
        self._call("POST", "/api/auth/logout", {"refreshToken": self.refresh_token}, skip_auth=True)
        self.clear()

    def me(self) -> User:
        """Return the user."""
        return a_user(a_map(a_map(self._call("GET", "/api/auth/me")).get("user")))

    def clear(self) -> None:
        """Forget the tokens."""
        self.token = self.refresh_token = None

    # records

    def list(self, collection: str) -> list[dict[str, Any]]:
        """Return all records."""
        items = a_map(self._call("GET", f"/api/{collection}")).get("items")
        return [a_map(item) for item in a_list(items)]

    def get(self, collection: str, record_id: str) -> dict[str, Any]:
        """Return a record."""
        return a_map(self._call("GET", f"/api/{collection}/{record_id}"))

    def create(self, collection: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Make a record."""
        return a_map(self._call("POST", f"/api/{collection}", values))

    def update(self, collection: str, record_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Change a record."""
        return a_map(self._call("PUT", f"/api/{collection}/{record_id}", values))

    def delete(self, collection: str, record_id: str) -> None:
        """Delete a record."""
        self._nothing("DELETE", f"/api/{collection}/{record_id}")

    # files

    def upload(
        self, content: bytes, *, filename: str = "file", visibility: str = "protected"
    ) -> File:
        """Upload a file, on a connection of its own, as each upload of the client has."""
        body = form(visibility, content, filename)
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        start = head(
            self._port,
            "POST",
            "/api/storage/upload",
            length=len(body),
            kind=kind,
            token=self.token,
        )
        with Raw(self._port) as connection:
            connection.pour([start.encode(), body])
            answer = self._checked(connection.answer("POST"))
        # A request that was sent once can't be sent again: no renewal here, whatever comes back.
        return a_file(a_map(json.loads(body_of(self._good(answer)))))

    def download(self, file_id: str) -> bytes:
        """Return the bytes of a file."""
        return self._answer("GET", f"/api/storage/{file_id}").body

    def delete_file(self, file_id: str) -> None:
        """Delete a file."""
        self._nothing("DELETE", f"/api/storage/{file_id}")

    # below

    def _tokens(self, path: str, content: Mapping[str, Any]) -> User:
        answered = a_map(self._call("POST", path, content, skip_auth=True))
        user = a_user(a_map(answered.get("user")))
        self.token, self.refresh_token = text(answered, "token"), text(answered, "refreshToken")
        return user

    def _nothing(self, method: str, path: str) -> None:
        if (answer := self._answer(method, path)).status != 204:
            raise CastError(f"{method} {path}: {answer.status}, where the client wants nothing")

    def _call(
        self, method: str, path: str, content: object = None, *, skip_auth: bool = False
    ) -> Any:
        answer = self._answer(method, path, content, skip_auth=skip_auth)
        return None if answer.status == 204 else json.loads(body_of(answer))

    def _answer(
        self, method: str, path: str, content: object = None, *, skip_auth: bool = False
    ) -> Answer:
        answer = self._send(method, path, content, skip_auth=skip_auth)
        if answer.status == 401 and self._auto_refresh and not skip_auth:
            try:
                self._renew()
            except BakendException:
                self.clear()
                return self._good(answer)
            answer = self._send(method, path, content, skip_auth=False)
        return self._good(answer)

    def _renew(self) -> None:
        if self.refresh_token is None:
            raise BakendException(0, {"code": "none", "message": "No refresh token"})
        self.refresh()

    def _send(self, method: str, path: str, content: object, *, skip_auth: bool) -> Answer:
        """Send a request on the connection that is kept, and read its whole answer."""
        has_body = content is not None
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")) if has_body else ""
        encoded = body.encode()
        start = head(
            self._port,
            method,
            path,
            length=len(encoded),
            kind="application/json; charset=utf-8" if has_body else None,
            token=None if skip_auth else self.token,
        )
        if self._connection is None:
            self._connection = Raw(self._port)
        self._connection.send(start.encode(), encoded)
        answer = self._checked(self._connection.answer(method))
        if answer.headers.get("Connection", "").lower() == "close":
            self._connection.close()
            self._connection = None
        return answer

    def _checked(self, answer: Answer) -> Answer:
        """Check what holds for every answer."""
        self.statuses.append(answer.status)
        if "Content-Encoding" in answer.headers:
            raise CastError(f"an answer in {answer.headers['Content-Encoding']}")
        if answer.status == 204 and (answer.body or "Content-Type" in answer.headers):
            raise CastError(f"204 with a body: {answer.body[:100]!r}")
        return answer

    def _good(self, answer: Answer) -> Answer:
        if 200 <= answer.status < 300:
            return answer
        error = a_map(json.loads(body_of(answer))).get("error")
        raise BakendException(answer.status, a_map(error))
