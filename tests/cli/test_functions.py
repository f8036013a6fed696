"""`bak functions`."""

from __future__ import annotations

import json
from pathlib import Path

from bakend.testing import temporary_project

from processes import bak, make_project


def test_functions_are_listed_and_faults_told(tmp_path: Path) -> None:
    """Functions on stdout, faults on stderr, with exit code 1."""
    project = make_project(tmp_path / "project")
    (project / "functions").mkdir()
    one = project / "functions" / "one.py"
    one.write_text("from bakend import on_create\n@on_create('posts')\ndef f(ctx): pass\n")

    fine = bak(project, "functions", "list")
    (project / "functions" / "two.py").write_text("nowhere\n")
    broken = bak(project, "functions", "list", "--json")

    assert (fine.returncode, fine.stdout) == (
        0,
        "posts.created\tfunctions/one.py:f@posts.created\n",
    )
    assert broken.returncode == 1
    assert "functions/two.py:1: NameError" in json.loads(broken.stdout)[1]["error"]


def test_routes_and_tasks_are_listed(tmp_path: Path) -> None:
    """Beside functions: a route by methods and path, a task by its name."""
    project = make_project(tmp_path / "project")
    (project / "functions").mkdir()
    (project / "functions" / "one.py").write_text(
        "from bakend import route, task\n@route(['GET', 'PUT'], '/x/<n>')\ndef f(n): pass\n"
        "@task\ndef g(): pass\n"
    )

    listed = bak(project, "functions", "list")

    assert (listed.returncode, listed.stdout.splitlines()) == (
        0,
        [
            "GET,PUT /api/_/x/<n>\tfunctions/one.py:f@GET,PUT /api/_/x/<n>",
            "task\tg",
        ],
    )


def test_a_failed_request_is_listed_and_not_tried_again(tmp_path: Path) -> None:
    """The command says why."""
    project = make_project(tmp_path / "project")
    with temporary_project(folder=project) as opened:
        opened.write_file(
            "functions/one.py",
            "from bakend import route\n@route('GET', '/x')\ndef f():\n    raise ValueError('no')\n",
        )
        opened.load_programs()
        assert opened.client.get("/api/_/x").status_code == 500

    (line,) = bak(project, "functions", "runs", "--status", "failed").stdout.splitlines()
    run_id, *_rest, error = line.split("\t")
    again = bak(project, "functions", "retry", run_id)

    assert error == "ValueError: no"
    assert (again.returncode, again.stderr) == (
        1,
        "What answers a request cannot be tried again\n",
    )


def test_a_check_fails_where_a_file_does_not_load(tmp_path: Path) -> None:
    """For builds: nothing and 0, or each fault once and 78; it makes no database."""
    project = make_project(tmp_path / "project")
    (project / "functions").mkdir()
    (project / "functions" / "one.py").write_text(
        "from bakend import before_create, on_create\n"
        "def f(ctx): pass\non_create('posts', f)\nbefore_create('posts', f)\n"
    )
    fine = bak(project, "functions", "check")
    (project / "functions" / "two.py").write_text(
        "from bakend import before_create\n@before_create('posts')\nasync def f(ctx): pass\n"
    )
    broken = bak(project, "functions", "check")
    as_json = bak(project, "functions", "check", "--json")

    fault = "functions/two.py:2: f must be a plain def: the write waits for it"
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, "", "")
    assert (broken.returncode, broken.stdout, broken.stderr) == (78, "", fault + "\n")
    assert as_json.returncode == 78
    assert json.loads(as_json.stdout) == [{"filePath": "functions/two.py", "error": fault}]
    assert not (project / "bakend.db").exists()


def test_runs_are_listed_and_tried_again(tmp_path: Path) -> None:
    """By the id that the list has."""
    project = make_project(tmp_path / "project")
    with temporary_project(folder=project) as opened:
        opened.write_file(
            "functions/one.py",
            "from bakend import on_register\n@on_register('users', attempts=1)\n"
            "def f(ctx):\n    raise ValueError('no')\n",
        )
        opened.load_programs()
        opened.make_user("ada@example.com")
        opened.run_pending()

    (line,) = bak(project, "functions", "runs").stdout.splitlines()
    run_id, status, attempts, *_rest, error = line.split("\t")
    again = bak(project, "functions", "retry", run_id)
    twice = bak(project, "functions", "retry", run_id)

    assert (status, attempts, error) == ("failed", "1", "ValueError: no")
    assert (again.returncode, again.stdout) == (0, f"{run_id} is tried again\n")
    assert (twice.returncode, twice.stderr) == (1, "The run has not failed, it is waiting\n")
