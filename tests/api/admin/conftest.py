"""Who asks: an administrator, a user, nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from people import Ask, Person, join
from werkzeug.test import TestResponse

from bakend.testing import TestProject


@pytest.fixture
def admin(project: TestProject) -> Person:
    return join(project, "admin@example.com", role="admin")


@pytest.fixture
def user(project: TestProject) -> Person:
    return join(project, "user@example.com", role="authenticated")


@pytest.fixture
def ask(project: TestProject, admin: Person) -> Ask:
    """Send a request, as the administrator unless somebody else is given; None is nobody."""

    def send(method: str, path: str, *, who: Person | None = admin, **content: Any) -> TestResponse:
        if "json" in content:  # as it is: the client would sort the keys
            content["data"] = json.dumps(content.pop("json"))
            content["content_type"] = "application/json"
        headers = {} if who is None else who.headers
        return project.client.open(path, method=method, headers=headers, **content)

    return send
