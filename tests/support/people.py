"""People with accounts who are logged in, for tests of what each of them may do."""

from __future__ import annotations

from collections.abc import Callable

from werkzeug.test import TestResponse

from bakend.structs import Struct
from bakend.testing import TestProject

Ask = Callable[..., TestResponse]
"""Sends a request as somebody: method, path, `who`, and what Flask's test client takes."""


class Person(Struct):
    """Somebody who is logged in."""

    id: str
    email: str
    headers: dict[str, str]


def join(project: TestProject, email: str, *, role: str) -> Person:
    """Make a user and log him in."""
    made = project.make_user(email, role=role)
    return Person(made.id, made.email, project.log_in(email))
