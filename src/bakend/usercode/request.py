"""Requests to the project's own routes, as their handlers see them, and what they may answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from bakend import wire
from bakend.auth.identity import Identity
from bakend.errors import InvalidInputError
from bakend.structs import Struct
from bakend.usercode.binding import WITHOUT_EVENT
from bakend.usercode.context import Context, Services
from bakend.usercode.logger import Logger
from bakend.usercode.workers import Call

PARTS: Final = (*WITHOUT_EVENT, "params", "request")
"""What the handler of a route may ask for by name, beside `ctx` and the words of its path."""


class MissingValueError(InvalidInputError, KeyError):
    """Raised when a request lacks a value that a handler takes for granted: 400."""

    __str__ = Exception.__str__


class Values(Mapping[str, str]):
    """Named texts of a request: of each name the first, and all of them by `all`."""

    def __init__(self, values: Mapping[str, Sequence[str]], *, kind: str) -> None:
        """Take them; names are told apart by case only where they are parameters of a query."""
        self._kind = kind
        self._folds = kind == "Header"
        self._values = {self._key(name): list(each) for name, each in values.items() if each}

    def all(self, name: str) -> list[str]:
        """Return each value of a name, in their order; none where there is none."""
        return [*self._values.get(self._key(name), ())]

    def __getitem__(self, name: str) -> str:
        found = self._values.get(self._key(name))
        if found is None:
            raise MissingValueError(f'{self._kind} "{name}" is missing')
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{len(self)} of kind {self._kind}>"  # headers hold tokens

    def _key(self, name: str) -> str:
        return name.lower() if self._folds else name


class Request(Struct, kw_only=True):
    """What came in."""

    method: str
    path: str
    """The whole one: `/api/_/hello/ada`."""
    query: Values
    headers: Values
    body: bytes
    address: str
    """Of the client, also behind a trusted proxy."""
    json_depth: int
    """How deep the body may be nested."""

    @property
    def json(self) -> dict[str, Any]:
        """The object in the body.

        Raises:
            InvalidInputError: Another content type, no JSON, or no object: 400.
        """
        content_type = self.headers.get("Content-Type", "")
        return wire.decode_object(content_type, self.body, max_depth=self.json_depth)


class Response(Struct):
    """An answer that is not JSON, or not only."""

    body: bytes | str
    status: int = 200
    content_type: str | None = None
    """None means plain text for a text, and bytes of no known kind for bytes."""
    headers: Mapping[str, str] = MappingProxyType({})


class RouteContext(Context):
    """What the handler of a route is given.

    Thread: `bakend-route-N`, and threads that the handler starts.
    """

    def __init__(
        self,
        services: Services,
        call: Call,
        logger: Logger,
        *,
        request: Request,
        params: Mapping[str, Any],
        identity: Identity,
    ) -> None:
        super().__init__(services, call, logger, actor=identity.actor)
        self.request = request
        """What came in."""
        self.params: dict[str, Any] = dict(params)
        """The words of the path, by the names that the route has for them."""
