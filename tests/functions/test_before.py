"""Functions before a write: what they see, what they may do, and what becomes of it when they fail."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from programs import POSTS, SEEN
from werkzeug.test import TestResponse

from bakend.testing import TestProject, temporary_project
from bakend.usercode import workers
from bakend.usercode.runs import Run

from processes import wait_until

HEAD: Final = (
    "from bakend import Reject, before_create, before_update, before_delete, on_create, on_update\n"
)

ITEMS: Final[dict[str, Any]] = {
    "name": "items",
    "fields": [
        {"name": "slug", "type": "string", "unique": True, "regex": "^[a-z]+$"},
        {"name": "note", "type": "string", "required": True},
        {"name": "tags", "type": "json"},
        {"name": "count", "type": "integer"},
        {"name": "post", "type": "relation", "collection": "posts"},
        {"name": "user_id", "type": "string"},
    ],
    "permissions": dict.fromkeys(("create", "read", "update", "delete"), "public"),
}

LOCKED: Final[dict[str, Any]] = {**POSTS, "name": "locked", "permissions": {"create": "admin"}}


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project([POSTS, SEEN, ITEMS, LOCKED]) as opened:
        yield opened


def use(project: TestProject, text: str, name: str = "one") -> None:
    project.write_file(f"functions/{name}.py", HEAD + text)
    project.load_programs()


def post(project: TestProject, **values: object) -> TestResponse:
    return project.client.post("/api/posts", json=values)


def post_item(project: TestProject, **values: object) -> TestResponse:
    return project.client.post("/api/items", json={"note": "x", **values})


def posts(project: TestProject) -> list[str]:
    return [item["title"] for item in project.client.get("/api/posts").get_json()["items"]]


def seen(project: TestProject) -> list[str]:
    with project.app.database.read() as snapshot:
        return [row[0] for row in snapshot.all("SELECT what FROM seen ORDER BY rowid")]


def runs(project: TestProject) -> list[Run]:
    """Return the runs that are kept, oldest first."""
    found, _total = project.app.programs().runs("function", limit=100)
    return found[::-1]


# What they do


def test_a_refusal_is_a_fault_of_the_record(project: TestProject) -> None:
    """400, with the field and the reason; nothing is written, told, or kept as a failure."""
    use(
        project,
        "@before_create('posts')\ndef check(ctx):\n    raise Reject('Only 3', field='number')\n",
    )
    before = project.last_event()

    answer = post(project, title="x")

    assert answer.status_code == 400
    assert answer.get_json()["error"] == {
        "code": "validation_error",
        "message": "Validation failed",
        "details": [{"field": "number", "rule": "rejected", "message": "Only 3"}],
    }
    assert (posts(project), project.last_event(), runs(project)) == ([], before, [])


def test_a_refusal_need_not_name_a_field(project: TestProject) -> None:
    """Its field is "" then: clients take all three for texts."""
    use(project, "@before_create('posts')\ndef check(ctx):\n    raise Reject('No')\n")

    (detail,) = post(project).get_json()["error"]["details"]

    assert detail == {"field": "", "rule": "rejected", "message": "No"}


def test_what_they_change_is_written_and_told(project: TestProject) -> None:
    """Several run in the order of their files, each on what the one before has left."""
    use(project, "@before_create('posts')\ndef b(record):\n    record['title'] += 'b'\n", "b")
    use(
        project,
        "@before_create('posts')\ndef a(ctx):\n"
        "    ctx.record = {**ctx.record, 'title': ctx.record['title'].strip() + 'a', 'number': 1}\n",
        "a",
    )

    made = post(project, title=" x ").get_json()

    assert (made["title"], made["number"]) == ("xab", 1)
    (event,) = project.events(after=project.last_event() - 1)
    assert event.payload == made


def test_they_see_the_record_as_it_will_be(project: TestProject) -> None:
    """Whole, with its id; of a change and a deletion also what there was."""
    use(
        project,
        "def note(ctx):\n    ctx.records.create('seen', {'what': repr((ctx.old, ctx.record))})\n"
        "before_create('posts', note)\nbefore_update('posts', note)\nbefore_delete('posts', note)\n",
    )

    made = post(project, number=1.0).get_json()
    changed = project.client.put(f"/api/posts/{made['id']}", json={"title": "y"}).get_json()
    project.client.delete(f"/api/posts/{made['id']}")

    assert seen(project) == [
        repr((None, made)),
        repr((made, changed)),
        repr((changed, changed)),
    ]


def test_a_change_without_a_known_field_asks_nobody(project: TestProject) -> None:
    """There is no write that it could come before."""
    use(project, "@before_update('posts')\ndef no(ctx):\n    raise Reject('no')\n")
    made = post(project, title="x").get_json()

    assert project.client.put(f"/api/posts/{made['id']}", json={"other": 1}).status_code == 200


def test_who_asks_is_known(project: TestProject) -> None:
    """By email and role; nobody is None."""
    use(
        project,
        "@before_create('posts')\ndef who(ctx):\n"
        "    user = ctx.auth.user\n    ctx.record['title'] = user.email if user else 'nobody'\n",
    )
    headers = project.sign_up("ada@example.com")

    project.client.post("/api/posts", json={}, headers=headers)
    post(project)

    assert sorted(posts(project)) == ["ada@example.com", "nobody"]


def test_they_come_after_the_other_checks(project: TestProject) -> None:
    """Nobody is asked about a record that is not there, or a body that is wrong anyway."""
    use(
        project,
        "def no(ctx):\n    raise ValueError('asked')\n"
        "before_create('posts', no)\nbefore_update('posts', no)\nbefore_create('locked', no)\n",
    )

    assert post(project, title=7).status_code == 400
    assert project.client.put("/api/posts/rec_none", json={"title": "x"}).status_code == 404
    assert project.client.post("/api/locked", json={}).status_code == 401


# What they set is judged


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ctx.record['slug'] = 'A'", ("slug", "regex")),
        ("ctx.record['slug'] = 'taken'", ("slug", "unique")),
        ("ctx.db.execute(\"UPDATE items SET slug = 'mine'\")", ("slug", "unique")),
        ("ctx.record['note'] = None", ("note", "required")),
        ("del ctx.record['note']", ("note", "required")),
        ("ctx.record['note'] = object()", ("note", "type")),
        ("ctx.record['tags'] = [float('nan')]", ("tags", "type")),
        ("ctx.record['count'] = True", ("count", "type")),
        ("ctx.record['post'] = 'rec_none'", ("post", "exists")),
        ("ctx.records.delete('posts', ctx.record['post'])", ("post", "exists")),
    ],
)
def test_what_they_set_is_judged_like_a_body(
    project: TestProject, text: str, fault: tuple[str, str]
) -> None:
    """And so is what was right before they wrote something else."""
    made = post(project, title="x").get_json()
    post_item(project, slug="taken")
    use(
        project,
        "@before_create('items')\ndef f(ctx):\n    if ctx.record['slug'] == 'mine' and"
        f" len(ctx.records.list('items')) == 1:\n        {text}\n",
    )

    answer = post_item(project, slug="mine", count=1, post=made["id"])

    (detail,) = answer.get_json()["error"]["details"]
    assert (answer.status_code, (detail["field"], detail["rule"])) == (400, fault)
    assert len(project.client.get("/api/items").get_json()["items"]) == 1
    assert posts(project) == ["x"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("ctx.record['id'] = 'rec_mine'", 'ctx.record["id"] cannot be changed'),
        ("ctx.record['createdAt'] = ''", 'ctx.record["createdAt"] cannot be changed'),
        ("del ctx.record['updatedAt']", 'ctx.record["updatedAt"] cannot be changed'),
        ("ctx.record['user_id'] = 'usr_1'", 'ctx.record["user_id"] cannot be changed'),
        ("ctx.record['extra'] = 1", '"items" has no such field'),
        ("ctx.record = None", "ctx.record must stay a dict"),
        ("ctx.db.execute('/* x */ COMMIT')", "part of a transaction that others end"),
        ("ctx.db.query('-- x\\nROLLBACK')", "part of a transaction that others end"),
        ("ctx.storage.delete('fil_1')", "cannot be deleted before a write"),
    ],
)
def test_what_they_may_not_do_says_so(project: TestProject, text: str, error: str) -> None:
    """It is the function's fault, not the client's: 500, and a failed run."""
    use(project, f"@before_create('items')\ndef f(ctx):\n    {text}\n")

    assert post_item(project).status_code == 500
    (run,) = runs(project)
    assert error in (run.error or "")
    assert project.client.get("/api/items").get_json()["items"] == []


# All of it is one transaction


def test_what_they_write_happens_with_the_write(project: TestProject) -> None:
    """With its events, in their order; plain SQL as well."""
    use(
        project,
        "@before_create('posts')\ndef f(ctx):\n"
        "    ctx.records.create('seen', {'what': 'made'})\n"
        '    assert ctx.db.execute("INSERT INTO seen (id, created_at, updated_at, what)'
        " VALUES ('rec_1', '', '', 'plain')\") == 1\n"
        "    with ctx.db.transaction() as tx:\n"
        "        assert len(tx.query('SELECT * FROM seen')) == 2\n"
        "        tx.execute(\"UPDATE seen SET what = 'both' WHERE what = 'plain'\")\n"
        "    try:\n"
        "        with ctx.db.transaction() as tx:\n"
        "            tx.execute('DELETE FROM seen')\n"
        "            ctx.records.create('seen', {'what': 'never'})\n"
        "            raise KeyError\n"
        "    except KeyError:\n        pass\n"
        "    assert len(ctx.records.list('seen')) == 2\n",
    )
    before = project.last_event()

    assert post(project, title="x").status_code == 201
    assert seen(project) == ["made", "both"]
    assert [event.type for event in project.events(after=before)] == [
        "seen.created",
        "posts.created",
    ]


def test_what_they_write_is_gone_when_the_write_is(project: TestProject) -> None:
    """Whoever refuses it: a later one, or a fault of what was changed."""
    use(
        project,
        "@before_create('posts')\ndef a(ctx):\n    ctx.records.create('seen', {'what': 'x'})\n"
        "@before_create('posts')\ndef b(ctx):\n    raise Reject('no')\n",
    )
    before = project.last_event()

    assert post(project).status_code == 400
    assert (seen(project), project.last_event()) == ([], before)


def test_one_asks_another_before_its_own_writes(project: TestProject) -> None:
    """A refusal that it bears takes back only what was part of that; else it is its own."""
    use(
        project,
        "@before_create('seen')\ndef deep(ctx):\n"
        "    ctx.db.execute('UPDATE posts SET number = 1')\n    raise Reject('deep')\n"
        "@before_create('posts')\ndef f(ctx):\n"
        "    try:\n        ctx.records.create('seen', {'what': 'x'})\n"
        "    except Reject as error:\n        ctx.record['title'] = str(error)\n"
        "    if ctx.record['number'] == 2:\n        ctx.records.create('seen', {'what': 'x'})\n",
    )

    made = post(project, number=0).get_json()
    again = post(project, number=2)

    assert (made["title"], posts(project), seen(project)) == ("deep", ["deep"], [])
    assert again.get_json()["error"]["details"][0]["message"] == "deep"
    assert project.client.get(f"/api/posts/{made['id']}").get_json()["number"] == 0


def test_those_that_ask_for_each_other_for_ever_are_stopped(project: TestProject) -> None:
    """At the same depth as functions after events."""
    use(
        project,
        "@before_create('posts')\ndef again(ctx):\n    ctx.records.create('posts', {})\n",
    )

    assert post(project).status_code == 500
    assert "17th handler that follows from one change" in (runs(project)[0].error or "")
    assert posts(project) == []


def test_functions_and_jobs_ask_them_as_well(project: TestProject) -> None:
    """`ctx.records` of another handler is no way around."""
    use(
        project,
        "@before_create('seen')\ndef no(ctx):\n    raise Reject('not this')\n"
        "@on_create('posts', attempts=1)\ndef f(ctx):\n"
        "    ctx.records.create('seen', {'what': 'x'})\n",
    )
    post(project)
    project.run_pending()

    assert [run.error for run in runs(project)] == ["Reject: not this"]
    assert seen(project) == []


def test_a_record_that_is_gone_by_then_is_not_there(project: TestProject) -> None:
    """A function that deletes what is being changed or deleted leaves nothing to do."""
    use(
        project,
        "def gone(ctx):\n    ctx.db.execute('DELETE FROM posts')\n"
        "before_update('posts', gone)\nbefore_delete('posts', gone)\n",
    )
    path = f"/api/posts/{post(project, title='x').get_json()['id']}"

    assert project.client.put(path, json={"title": "y"}).status_code == 404
    assert project.client.delete(path).status_code == 404
    assert posts(project) == ["x"]


# Failures


def test_a_failure_is_kept_and_cannot_be_run_again(project: TestProject) -> None:
    """500 without a word of it; the run has the traceback and the lines of the log."""
    use(
        project,
        "@before_create('posts')\ndef f(ctx):\n    ctx.logger.info('begun')\n"
        "    ctx.records.create('seen', {'what': 'x'})\n    raise ValueError('secret')\n",
    )

    answer = post(project)
    (run,) = runs(project)
    again = project.client.post(
        f"/api/admin/functions/runs/{run.id}/retry",
        headers=project.sign_up("root@example.com", role="admin"),
    )

    assert (answer.status_code, answer.get_json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert (run.name, run.status, run.error) == (
        "functions/one.py:f@posts.before_create",
        "failed",
        "ValueError: secret",
    )
    assert run.log.startswith("INFO begun\nTraceback")
    assert "functions/one.py" in run.log
    assert (again.status_code, seen(project)) == (409, [])


def test_a_fault_in_a_record_of_its_own_is_not_the_clients(project: TestProject) -> None:
    """The client did not send that record."""
    use(
        project,
        "@before_create('posts')\ndef f(ctx):\n    ctx.records.create('seen', {'what': 7})\n",
    )

    assert post(project).status_code == 500


def test_a_lambda_that_returns_a_coroutine_has_not_run(project: TestProject) -> None:
    """What no load can see is refused when it comes."""
    use(project, "async def f(ctx):\n    pass\nbefore_create('posts', lambda ctx: f(ctx))\n")

    assert post(project).status_code == 500
    assert "a plain def" in (runs(project)[0].error or "")


def test_a_limit_ends_the_write_whatever_the_thread_does(project: TestProject) -> None:
    """503; others write at once, and what it does later is refused."""
    use(
        project,
        "import threading\nGATE, LATE = threading.Event(), []\n"
        "@before_create('posts', timeout=0.2)\ndef f(ctx):\n"
        "    ctx.records.create('seen', {'what': 'x'})\n"
        "    if ctx.record['title'] == 'stuck':\n"
        "        try:\n            GATE.wait(60)\n"
        "        finally:\n"
        "            try:\n                ctx.db.execute('DELETE FROM posts')\n"
        "            except BaseException as error:\n                LATE.append(error)\n",
    )

    stuck = post(project, title="stuck")
    fine = post(project, title="fine")
    module = project.app.programs()._registry.files[0].names
    module["GATE"].set()

    assert (stuck.status_code, stuck.headers["Retry-After"]) == (503, "1")
    assert (fine.status_code, posts(project), seen(project)) == (201, ["fine"], ["x"])
    assert [run.error for run in runs(project)] == ["took longer than 0.2 s"]
    wait_until(lambda: module["LATE"], 20, what="it has tried")


def test_a_statement_without_an_end_is_broken_off(project: TestProject) -> None:
    """A limit holds inside SQLite, too; the transaction that is lost by that is not gone on with."""
    use(
        project,
        "ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT count(*) FROM n'\n"
        "@before_create('posts', timeout=0.2)\ndef f(ctx):\n"
        "    if ctx.record['title'] == 'read':\n        ctx.db.query(ENDLESS)\n"
        "    if ctx.record['title'] == 'write':\n"
        "        ctx.db.execute(f'UPDATE posts SET number = ({ENDLESS})')\n",
    )
    post(project, title="there")

    assert [post(project, title=each).status_code for each in ("read", "write")] == [503, 503]
    assert (post(project, title="b").status_code, posts(project)) == (201, ["b", "there"])


def test_an_inner_limit_ends_the_inner_write(project: TestProject) -> None:
    """Whoever asked for it may go on."""
    use(
        project,
        "import threading\nGATE = threading.Event()\n"
        "@before_create('seen', timeout=0.1)\ndef inner(ctx):\n"
        "    while not GATE.wait(0.01):\n        pass\n"
        "@before_create('posts')\ndef outer(ctx):\n"
        "    try:\n        ctx.records.create('seen', {'what': 'x'})\n"
        "    except Exception as error:\n        ctx.record['title'] = type(error).__mro__[1].__name__\n",
    )

    assert post(project).get_json()["title"] == "UnavailableError"
    assert seen(project) == []


def test_an_outer_limit_holds_for_what_it_asks(project: TestProject) -> None:
    """Whatever the inner one may take: the writer is free again."""
    use(
        project,
        "import threading\nGATE = threading.Event()\n"
        "@before_create('seen')\ndef inner(ctx):\n    GATE.wait(60)\n"
        "@before_create('posts', timeout=0.2)\ndef outer(ctx):\n"
        "    if ctx.record['title'] == 'stuck':\n        ctx.records.create('seen', {'what': 'x'})\n",
    )

    assert post(project, title="stuck").status_code == 503
    assert post(project, title="fine").status_code == 201
    assert (posts(project), seen(project)) == (["fine"], [])
    project.app.programs()._registry.files[0].names["GATE"].set()


def test_writers_take_turns_around_a_slow_one(project: TestProject) -> None:
    """Longer than `database.busyTimeout`, and none is refused."""
    use(
        project,
        "import time\n@before_create('posts')\ndef f(ctx):\n    time.sleep(0.3)\n",
    )
    project.app.database._queue._patience_s = 0.1
    answers: list[int] = []

    def write() -> None:
        answers.append(
            project.app.wsgi_app().test_client().post("/api/posts", json={}).status_code  # type: ignore[attr-defined]
        )

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [201] * 4


def test_what_sqlite_has_taken_back_is_not_gone_on_with(project: TestProject) -> None:
    """However little a function cares: outside of the transaction each statement would count."""
    use(
        project,
        "@before_create('posts')\ndef f(ctx):\n"
        "    seen = ctx.records.create('seen', {'what': 'x'})\n"
        "    for _ in range(2):\n        try:\n"
        "            ctx.db.execute('INSERT OR ROLLBACK INTO seen (id, created_at, updated_at)'\n"
        "                ' VALUES (?, \"\", \"\")'.replace('\"', \"'\"), (seen['id'],))\n"
        "        except Exception as error:\n            ctx.logger.info('%s', error)\n",
    )

    assert post(project, title="x").status_code == 500
    assert (posts(project), seen(project)) == ([], [])
    assert "The transaction has ended" in runs(project)[0].log


def test_threads_that_hang_are_not_made_without_end(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once there are many, writes are refused at once, until they have ended."""
    monkeypatch.setattr(workers, "GRACE_S", 0.05)
    monkeypatch.setattr(project.app.programs().before._workers, "_count", 2)
    use(
        project,
        "import threading\nGATE = threading.Event()\n"
        "@before_create('posts', timeout=0.1)\ndef f(ctx):\n    GATE.wait(60)\n",
    )
    before = project.app.programs().before

    hung = [post(project).get_json()["error"]["message"] for _ in range(2)]
    wait_until(lambda: len(before.given_up) == 2, 20, what="both are given up")
    refused = post(project).get_json()["error"]["message"]
    project.app.programs()._registry.files[0].names["GATE"].set()
    wait_until(lambda: before._workers.left_behind() == 0, 20, what="both have ended")

    assert hung == ['A check before the create in "posts" took too long'] * 2
    assert refused.endswith("functions before writes do not end")
    assert post(project).status_code == 201


# Loading


@pytest.mark.parametrize("text", ["async def f(ctx): pass", "def f(ctx): yield"])
def test_one_that_would_not_run_to_its_end_is_not_loaded(project: TestProject, text: str) -> None:
    """The sentence has the line."""
    use(project, f"@before_create('posts')\n{text}\n")

    (item,) = project.app.programs().functions()
    assert item["error"] == "functions/one.py:2: f must be a plain def: the write waits for it"


def test_they_are_listed(project: TestProject) -> None:
    """With the keys of all functions."""
    use(project, "@before_delete('posts')\ndef f(ctx): pass\n")

    assert project.app.programs().functions() == [
        {
            "name": "functions/one.py:f@posts.before_delete",
            "collection": "posts",
            "type": "before_delete",
            "eventType": "posts.before_delete",
            "filePath": "functions/one.py",
            "error": None,
            "givenUp": 0,
        }
    ]


GUARD: Final = "@before_create('posts')\ndef f(ctx):\n    ctx.record['title'] = 'checked'\n"


def restarted(folder: Path, text: str | None) -> tuple[int, int, str]:
    """Return what a write and a read get after a start with this file, and the write's message."""
    file = folder / "functions" / "one.py"
    if text is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(exist_ok=True)
        file.write_text(HEAD + text)
    with temporary_project([POSTS, SEEN], folder=folder) as project:
        project.load_programs()
        answer = post(project)
        body = answer.get_json()
        message = body["error"]["message"] if answer.status_code >= 400 else body["title"]
        return answer.status_code, project.client.get("/api/posts").status_code, message or ""


def test_a_file_that_breaks_does_not_open_its_door(tmp_path: Path) -> None:
    """Until it loads again, or is gone."""
    shut = (503, 200, 'Writes to "posts" wait until functions/one.py loads')

    assert restarted(tmp_path, GUARD) == (201, 200, "checked")
    assert restarted(tmp_path, "broken(") == shut
    assert restarted(tmp_path, "import nowhere_to_be_found\n") == shut
    assert restarted(tmp_path, GUARD) == (201, 200, "checked")
    assert restarted(tmp_path, "broken(") == shut
    assert restarted(tmp_path, None) == (201, 200, "")
    assert restarted(tmp_path, "broken(") == (201, 200, "")  # nobody knows what it would guard


def test_a_file_that_breaks_while_it_runs_goes_on(project: TestProject) -> None:
    """What it asked for before is still asked; another collection was never its business."""
    use(project, GUARD)
    project.write_file("functions/one.py", "broken(")
    project.app.programs().reload()

    assert post(project).get_json()["title"] == "checked"
    project.write_file("functions/one.py", HEAD)
    project.app.programs().reload()
    assert post(project).get_json()["title"] is None


def test_each_process_asks_them(tmp_path: Path) -> None:
    """Not only the one that runs functions after events."""
    with (
        temporary_project([POSTS, SEEN], folder=tmp_path) as first,
        temporary_project([POSTS, SEEN], folder=tmp_path) as second,
    ):
        use(first, GUARD)
        second.load_programs()
        assert [post(each).get_json()["title"] for each in (first, second)] == ["checked"] * 2


def test_a_trim_is_not_held_up_by_them(project: TestProject) -> None:
    """They have no place in the log."""
    use(project, GUARD)
    with project.app.database.read() as snapshot:
        assert not project.app.event_log.is_reader(snapshot, "functions")


def test_the_end_of_an_account_asks_nobody(project: TestProject) -> None:
    """No function keeps somebody's data from going."""
    use(project, "@before_delete('items')\ndef no(ctx):\n    raise Reject('no')\n")
    user = project.make_user("ada@example.com")
    project.client.post("/api/items", json={"note": "x"}, headers=project.log_in(user.email))
    from bakend.events.event import OPERATOR

    project.app.accounts.delete(user.id, OPERATOR, data="delete")

    assert project.client.get("/api/items").get_json()["items"] == []
