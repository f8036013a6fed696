"""Functions for administrators: `/api/admin/functions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from flask import Blueprint, request
from werkzeug.wrappers import Response

from bakend.api.answers import json_answer
from bakend.api.requests import OFFSET_MAX, clamped
from bakend.errors import InvalidInputError

if TYPE_CHECKING:
    from bakend.programs import Programs

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
STATUSES: Final = ("waiting", "running", "completed", "failed")


def add_routes(blueprint: Blueprint, programs: Callable[[], Programs]) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        programs: Returns what is asked; it is made when it is first needed.
    """

    @blueprint.get("/functions")
    def list_functions() -> Response:
        items = programs().functions()
        return json_answer({"items": items, "total": len(items)})

    @blueprint.get("/functions/runs")
    def list_function_runs() -> Response:
        return runs_answer(programs(), "function", request.args.get("name", ""))

    @blueprint.get("/functions/runs/<run_id>")
    def get_function_run(run_id: str) -> Response:
        run = programs().run("function", run_id)
        return json_answer({**run.as_json(), "log": run.log})

    @blueprint.post("/functions/runs/<run_id>/retry")
    def retry_function_run(run_id: str) -> Response:
        return json_answer(programs().retry(run_id).as_json())


def runs_answer(programs: Programs, kind: str, name: str) -> Response:
    """Return a page of runs, as the query asks for it."""
    runs, total = programs.runs(
        kind,
        name=name,
        status=_status(request.args),
        limit=clamped(request.args, "limit", default=LIMIT_DEFAULT, high=LIMIT_MAX),
        offset=clamped(request.args, "offset", default=0, low=0, high=OFFSET_MAX),
    )
    return json_answer({"items": [run.as_json() for run in runs], "total": total})


def _status(query: Mapping[str, str]) -> str:
    status = query.get("status", "")
    if status and status not in STATUSES:
        raise InvalidInputError(f"status must be one of: {', '.join(STATUSES)}")
    return status
