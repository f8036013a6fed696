"""Tasks: asked for in a transaction, run behind it, again if they fail."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import POSTS, SEEN

from bakend.events.event import OPERATOR
from bakend.testing import FakeClock, TestProject, temporary_project
from bakend.usercode.runs import Run

from processes import bak, make_project

TASKS = """
from datetime import datetime
from bakend import on_create, route, task

@task
def note(records, what, more=""):
    records.create("seen", {"what": what + more})

@task(name="flaky", attempts=3, timeout=30)
async def fails(ctx, n):
    ctx.logger.info("try %d", n)
    raise ValueError("no")

@task
def whose(ctx, **words):
    user = ctx.auth.user
    ctx.records.create("seen", {"what": f"{user and user.email} {words}"})

def plain(): ...
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project([POSTS, SEEN], clock=clock) as opened:
        yield opened


def seen(project: TestProject) -> list[str]:
    with project.app.database.read() as snapshot:
        return [row[0] for row in snapshot.all("SELECT what FROM seen ORDER BY rowid")]


def runs(project: TestProject) -> list[Run]:
    return project.app.programs().runs("function", limit=100)[0][::-1]


def use(project: TestProject, route: str, more: str = "") -> None:
    """Let `POST /api/_/do` run some lines in which `ctx` is there."""
    lines = "".join(f"    {line}\n" for line in route.splitlines())
    text = f"{TASKS}{more}\n@route('POST', '/do')\ndef do(ctx):\n{lines}"
    project.write_file("functions/one.py", text)
    project.load_programs()


def do(project: TestProject, **headers: str) -> object:
    answer = project.client.post("/api/_/do", headers=headers)
    assert answer.status_code in (200, 204), answer.get_data(as_text=True)
    return answer.get_json(silent=True)


def test_a_task_runs_in_the_background(project: TestProject) -> None:
    """By its function or its name, after the answer; the run has an id, and what it was given."""
    use(project, "return [ctx.enqueue(note, what='a'), ctx.enqueue('note', what='b', more='c')]")

    ids = do(project)
    assert seen(project) == []
    project.run_pending()

    assert sorted(seen(project)) == ["a", "bc"]
    assert [run.id for run in runs(project)] == ids
    assert [run.args for run in runs(project)] == [{"what": "a"}, {"what": "b", "more": "c"}]
    assert {(run.kind, run.name, run.status, run.attempts) for run in runs(project)} == {
        ("task", "note", "completed", 1)
    }


def test_a_task_acts_in_the_name_of_who_asked(project: TestProject, clock: FakeClock) -> None:
    """Also hours later, through a function in between, and with arguments of any name."""
    use(
        project,
        "ctx.records.create('posts', {})",
        "@on_create('posts')\ndef hook(enqueue):\n"
        "    enqueue.after(3600, whose, record=1, task=2, seconds=3)\n",
    )
    do(project, **project.sign_up("ada@example.com"))
    project.run_pending()
    clock.advance(3601)
    before = project.last_event()
    project.run_pending()

    assert seen(project) == ["ada@example.com {'record': 1, 'task': 2, 'seconds': 3}"]
    (event,) = project.events(after=before)
    assert event.depth == 2


def test_a_task_comes_with_the_transaction_or_not_at_all(project: TestProject) -> None:
    """Asked for by the transaction, or by `ctx` inside of it."""
    use(
        project,
        "with ctx.db.transaction() as tx:\n"
        "    tx.enqueue(note, what='tx')\n    ctx.enqueue(note, what='ctx')\n"
        "    inside = tx.query('SELECT count(*) AS n FROM _runs')[0]['n']\n"
        "outside = ctx.db.query('SELECT count(*) AS n FROM _runs')[0]['n']\n"
        "try:\n"
        "    with ctx.db.transaction() as tx:\n"
        "        tx.enqueue.after(0, note, what='lost')\n        ctx.enqueue(note, what='lost')\n"
        "        raise LookupError\n"
        "except LookupError:\n    pass\n"
        "ctx.enqueue(note, what='after')\n"
        "return [inside, outside]",
    )

    assert do(project) == [2, 2]
    project.run_pending()
    assert sorted(seen(project)) == ["after", "ctx", "tx"]


def test_a_task_comes_with_the_write_that_it_was_asked_for_before(project: TestProject) -> None:
    """Or not at all, where the write is refused; also in a part of it that is undone."""
    use(
        project,
        "pass",
        "from bakend import Reject, before_create\n"
        "@before_create('posts')\ndef check(ctx, enqueue):\n"
        "    enqueue(whose, title=ctx.record['title'])\n"
        "    try:\n"
        "        with ctx.db.transaction() as tx:\n"
        "            tx.enqueue(note, what='undone')\n            raise LookupError\n"
        "    except LookupError:\n        pass\n"
        "    with ctx.db.transaction() as tx:\n        tx.enqueue(note, what='part')\n"
        "    if ctx.record['title'] == 'bad':\n        raise Reject('No')\n",
    )
    ada = project.sign_up("ada@example.com")
    for title, status in (("bad", 400), ("good", 201)):
        answer = project.client.post("/api/posts", json={"title": title}, headers=ada)
        assert answer.status_code == status
    project.run_pending()

    assert sorted(seen(project)) == ["ada@example.com {'title': 'good'}", "part"]


def test_a_task_waits_for_its_time(project: TestProject, clock: FakeClock) -> None:
    """Some seconds, or a moment; one that has passed is now."""
    use(
        project,
        "from datetime import timedelta\n"
        "ctx.enqueue.at(ctx.now - timedelta(days=1), note, what='now')\n"
        "ctx.enqueue.after(10, note, what='soon')\n"
        "ctx.enqueue.at(ctx.now + timedelta(minutes=1), note, what='later')\n",
    )
    do(project)
    for advance_s, there in ((0, ["now"]), (9, ["now"]), (2, ["now", "soon"])):
        clock.advance(advance_s)
        project.run_pending()
        assert seen(project) == there
    clock.advance(60)
    project.run_pending()
    assert seen(project) == ["now", "soon", "later"]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("ctx.enqueue(note)", "TypeError: Task note (functions/one.py:5) needs what"),
        (
            "ctx.enqueue(note, what='', cc=1)",
            "TypeError: Task note (functions/one.py:5) takes no cc",
        ),
        (
            "ctx.enqueue(note, what={1})",
            "TypeError: Task note: what is not JSON: Object of type set",
        ),
        ("ctx.enqueue(note, what=float('inf'))", "TypeError: Task note: what is not JSON"),
        ("ctx.enqueue(note, what='\\ud800')", "TypeError: Task note: what is not JSON"),
        (
            "ctx.enqueue(whose, at=ctx.now)",
            "TypeError: Task whose: at is not JSON: Object of type da",
        ),
        ("ctx.enqueue(plain)", "is no task: put @task above it"),
        ("ctx.enqueue(7)", "TypeError: 7 is no task"),
        ("ctx.enqueue('nope')", 'ValueError: There is no task "nope"'),
        ("ctx.enqueue('fails', n=1)", 'ValueError: There is no task "fails"'),
        ("ctx.enqueue.after(-1, note, what='')", "ValueError: A task can run after some seconds"),
        ("ctx.enqueue.after(float('nan'), note, what='')", "ValueError: A task can run after some"),
        ("ctx.enqueue.after(1e300, note, what='')", "ValueError: A task cannot run after"),
        (
            "ctx.enqueue.at(5, note, what='')",
            "ValueError: A task runs at a datetime with a timezone",
        ),
        ("ctx.enqueue.at(datetime.now(), note, what='')", "ValueError: A task runs at a datetime"),
    ],
)
def test_what_cannot_run_is_refused_when_it_is_asked_for(
    project: TestProject, line: str, error: str
) -> None:
    """Where the mistake is, and not hours later; nothing is written."""
    use(
        project,
        f"try:\n    {line}\nexcept Exception as e:\n    return f'{{type(e).__name__}}: {{e}}'",
    )

    assert error in str(do(project))
    assert runs(project) == []


def test_a_task_that_fails_is_tried_again(project: TestProject, clock: FakeClock) -> None:
    """After 1 and 5 seconds, and then it has failed, until somebody asks for it anew."""
    use(project, "ctx.enqueue(fails, n=1)\nctx.enqueue(note, what='fine')")
    do(project)
    for attempts, advance_s in ((1, 1.1), (2, 5.1), (3, 500)):
        project.run_pending()
        failing = runs(project)[0]
        assert failing.attempts == attempts
        clock.advance(advance_s)
    project.run_pending()

    failed = runs(project)[0]
    assert (failed.status, failed.error, failed.attempts) == ("failed", "ValueError: no", 3)
    assert "INFO try 1" in failed.log
    assert seen(project) == ["fine"]
    project.app.programs().retry(failed.id)
    project.run_pending()
    assert (runs(project)[0].status, runs(project)[0].attempts) == ("waiting", 1)


def test_a_task_survives_a_reload(project: TestProject) -> None:
    """It is known by its name, whichever load its function is of; others' functions find it too."""
    use(project, "ctx.enqueue.after(0, note, what='old')")
    project.write_file(
        "jobs/tell.py",
        "from bakend import job\nfrom ..functions.one import note\n"
        "@job('0 0 1 1 *')\ndef tell(ctx): ctx.enqueue(note, what='job')\n",
    )
    do(project)
    project.app.programs().reload()
    project.app.programs().request("tell")
    project.run_pending()

    assert sorted(seen(project)) == ["job", "old"]


def test_a_task_may_stand_beside_jobs(project: TestProject) -> None:
    """A file with tasks alone needs no schedule; names are taken once in both folders."""
    project.write_file("jobs/a.py", "from bakend import task\n@task\ndef note(what): ...\n")
    use(project, "pass")
    project.write_file("jobs/b.py", "from bakend import task\n@task\ndef other(): ...\n")
    programs = project.app.programs()
    programs.reload()

    assert [(each["name"], each["filePath"]) for each in programs.functions()][-1] == (
        "other",
        "jobs/b.py",
    )
    assert [each["error"] for each in programs.jobs()] == [
        'jobs/a.py:2: "note" is a task of functions/one.py:5 already: give it another name'
    ]
    assert {each["eventType"] for each in programs.functions() if each["type"] == "task"} == {
        "task"
    }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("@task\ndef f(a, /): ...", "functions/a.py:2: f asks for parameters without a name"),
        ("@task(name='a b')\ndef f(): ...", 'functions/a.py:2: "a b" cannot be the name of a task'),
        ("@task(attempts=0)\ndef f(): ...", "functions/a.py:2: ValueError: attempts must be"),
        (
            "@task\ndef f(): ...\n@task(name='f')\ndef g(): ...",
            'functions/a.py:4: "f" is a task of functions/a.py:2 already: give it another name',
        ),
    ],
)
def test_what_cannot_be_a_task_is_reported_with_its_line(
    project: TestProject, text: str, error: str
) -> None:
    """The file is not loaded, and the list says why."""
    project.write_file("functions/a.py", f"from bakend import task\n{text}\n")
    project.load_programs()

    (item,) = project.app.programs().functions()
    assert item["error"].startswith(error)


def test_a_task_whose_function_is_gone_waits(
    project: TestProject, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Which is told once; with the function comes its run."""
    use(project, "ctx.enqueue.after(10, note, what='x')")
    do(project)
    (project.folder / "functions" / "one.py").unlink()
    with caplog.at_level(logging.WARNING):
        project.load_programs()
        project.load_programs()
    clock.advance(11)
    project.run_pending()

    assert caplog.text.count("Task note waits: no file has a function of that name") == 1
    assert [run.status for run in runs(project)] == ["waiting"]
    use(project, "pass")
    project.run_pending()
    assert seen(project) == ["x"]


def test_a_task_whose_function_takes_other_words_now_fails(
    project: TestProject, clock: FakeClock
) -> None:
    """And says which."""
    use(project, "ctx.enqueue.after(10, note, what='x')")
    do(project)
    project.write_file(
        "functions/one.py", "from bakend import task\n@task(attempts=1)\ndef note(who): ..."
    )
    project.load_programs()
    clock.advance(11)
    project.run_pending()

    (run,) = runs(project)
    assert run.status == "failed"
    assert "functions/one.py:2 needs who" in str(run.error)


def test_tasks_may_follow_from_each_other_without_end(
    project: TestProject, clock: FakeClock
) -> None:
    """One that asks for itself is no mistake; writes of it are as deep as those of the first."""
    use(
        project,
        "ctx.enqueue(chain, left=30)",
        "@task\ndef chain(ctx, left):\n"
        "    if left:\n        ctx.enqueue.after(60, chain, left=left - 1)\n"
        "    else:\n        ctx.records.create('seen', {'what': 'end'})\n",
    )
    do(project)
    for _ in range(31):
        project.run_pending()
        clock.advance(61)

    assert seen(project) == ["end"]


def test_of_a_deleted_user_no_words_are_kept(project: TestProject, clock: FakeClock) -> None:
    """In tasks that have ended; one that waits still runs, in nobody's name."""
    use(project, "ctx.enqueue(whose, mail='ada')\nctx.enqueue.after(60, whose, mail='wait')")
    ada = project.make_user("ada@example.com")
    do(project, **project.log_in("ada@example.com"))
    project.run_pending()
    project.app.accounts.delete(ada.id, OPERATOR)
    clock.advance(61)
    project.run_pending()

    assert runs(project)[0].args == {}
    assert seen(project)[-1] == "None {'mail': 'wait'}"


def test_a_database_of_schema_6_keeps_its_runs(tmp_path: Path) -> None:
    """They are listed before the migration, and after it; what waits is run."""
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        project.write_file(
            "functions/one.py",
            "from bakend import on_create\n@on_create('posts', attempts=1)\n"
            "def f(ctx):\n    if ctx.record['number'] == 1: raise ValueError('no')\n"
            "    ctx.records.create('seen', {'what': 'again'})\n",
        )
        project.load_programs()
        project.client.post("/api/posts", json={"number": 1})
        project.run_pending()
        (failed,) = runs(project)
    old = sqlite3.connect(tmp_path / "bakend.db")
    old.execute("DROP INDEX _runs_ended")
    for column in ("args", "actor", "depth"):
        old.execute(f"ALTER TABLE _runs DROP COLUMN {column}")
    event = json.loads(old.execute("SELECT event FROM _runs").fetchone()[0])
    event["payload"]["number"] = 2
    old.execute("UPDATE _runs SET event = ?", (json.dumps(event),))
    old.execute("UPDATE _bakend_meta SET value = '6' WHERE key = 'schema_version'")
    old.commit()
    old.close()

    listed = bak(make_project(tmp_path), "functions", "runs", "--json")
    assert [each["runId"] for each in json.loads(listed.stdout)] == [failed.id]
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        (kept,) = runs(project)
        assert (kept.id, kept.status, kept.args) == (failed.id, "failed", None)
        project.app.programs().retry(kept.id)
        project.load_programs()
        project.run_pending()
        assert seen(project) == ["again"]
    assert len(list((tmp_path / "backups").glob("bakend-before-schema-7-*.db"))) == 1
