"""What is configured, for administrators: `/api/admin/settings`; secrets are masked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer


def add_routes(blueprint: Blueprint, show: Callable[[], Mapping[str, object]]) -> None:
    """Add the route.

    Args:
        blueprint: Of `/api/admin`.
        show: Returns what `bak settings --json` prints.
    """

    @blueprint.get("/settings")
    def show_settings() -> Response:
        return json_answer(show())
