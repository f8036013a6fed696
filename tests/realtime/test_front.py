"""The front: who may connect, and whose token counts; without a thread, as long as nobody comes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bakend.errors import BakendError, PermissionDeniedError, UnavailableError
from bakend.realtime.front import Realtime, _token
from bakend.realtime.parts import Parts
from bakend.testing import TestProject, temporary_project


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project() as opened:
        yield opened


def front(project: TestProject, *, room: int = 1) -> Realtime:
    app = project.app
    parts = Parts(
        clock=app._clock,
        database=app.database,
        event_log=app.event_log,
        bus=app.bus,
        catalog=app.catalog,
        identify=app.authenticator.holder,
        allows_origin=lambda origin: origin == "https://app.example.com",
        max_message_bytes=1_024,
        ping_s=25,
        timeout_s=60,
    )
    return Realtime(parts, max_connections=room)


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"HOST": "api.example.com"}, None),
        ({"HOST": "api.example.com", "ORIGIN": "https://app.example.com"}, None),
        ({"HOST": "api.example.com:8080", "ORIGIN": "http://api.example.com:8080"}, None),
        (
            {"HOST": "api.example.com:8080", "ORIGIN": "http://api.example.com"},
            PermissionDeniedError,
        ),
        ({"HOST": "api.example.com", "ORIGIN": "https://evil.example.com"}, PermissionDeniedError),
        ({"HOST": "api.example.com", "ORIGIN": "null"}, PermissionDeniedError),
        ({"ORIGIN": ""}, PermissionDeniedError),
    ],
)
def test_pages_may_connect_that_may_call(
    project: TestProject, headers: dict[str, str], error: type[BakendError] | None
) -> None:
    """A page of the server itself, or of `cors.origins`, or what is no page."""
    refused = front(project).may_take(headers)

    assert (None if refused is None else type(refused)) == error


def test_nobody_is_taken_where_there_is_no_room(project: TestProject) -> None:
    """Nor after the stop."""
    assert isinstance(front(project, room=0).may_take({}), UnavailableError)
    stopped = front(project)
    stopped.stop()
    assert isinstance(stopped.may_take({}), UnavailableError)


@pytest.mark.parametrize(
    ("headers", "query", "token"),
    [
        ({}, "", None),
        ({}, "token=a.b.c", "a.b.c"),
        ({}, "x=1&token=a%2Bb&token=c", "a+b"),
        ({"AUTHORIZATION": "Bearer a.b"}, "token=c", "a.b"),
        ({"AUTHORIZATION": "Basic a"}, "token=c", "c"),
        ({"AUTHORIZATION": "Bearer"}, "token=c", "c"),
        ({}, "&" * 5_000 + "token=c", None),
    ],
)
def test_the_header_comes_before_the_query(
    headers: dict[str, str], query: str, token: str | None
) -> None:
    """One of them is the token, or none."""
    assert _token(headers, query) == token
