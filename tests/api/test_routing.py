"""api/routing.py: routes are matched, and their URLs are not made."""

from __future__ import annotations

import pytest
from werkzeug.routing import Map, Rule

from bakend.api.routing import Route


def test_a_route_is_matched_and_makes_no_url() -> None:
    """It takes its words from a path; asking it for a URL is a mistake in our own code."""
    routes = Map([Route("/api/<name>", endpoint="record")]).bind("here")

    assert routes.match("/api/posts") == ("record", {"name": "posts"})
    with pytest.raises(NotImplementedError, match="/api/<name>"):
        routes.build("record", {"name": "posts"})


def test_werkzeug_still_asks_for_what_is_left_out() -> None:
    """Without this method of its own, leaving it out would gain nothing."""
    assert callable(getattr(Rule, "_compile_builder", None))
