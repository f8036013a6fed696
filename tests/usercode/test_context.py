"""What handlers are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from programs import POSTS, SEEN

from bakend.testing import TestProject, temporary_project
from bakend.usercode.context import bound

HEAD = "from bakend import on_create, on_delete, on_update, on_login, on_event\n"


@pytest.fixture
def project() -> Iterator[TestProject]:
    with temporary_project([POSTS, SEEN]) as opened:
        yield opened


def use(project: TestProject, text: str) -> None:
    project.write_file("functions/one.py", HEAD + text)
    project.load_programs()


def post(project: TestProject, title: str = "a") -> dict[str, Any]:
    answer = project.client.post("/api/posts", json={"title": title})
    assert answer.status_code == 201
    made: dict[str, Any] = answer.get_json()
    return made


def seen(project: TestProject) -> list[str]:
    """Return what functions have noted, oldest first."""
    with project.app.database.read() as snapshot:
        return [row[0] for row in snapshot.all("SELECT what FROM seen ORDER BY rowid")]


def failures(project: TestProject) -> list[str]:
    runs, _total = project.app.programs().runs("function", limit=100)
    return [run.error or "" for run in runs]


def test_parts_are_given_by_name(project: TestProject) -> None:
    """Or all of them as `ctx`."""
    use(
        project,
        "@on_create('posts')\ndef one(record, records, *, event):\n"
        "    records.create('seen', {'what': record['title'] + event.type})\n"
        "@on_create('posts')\ndef two(context):\n"
        "    context.records.create('seen', {'what': context.record['title']})\n",
    )
    post(project)
    project.run_pending()

    assert sorted(seen(project)) == ["a", "aposts.created"]


def test_what_there_is_not_cannot_be_asked_for() -> None:
    """And the sentence says what there is."""
    with pytest.raises(TypeError, match="asks for records_of, nothing; there are ctx, auth, db"):
        bound(lambda records_of, nothing: (records_of, nothing))


def test_a_coroutine_runs_to_its_end(project: TestProject) -> None:
    """`async def` is a handler like any other."""
    use(
        project,
        "import asyncio\n@on_create('posts')\nasync def one(ctx):\n    await asyncio.sleep(0)\n"
        "    ctx.records.create('seen', {'what': 'x'})\n",
    )
    post(project)
    project.run_pending()

    assert seen(project) == ["x"]


def test_a_record_is_a_copy(project: TestProject) -> None:
    """What one handler does to it, no other one sees."""
    use(
        project,
        "@on_create('posts')\ndef one(ctx):\n"
        "    ctx.record['title'] = ctx.event.payload['title'] = 'changed'\n"
        "@on_create('posts')\ndef two(ctx):\n"
        "    ctx.records.create('seen', {'what': ctx.record['title']})\n",
    )
    made = post(project)
    project.run_pending()

    assert seen(project) == ["a"]
    assert project.client.get(f"/api/posts/{made['id']}").get_json()["title"] == "a"


def test_what_was_before_is_there(project: TestProject) -> None:
    """Of a change and of a deletion."""
    use(
        project,
        "def note(ctx):\n    ctx.records.create('seen', {'what': ctx.old['title']})\n"
        "on_update('posts', note)\non_delete('posts', note)\n",
    )
    made = post(project, "first")
    project.client.put(f"/api/posts/{made['id']}", json={"title": "second"})
    project.client.delete(f"/api/posts/{made['id']}")
    project.run_pending()

    assert sorted(seen(project)) == ["first", "second"]


def test_who_acted_is_known(project: TestProject) -> None:
    """Who logged in, who created a record, and nobody."""
    use(
        project,
        "def note(ctx):\n    user = ctx.auth.user\n"
        "    ctx.records.create('seen', {'what': user.email if user else 'nobody'})\n"
        "on_create('posts', note)\non_login('users', note)\n",
    )
    headers = project.sign_up("ada@example.com")
    project.client.post("/api/posts", json={"title": "x"}, headers=headers)
    post(project)
    project.run_pending()

    assert sorted(seen(project)) == ["ada@example.com", "ada@example.com", "nobody"]


def test_records_are_validated_and_have_events(project: TestProject) -> None:
    """The event names who caused it, and how deep it is; it is no act of an administrator."""
    use(
        project,
        "@on_create('posts')\ndef one(ctx):\n"
        "    made = ctx.records.create('seen', {'what': 'x'})\n"
        "    ctx.records.update('seen', made['id'], {'what': 'y'})\n"
        "    assert ctx.records.get('seen', made['id'])['what'] == 'y'\n"
        "    assert ctx.records.get('seen', 'rec_none') is None\n"
        "    assert len(ctx.records.list('seen')) == ctx.records.page('seen').total == 1\n"
        "    ctx.records.delete('seen', made['id'])\n"
        "    ctx.records.create('seen', {'what': 7})\n",
    )
    headers = project.sign_up("ada@example.com")
    before = project.last_event()
    project.client.post("/api/posts", json={"title": "x"}, headers=headers)
    project.run_pending()

    events = project.events(after=before)
    assert [(event.type, event.depth, event.by_admin) for event in events] == [
        ("posts.created", 0, False),
        ("seen.created", 1, False),
        ("seen.updated", 1, False),
        ("seen.deleted", 1, False),
    ]
    assert len({event.actor for event in events}) == 1
    assert events[0].actor is not None
    assert failures(project) == ["ValidationError: Validation failed"]


def test_functions_that_follow_each_other_for_ever_are_stopped(project: TestProject) -> None:
    """At the depth limit a write is refused, and the run fails."""
    use(
        project,
        "@on_create('posts', attempts=1)\ndef again(ctx):\n"
        "    ctx.records.create('posts', {'title': 'again'})\n",
    )
    post(project)
    project.run_pending()

    assert len(project.client.get("/api/posts").get_json()["items"]) == 17
    (failure,) = failures(project)
    assert "17th handler that follows from one change" in failure


def test_plain_sql_reads_and_writes_without_events(project: TestProject) -> None:
    """One statement, or several that happen together."""
    use(
        project,
        "@on_create('posts', attempts=1)\ndef one(ctx):\n"
        "    assert ctx.db.query('SELECT title FROM posts') == [{'title': 'a'}]\n"
        "    assert ctx.db.execute('UPDATE posts SET title = ?', ('b',)) == 1\n"
        "    with ctx.db.transaction() as tx:\n"
        "        tx.execute('UPDATE posts SET title = ?', ('c',))\n"
        "        assert tx.query('SELECT title FROM posts') == [{'title': 'c'}]\n"
        "    with ctx.db.transaction() as tx:\n"
        "        tx.execute('UPDATE posts SET title = ?', ('d',))\n"
        "        raise ValueError('rolled back')\n",
    )
    post(project)
    before = project.last_event()
    project.run_pending()

    assert project.client.get("/api/posts").get_json()["items"][0]["title"] == "c"
    assert failures(project) == ["ValueError: rolled back"]
    assert project.last_event() == before


def test_a_transaction_is_not_held_beyond_the_limit(project: TestProject) -> None:
    """Whatever its thread does, other writers go on."""
    use(
        project,
        "import threading\nGATE = threading.Event()\n"
        "@on_create('posts', attempts=1, timeout=0.2)\ndef one(ctx):\n"
        "    with ctx.db.transaction() as tx:\n"
        "        tx.execute('UPDATE posts SET title = ?', ('late',))\n"
        "        GATE.wait(1)\n",
    )
    post(project)
    project.run_pending()

    assert project.client.post("/api/posts", json={"title": "b"}).status_code == 201
    titles = {item["title"] for item in project.client.get("/api/posts").get_json()["items"]}
    assert titles == {"a", "b"}


def test_a_missing_secret_says_where_it_belongs(project: TestProject) -> None:
    """And one that is there is given."""
    use(
        project,
        "@on_create('posts', attempts=1)\ndef one(ctx):\n    ctx.secrets['MAIL_KEY']\n",
    )
    post(project)
    project.run_pending()

    (failure,) = failures(project)
    assert "put MAIL_KEY=… into .env beside bakend.json" in failure


def test_lines_of_the_log_are_kept_with_a_failed_run(project: TestProject) -> None:
    """With the place where it failed."""
    use(
        project,
        "@on_create('posts')\ndef one(ctx):\n    ctx.logger.info('title %s', ctx.record['title'])\n"
        "    ctx.logger.warn('%d', 'no number')\n    raise ValueError('x')\n",
    )
    post(project)
    project.run_pending()

    (run,), _total = project.app.programs().runs("function", limit=1)
    assert run.log.startswith("INFO title a\nWARN %d ('no number',)\nTraceback")
    assert "functions/one.py" in run.log


def test_files_can_be_read_and_deleted(project: TestProject) -> None:
    """By their ids."""
    use(
        project,
        "@on_event('storage.uploaded')\ndef one(ctx):\n"
        "    file = ctx.storage.get(ctx.record['id'])\n"
        "    ctx.records.create('seen', {'what': ctx.storage.read(file['id']).decode()})\n"
        "    assert ctx.storage.delete(file['id'])\n"
        "    assert not ctx.storage.delete(file['id']) and ctx.storage.get(file['id']) is None\n",
    )
    headers = project.sign_up("ada@example.com")
    from io import BytesIO

    answer = project.client.post(
        "/api/storage/upload", data={"file": (BytesIO(b"hello"), "a.txt")}, headers=headers
    )
    assert answer.status_code == 201
    project.run_pending()

    assert seen(project) == ["hello"]
    assert failures(project) == []
