"""Events reach functions: each at least once, those of a record in order, whatever fails."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import NOTE, POSTS, SEEN

from bakend.events.event import Draft
from bakend.events.log import TRIM_EVERY
from bakend.functions.attempts import Ended
from bakend.functions.engine import CRASHES_MAX
from bakend.functions.places import READER
from bakend.testing import FakeClock, TestProject, temporary_project
from bakend.usercode import runs as kept_runs
from bakend.usercode.runs import Run
from bakend.usercode.workers import Outcome

NOTE_ALL = NOTE.replace('on_create("posts")', 'on_event("posts.*")').replace(
    "on_create", "on_event"
)

FAILS = """
from bakend import on_create, on_update
from pathlib import Path

def note(ctx):
    if Path(__file__).with_name("stop").exists():
        raise ValueError("stopped")
    ctx.records.create("seen", {"what": ctx.record["title"]})

on_create("posts", note)
"""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def project(clock: FakeClock) -> Iterator[TestProject]:
    with temporary_project([POSTS, SEEN], clock=clock) as opened:
        yield opened


def post(project: TestProject, *titles: str) -> list[str]:
    ids = []
    for title in titles:
        answer = project.client.post("/api/posts", json={"title": title})
        assert answer.status_code == 201
        ids.append(answer.get_json()["id"])
    return ids


def seen(project: TestProject) -> list[str]:
    with project.app.database.read() as snapshot:
        return [row[0] for row in snapshot.all("SELECT what FROM seen ORDER BY rowid")]


def runs(project: TestProject, *, limit: int = 100) -> list[Run]:
    """Return the runs that are kept, oldest first."""
    found, _total = project.app.programs().runs("function", limit=limit)
    return found[::-1]


def use(project: TestProject, text: str) -> None:
    project.write_file("functions/one.py", text)
    project.load_programs()


def kept(project: TestProject) -> dict[str, int]:
    with project.app.database.read() as snapshot:
        return {row["name"]: row["seq"] for row in snapshot.all("SELECT * FROM _functions")}


def test_a_function_begins_with_what_comes_after_it(project: TestProject) -> None:
    """Not with the whole past."""
    post(project, "before")
    use(project, NOTE)
    post(project, "after")
    project.run_pending()

    assert seen(project) == ["after"]


def test_what_happened_while_no_server_ran_is_made_up_for(tmp_path: Path) -> None:
    """The place in the log is kept."""
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        use(project, NOTE)
        post(project, "one")
        project.run_pending()
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        post(project, "two")
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        project.load_programs()
        project.run_pending()
        assert seen(project) == ["one", "two"]


def test_a_refused_write_runs_nothing(project: TestProject) -> None:
    """There is no event without a commit."""
    use(project, NOTE)
    assert project.client.post("/api/posts", json={"title": 7}).status_code == 400
    project.run_pending()

    assert seen(project) == []


def test_events_of_a_record_come_in_order(project: TestProject) -> None:
    """With several workers, and handlers that take longer the earlier they are."""
    use(
        project,
        "from bakend import on_event\nimport threading\n"
        "@on_event('posts.*')\ndef note(ctx):\n"
        "    threading.Event().wait(0.02 / (1 + (ctx.record['number'] or 0)))\n"
        "    ctx.records.create('seen', {'what': f\"{ctx.event.subject} {ctx.record['number'] or 0}\"})\n",
    )
    ids = post(project, "a", "b", "c")
    for number in range(1, 6):
        for each in ids:
            project.client.put(f"/api/posts/{each}", json={"number": number})
    project.run_pending()

    for each in ids:
        mine = [what.split()[1] for what in seen(project) if what.startswith(each)]
        assert mine == ["0", "1", "2", "3", "4", "5"]


def test_a_failing_event_is_tried_again_and_the_rest_goes_on(
    project: TestProject, clock: FakeClock
) -> None:
    """After 1, 5, 25 and 125 seconds, and then it has failed."""
    use(
        project,
        "from bakend import on_create\n@on_create('posts')\ndef note(ctx):\n"
        "    ctx.records.create('seen', {'what': ctx.record['title']})\n"
        "    if ctx.record['title'] == 'bad':\n        raise ValueError('no')\n",
    )
    post(project, "bad", "good")
    project.run_pending()
    assert sorted(seen(project)) == ["bad", "good"]

    for pause_s, attempts in ((1, 2), (5, 3), (25, 4), (125, 5)):
        clock.advance(pause_s - 0.1)
        project.run_pending()
        assert [run.attempts for run in runs(project)] == [attempts - 1]
        clock.advance(0.2)
        project.run_pending()
        assert [run.attempts for run in runs(project)] == [attempts]

    (run,) = runs(project)
    assert (run.status, run.error) == ("failed", "ValueError: no")
    assert seen(project).count("bad") == 5


def test_later_events_of_a_record_wait_behind_one_that_fails(
    project: TestProject, clock: FakeClock
) -> None:
    """And come in their order once it has got through; other records are not held up."""
    use(project, FAILS + "on_update('posts', note)\n".replace("note", "note"))
    project.write_file(
        "functions/one.py",
        FAILS.replace(
            'on_create("posts", note)', "from bakend import on_event\non_event('posts.*', note)"
        ),
    )
    project.load_programs()
    project.write_file("functions/stop", "")
    (held,) = post(project, "1")
    project.run_pending()
    (project.folder / "functions" / "stop").unlink()
    project.client.put(f"/api/posts/{held}", json={"title": "2"})
    project.client.put(f"/api/posts/{held}", json={"title": "3"})
    post(project, "other")
    project.run_pending()
    assert seen(project) == ["other"]

    clock.advance(1.5)
    project.run_pending()

    assert seen(project) == ["other", "1", "2", "3"]
    assert {run.status for run in runs(project)} == {"completed"}
    project.client.put(f"/api/posts/{held}", json={"title": "4"})
    project.run_pending()
    assert seen(project)[-1] == "4"
    assert len(runs(project)) == 3


def test_a_failed_run_is_tried_again_when_asked(project: TestProject) -> None:
    """From its first attempt on."""
    use(project, FAILS.replace('"posts", note', '"posts", note, attempts=1'))
    project.write_file("functions/stop", "")
    post(project, "x")
    project.run_pending()
    (failed,) = runs(project)
    (project.folder / "functions" / "stop").unlink()

    project.app.programs().retry(failed.id)
    project.run_pending()

    assert failed.status == "failed"
    assert (runs(project)[0].status, seen(project)) == ("completed", ["x"])


def test_a_place_is_kept_while_a_file_does_not_load(tmp_path: Path) -> None:
    """What happens meanwhile is made up for."""
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        use(project, NOTE)
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        use(project, "broken(")
        post(project, "meanwhile")
        project.run_pending()
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        use(project, NOTE)
        project.run_pending()
        assert seen(project) == ["meanwhile"]


def test_a_function_that_is_gone_is_forgotten_after_the_retention(tmp_path: Path) -> None:
    """And then holds back no trim."""
    clock = FakeClock()
    settings = {"events_retention_s": 60}
    with temporary_project(
        [POSTS, SEEN], folder=tmp_path, clock=clock, settings=settings
    ) as project:
        use(project, NOTE)
        (tmp_path / "functions" / "one.py").unlink()
        project.load_programs()
        assert len(kept(project)) == 1
        clock.advance(61)
        project.load_programs()
        assert kept(project) == {}
        with project.app.database.read() as snapshot:
            assert not project.app.event_log.is_reader(snapshot, READER)


def test_trimming_never_passes_a_place(tmp_path: Path) -> None:
    """Events stay until each function is done with them."""
    clock = FakeClock()
    settings = {"events_max_rows": 1}
    with temporary_project(
        [POSTS, SEEN], folder=tmp_path, clock=clock, settings=settings
    ) as project:
        use(project, NOTE)
        begun = project.last_event()
        project.app.audit.catch_up()
        draft = Draft(type="auth.login", source="auth", subject="usr_1", payload={})
        for _ in range(3):
            with project.app.database.write() as tx:
                for _ in range(TRIM_EVERY):
                    tx.emit(draft)
            project.app.audit.catch_up()
        assert project.events()[0].seq == begun + 1

        project.run_pending()
        with project.app.database.write() as tx:
            for _ in range(TRIM_EVERY):
                tx.emit(draft)
        assert project.events()[0].seq > begun + 1


def test_places_move_without_events_for_a_function(project: TestProject) -> None:
    """By hundreds, so that nothing is held back and nothing is written for each event."""
    use(project, NOTE)
    before = kept(project)
    draft = Draft(type="auth.login", source="auth", subject="usr_1", payload={})
    with project.app.database.write() as tx:
        for _ in range(120):
            tx.emit(draft)
    project.run_pending()

    assert {name: seq + 120 for name, seq in before.items()} == kept(project)


def test_failures_are_kept_beside_successes(
    project: TestProject, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of either there are."""
    kept = 20
    monkeypatch.setattr(kept_runs, "KEPT", kept)
    text = """
from bakend import on_create
once = set()

@on_create("posts", attempts={attempts})
def fail(ctx):
    if ctx.record["title"] == "always" or ctx.event.seq not in once:
        once.add(ctx.event.seq)
        raise ValueError("stopped")
"""
    use(project, text.replace("{attempts}", "1"))
    post(project, *(["always"] * (kept + 2)))
    project.run_pending()
    assert [run.status for run in runs(project, limit=1_000)] == ["failed"] * kept

    use(project, text.replace("{attempts}", "2"))
    post(project, *(["once"] * (kept + 2)))
    project.run_pending()
    clock.advance(1)
    project.run_pending()
    assert Counter(run.status for run in runs(project, limit=1_000)) == {
        "failed": kept,
        "completed": kept,
    }


def test_a_function_that_is_taken_away_keeps_its_place(project: TestProject) -> None:
    """What it has not seen yet comes when it is back."""
    use(project, NOTE)
    let_nothing_end(project)
    engine: Any = project.app.programs().engine
    post(project, "first", *"abcdefgh")
    engine.look_now()
    engine.step()
    del engine._attempts.free, engine._attempts.begin
    project.write_file("functions/one.py", "")
    project.app.programs().reload()
    project.run_pending()
    post(project, "meanwhile")
    project.write_file("functions/one.py", NOTE)
    project.app.programs().reload()
    project.run_pending()
    assert sorted(seen(project)) == sorted(["first", *"abcdefgh", "meanwhile"])


def test_an_attempt_from_before_a_function_was_away_takes_nobodys_place(
    project: TestProject,
) -> None:
    """It ends twice then, and what comes after it in its record once."""
    use(project, NOTE_ALL)
    let_nothing_end(project)
    engine: Any = project.app.programs().engine
    (record,) = post(project, "first")
    project.client.put(f"/api/posts/{record}", json={"title": "second"})
    engine.step()
    for text in ("", NOTE_ALL):
        project.write_file("functions/one.py", text)
        project.app.programs().reload()
        engine.step()
    (function,) = engine._functions.values()
    first, second = [each for each in project.events() if each.subject == record]

    for event in (first, first, second):
        ended = Ended(function=function, event=event, run=None, outcome=Outcome(), log="")
        engine._first_ended(ended)

    assert engine._places.open[function.name] == set()
    assert engine._lanes == {}


def test_a_function_that_is_far_behind_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one whose file is gone: the log cannot be trimmed."""
    with temporary_project(
        [POSTS, SEEN], folder=tmp_path, settings={"events_max_rows": 3}
    ) as opened:
        use(opened, NOTE)
        opened.write_file("functions/one.py", "")
        post(opened, *"abcd")
    with temporary_project(
        [POSTS, SEEN], folder=tmp_path, settings={"events_max_rows": 3}
    ) as opened:
        opened.load_programs()
        opened.run_pending()
    assert [each.message for each in caplog.records if "behind" in each.message] == [
        "functions/one.py:note@posts.created is more than 3 events behind, which are kept for it"
    ]


def let_nothing_end(project: TestProject) -> None:
    """Let what is handed out begin, as far as anybody can see, and nothing more."""
    engine: Any = project.app.programs().engine
    begun: list[Any] = []
    workers = engine._attempts.free()
    engine._attempts.free = lambda: workers - len(begun)
    engine._attempts.begin = lambda *attempt: begun.append(attempt)


def kill(project: TestProject) -> None:
    """Leave things as a kill does, after `let_nothing_end`."""
    engine: Any = project.app.programs().engine
    engine.look_now()
    engine.step()
    engine._is_recovered = False  # so that its end writes nothing


def test_an_event_that_kills_the_process_three_times_has_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its attempts are written before they begin; the others go on."""
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        use(project, NOTE)
        post(project, "killer")
        let_nothing_end(project)
        kill(project)
        assert runs(project) == []
    for _ in range(CRASHES_MAX - 1):
        with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
            let_nothing_end(project)
            project.load_programs()  # finds that the last one was killed
            kill(project)
            (run,) = runs(project)
            assert run.status == "running"
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        with caplog.at_level(logging.ERROR):
            project.load_programs()
        post(project, "next")
        project.run_pending()

        (run,) = runs(project)
        assert (run.status, run.crashes) == ("failed", CRASHES_MAX)
        assert run.error == f"The process has ended {CRASHES_MAX} times while this ran"
        assert seen(project) == ["next"]
    assert "has failed: the process ended while it ran" in caplog.text


def test_after_a_kill_only_what_ran_is_suspected(tmp_path: Path) -> None:
    """As many as there are workers; all the others run as ever, and then all is as before."""
    titles = [str(number) for number in range(20)]
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        use(project, NOTE)
        post(project, *titles)
        let_nothing_end(project)
        kill(project)
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        project.load_programs()
        project.run_pending()
        assert sorted(seen(project)) == sorted(titles)
        suspects = [(run.status, run.crashes) for run in runs(project)]
        assert suspects == [("completed", 1)] * project.app.programs().workers.free()
        post(project, "next")
        project.run_pending()
        assert seen(project)[-1] == "next"
        assert len(runs(project)) == len(suspects)


def test_what_repeats_after_a_kill_keeps_its_order(tmp_path: Path) -> None:
    """Also where the suspect comes behind events of its record that are repeated with it."""
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        use(project, NOTE_ALL)
        (record,) = post(project, "a")
        engine: Any = project.app.programs().engine
        flush, engine._flush = engine._flush, lambda: None  # the places stay where they were
        project.run_pending()
        for title in "bcd":
            project.client.put(f"/api/posts/{record}", json={"title": title})
        let_nothing_end(project)
        kill(project)
        engine._flush = flush
        assert seen(project) == ["a"]
    with temporary_project([POSTS, SEEN], folder=tmp_path) as project:
        project.load_programs()
        project.run_pending()
        assert seen(project) == ["a", "a", "b", "c", "d"]


def test_a_deleted_user_leaves_nothing_in_parked_events(project: TestProject) -> None:
    """As little as in the log."""
    use(
        project,
        "from bakend import on_login\n@on_login('users')\ndef f(ctx):\n    raise ValueError('x')\n",
    )
    user = project.make_user("ada@example.com")
    project.log_in(user.email)
    project.run_pending()
    from bakend.events.event import OPERATOR

    project.app.accounts.delete(user.id, OPERATOR)

    (run,) = runs(project)
    assert run.event is not None
    assert run.event.payload == {"userId": user.id}


def test_another_process_runs_nothing(tmp_path: Path) -> None:
    """Until the first one has ended."""
    with temporary_project([POSTS, SEEN], folder=tmp_path) as first:
        use(first, NOTE)
        with temporary_project([POSTS, SEEN], folder=tmp_path) as second:
            second.load_programs()
            post(second, "x")
            second.run_pending()
            assert seen(second) == []
            first.app.close()
            second.run_pending()
            assert seen(second) == ["x"]
