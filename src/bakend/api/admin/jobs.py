"""Jobs for administrators: `/api/admin/jobs`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint
from werkzeug.wrappers import Response

from bakend.api.admin.functions import runs_answer
from bakend.api.answers import json_answer

if TYPE_CHECKING:
    from bakend.programs import Programs


def add_routes(blueprint: Blueprint, programs: Callable[[], Programs]) -> None:
    """Add the routes.

    Args:
        blueprint: Of `/api/admin`.
        programs: Returns what is asked; it is made when it is first needed.
    """

    @blueprint.get("/jobs")
    def list_jobs() -> Response:
        items = programs().jobs()
        return json_answer({"items": items, "total": len(items)})

    @blueprint.post("/jobs/<job>/run")
    def run_job(job: str) -> Response:
        return json_answer(programs().request(job).as_json(), 202)

    @blueprint.get("/jobs/<job>/runs")
    def list_job_runs(job: str) -> Response:
        programs().require_job(job)
        return runs_answer(programs(), "job", job)

    @blueprint.get("/jobs/<job>/runs/<run_id>")
    def get_job_run(job: str, run_id: str) -> Response:
        run = programs().run("job", run_id, name=job)
        return json_answer({**run.as_json(), "log": run.log})
