"""Functions, as administrators see them."""

from __future__ import annotations

from typing import Any

import pytest

from bakend.testing import TestProject

PATH = "/api/admin/functions"


@pytest.fixture
def failed(project: TestProject) -> str:
    """The id of a run that has failed."""
    project.write_file(
        "functions/one.py",
        "from bakend import on_register\n@on_register('users', attempts=1)\n"
        "def greet(ctx):\n    raise ValueError('no')\n",
    )
    project.write_file("functions/two.py", "x = 1\ny = z\n")
    project.load_programs()
    project.make_user("new@example.com")
    project.run_pending()
    run_id: str = project.app.programs().runs("function", limit=1)[0][0].id
    return run_id


def test_functions_and_broken_files_are_listed(ask: Any, failed: str) -> None:
    """With what the original shows, and why a file does not load."""
    one, two = ask("GET", PATH).get_json()["items"]

    assert one == {
        "name": "functions/one.py:greet@auth.register",
        "collection": "users",
        "type": "register",
        "eventType": "auth.register",
        "filePath": "functions/one.py",
        "error": None,
        "givenUp": 0,
    }
    assert two["error"] == "functions/two.py:2: NameError: name 'z' is not defined"


def test_a_project_without_functions_has_an_empty_list(ask: Any) -> None:
    """Of functions and of runs."""
    assert ask("GET", PATH).get_json() == {"items": [], "total": 0}
    assert ask("GET", f"{PATH}/runs").get_json() == {"items": [], "total": 0}


def test_a_run_has_its_log_with_the_traceback(ask: Any, failed: str) -> None:
    """So that whoever looks sees the line that failed; an unknown run is 404."""
    run = ask("GET", f"{PATH}/runs/{failed}").get_json()

    assert (run["runId"], run["status"], run["error"]) == (failed, "failed", "ValueError: no")
    assert "functions/one.py" in run["log"]
    assert "line 4" in run["log"]
    assert ask("GET", f"{PATH}/runs/run_none").status_code == 404


def test_runs_are_found_by_name_and_status(ask: Any, failed: str) -> None:
    """And another word for the status is refused."""
    name = "functions/one.py:greet@auth.register"
    (run,) = ask("GET", f"{PATH}/runs?status=failed&name={name}").get_json()["items"]

    assert (run["runId"], run["status"], run["attempt"]) == (failed, "failed", 1)
    assert (run["error"], run["eventType"]) == ("ValueError: no", "auth.register")
    assert ask("GET", f"{PATH}/runs?status=completed").get_json()["total"] == 0
    answer = ask("GET", f"{PATH}/runs?status=bad")
    assert answer.status_code == 400
    assert answer.get_json()["error"]["message"].startswith("status must be one of: waiting")


def test_a_failed_run_is_tried_again_once(ask: Any, failed: str) -> None:
    """While it waits it has not failed: 409; what there is not is 404."""
    answer = ask("POST", f"{PATH}/runs/{failed}/retry")

    assert (answer.status_code, answer.get_json()["status"]) == (200, "waiting")
    assert ask("POST", f"{PATH}/runs/{failed}/retry").status_code == 409
    assert ask("POST", f"{PATH}/runs/run_none/retry").status_code == 404
