"""A database that other processes write to as well: one that keeps the lock, and a second server."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import holder
import writer
from processes import (
    CLOCK,
    SLOWNESS,
    Answer,
    Client,
    ServerProcess,
    environment,
    make_project,
    running_server,
)
from samples import LISTS

pytestmark = pytest.mark.e2e

WRITERS = 16
READ_S = 2.0
"""A read takes milliseconds; the rest is for a busy machine, and far from any busy timeout."""


@dataclass(frozen=True, slots=True)
class Timed:
    """An answer, and how long it took."""

    answer: Answer
    seconds: float


@pytest.mark.parametrize(
    ("hold_s", "for_s"),
    [
        pytest.param(0.3, 1.5, id="seconds"),
        pytest.param(2.0, 60.0, id="a minute", marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
    ],
)
def test_waits_for_another_process(tmp_path: Path, hold_s: float, for_s: float) -> None:
    """Writers get their turn in the short gaps that another process leaves: every create succeeds."""
    project = make_project(tmp_path, [writer.COLLECTION])
    with (
        running_server(project) as server,
        _holder(project / "bakend.db", hold_s, gap_s=0.05) as holding,
    ):
        until = CLOCK.monotonic() + for_s
        created = _write(server, lambda: CLOCK.monotonic() < until)
        held = holding()

    assert Counter(each.answer.status for each in created) == {201: len(created)}
    assert len(created) >= WRITERS
    assert held >= for_s / (hold_s + 0.05) / 2, "the other process hardly had the database"
    slowest_s = max(each.seconds for each in created)
    print(f"{len(created)} created, {held} times held; slowest {slowest_s:.1f} s")  # noqa: T201


@pytest.mark.parametrize(
    ("timeout_s", "hold_s"),
    [
        pytest.param(0.5, 1.5, id="seconds"),
        pytest.param(
            5.0, 30.0, id="half a minute", marks=[pytest.mark.slow, pytest.mark.timeout(300)]
        ),
    ],
)
def test_refuses_when_another_process_does_not_let_go(
    tmp_path: Path, timeout_s: float, hold_s: float
) -> None:
    """Held for longer than the timeout, creates get 503 in time, reads go on, and then all is well."""
    project = make_project(tmp_path, [writer.COLLECTION])
    environ = {"BAKEND_DATABASE_BUSY_TIMEOUT": f"{timeout_s * 1000:.0f}ms"}
    with running_server(project, environ=environ) as server:
        with _holder(project / "bakend.db", hold_s + 60, gap_s=0), ThreadPoolExecutor(1) as pool:
            until = CLOCK.monotonic() + hold_s

            def goes_on() -> bool:
                return CLOCK.monotonic() < until

            reading = pool.submit(_read, server, goes_on)
            refused = _write(server, goes_on)
            read = reading.result()
        after = _write(server, lambda: False)

    assert {(each.answer.status, each.answer.code) for each in refused} == {(503, "unavailable")}
    assert {each.answer.headers["Retry-After"] for each in refused} == {"1"}
    assert max(each.seconds for each in refused) < timeout_s + 4 * SLOWNESS
    assert {each.answer.status for each in read} == {200}
    assert max(each.seconds for each in read) < READ_S * SLOWNESS
    assert {each.answer.status for each in after} == {201}
    print(  # noqa: T201
        f"{len(refused)} refused, slowest {max(t.seconds for t in refused):.2f} s;"
        f" {len(read)} read, slowest {max(t.seconds for t in read):.3f} s"
    )


def test_a_unique_value_is_given_once(tmp_path: Path) -> None:
    """Of many who create the same value at once, at two servers, one succeeds and the others are told."""
    project = make_project(tmp_path, [LISTS])
    threads, rounds = 8, 5
    barrier = threading.Barrier(2 * threads)

    def create(server: ServerProcess) -> list[Answer]:
        with server.client() as client:
            answers = []
            for number in range(rounds):
                barrier.wait(60 * SLOWNESS)
                answers.append(client.post("/api/lists", {"name": f"name {number}"}))
            return answers

    with (
        running_server(project) as one,
        running_server(project) as two,
        ThreadPoolExecutor(2 * threads) as pool,
    ):
        answers = list(pool.map(create, [one, two] * threads))

    for in_round in zip(*answers, strict=True):
        refused = [answer for answer in in_round if answer.status != 201]
        assert len(refused) == len(in_round) - 1
        for answer in refused:
            assert (answer.status, answer.code) == (400, "validation_error")
            details = answer.json["error"]["details"]
            assert [(each["field"], each["rule"]) for each in details] == [("name", "unique")]


@contextlib.contextmanager
def _holder(database: Path, hold_s: float, *, gap_s: float) -> Iterator[Callable[[], int]]:
    """Let another process hold the database; ask how often it has had it so far."""
    process = subprocess.Popen(
        [sys.executable, holder.__file__, str(database), str(hold_s), str(gap_s)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None

    def count() -> int:
        process.kill()
        return 1 + len(process.communicate()[0].splitlines())

    try:
        assert process.stdout.readline() == "held\n", "the other process has failed"
        yield count
    finally:
        if process.returncode is None:
            process.kill()
            process.communicate()


def _write(server: ServerProcess, goes_on: Callable[[], bool]) -> list[Timed]:
    """Create records from many connections, at least one from each, and return the answers."""

    def create(name: int) -> list[Timed]:
        with server.client() as client:
            answers: list[Timed] = []
            while not answers or goes_on():
                content = {"key": f"{name}-{CLOCK.monotonic()}", "value": len(answers)}
                answers.append(_timed(client, "POST", content))
            return answers

    with ThreadPoolExecutor(WRITERS) as pool:
        return [each for answers in pool.map(create, range(WRITERS)) for each in answers]


def _read(server: ServerProcess, goes_on: Callable[[], bool]) -> list[Timed]:
    """Read, each time from a new connection, and return the answers."""
    answers: list[Timed] = []
    while not answers or goes_on():
        with server.client() as client:
            answers.append(_timed(client, "GET"))
        CLOCK.pause(0.02)
    return answers


def _timed(client: Client, method: str, content: object = None) -> Timed:
    began = CLOCK.monotonic()
    answer = client.request(method, "/api/things", content)
    return Timed(answer, CLOCK.monotonic() - began)
