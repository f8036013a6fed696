"""Who gets the next free thread; connections are stand-ins that do what the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from bakend.clock import SystemClock
from bakend.server.workers import Workers

DEADLINE_S = 20.0


class Visit:
    """A connection with one request, which is served until the test lets it go."""

    def __init__(self, *, writes: bool, served: list[Visit] | None = None) -> None:
        self._writes = writes
        self._served = served
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.is_cancelled = False

    def next_may_write(self) -> bool:
        return self._writes

    def service(self) -> None:
        if self._served is not None:
            self._served.append(self)
        self.began.set()
        assert self.may_end.wait(DEADLINE_S)

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(4, SystemClock())
    made.start()
    yield made
    assert made.stop(DEADLINE_S) == []


def add(workers: Workers, *visits: Visit) -> None:
    for visit in visits:
        workers.add(cast(Any, visit))


def let_go(*visits: Visit) -> None:
    for visit in visits:
        visit.may_end.set()


def test_writes_leave_a_thread_for_reads(workers: Workers) -> None:
    """Requests that may write hold three of four threads at the most; a read is served meanwhile."""
    writes = [Visit(writes=True) for _ in range(5)]
    read = Visit(writes=False)
    add(workers, *writes, read)

    assert read.began.wait(DEADLINE_S)
    assert all(write.began.wait(DEADLINE_S) for write in writes[:3])
    assert not any(write.began.is_set() for write in writes[3:])
    let_go(read, *writes)
    assert all(write.began.wait(DEADLINE_S) for write in writes)


def test_reads_may_have_all_threads(workers: Workers) -> None:
    """Requests that only read are held back by nothing but the number of threads."""
    reads = [Visit(writes=False) for _ in range(4)]
    add(workers, *reads)

    assert all(read.began.wait(DEADLINE_S) for read in reads)
    let_go(*reads)


def test_serves_in_the_order_they_came() -> None:
    """With one thread, reads and writes are served in the order in which they came."""
    workers = Workers(1, SystemClock())
    served: list[Visit] = []
    visits = [Visit(writes=number % 3 == 0, served=served) for number in range(9)]
    add(workers, *visits)
    let_go(*visits)
    workers.start()

    assert visits[-1].began.wait(DEADLINE_S)
    assert workers.stop(DEADLINE_S) == []
    assert served == visits


def test_stop_drops_what_waits() -> None:
    """What no thread has begun with is given up by stop, and cancelled."""
    workers = Workers(1, SystemClock())
    visits = [Visit(writes=True), Visit(writes=False)]
    add(workers, *visits)

    assert workers.stop(DEADLINE_S) == []
    assert all(visit.is_cancelled for visit in visits)


def test_an_errand_is_done_by_the_next_free_thread() -> None:
    """It goes before every request that waits, and is done once, however often it was sent."""
    workers = Workers(1, SystemClock())
    holding, waiting = Visit(writes=False), Visit(writes=False)
    done: list[bool] = []
    add(workers, holding)
    workers.start()
    assert holding.began.wait(DEADLINE_S)
    add(workers, waiting)

    for _ in range(2):
        workers.send(lambda: done.append(waiting.began.is_set()))
    assert done == []  # no thread is free
    let_go(holding, waiting)

    assert waiting.began.wait(DEADLINE_S)
    assert workers.stop(DEADLINE_S) == []
    assert done == [False]


def test_a_failing_errand_costs_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the thread serves on."""
    workers = Workers(1, SystemClock())
    visit = Visit(writes=False)
    workers.start()

    def fail() -> None:
        raise RuntimeError("of the errand")

    workers.send(fail)
    add(workers, visit)
    let_go(visit)

    assert visit.began.wait(DEADLINE_S)
    assert workers.stop(DEADLINE_S) == []
    assert "of the errand" in caplog.text
