"""Reads the event log and lets functions run: each event at least once, those of a record in order.

Each function has a place in the log, kept in `_functions`; it passes an event when its handler
has returned, or when the event is parked in `_runs` to be tried again. Places are written every
`FLUSH_S`: a crash repeats a little and loses nothing. What was handed out and is not done yet is
`open`; events of one record and function wait for each other in a lane.

After an unclean stop nobody knows which event was running. So each that may have been is parked,
and begins with its attempt written down, alone: one that ends the process `CRASHES_MAX` times has
failed, and the others go on.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.transaction import Transaction
from bakend.errors import BakendError
from bakend.events.event import Event
from bakend.events.log import EventLog
from bakend.functions.attempts import Ended, next_attempt, run_task, write_down
from bakend.functions.places import Places
from bakend.functions.registry import Function, Registry
from bakend.usercode import context
from bakend.usercode.context import Context, Services
from bakend.usercode.logger import Logger
from bakend.usercode.marks import TASK
from bakend.usercode.runs import Run, Runs
from bakend.usercode.tasks import Task
from bakend.usercode.workers import Call, Outcome, Workers

RUNNING: Final = "functions_running"
"""Row of `_bakend_meta` that is there while a process runs functions, and after it was killed."""

LOOK_S: Final = 1.0
"""How long a commit or a request of another process may go unseen."""

FLUSH_S: Final = 0.2
BATCH: Final = 500
WINDOW: Final = 5_000
"""How far a function may be ahead of its place that is written down."""

CRASHES_MAX: Final = 3

KINDS: Final = ("function", TASK)
"""Runs that are begun here."""

_log: Final = logging.getLogger("bakend.functions")

Lane = tuple[str, str]
"""Name of a function and what its events are about."""


class Engine:
    """Lets functions run after events.

    Thread: `start`, `stop` on the main thread; `wake` and `use` on any; all else on
    `bakend-functions`, or on the caller of `step` where that thread was not started.
    """

    def __init__(
        self,
        database: Database,
        log: EventLog,
        runs: Runs,
        workers: Workers,
        services: Services,
        *,
        clock: Clock,
        limit_s: float,
        forget_s: float,
        may_run: Callable[[], bool],
    ) -> None:
        """Take the parts; nothing runs yet.

        Args:
            database: Where the tables are.
            log: What is read.
            runs: Where events are parked.
            workers: What runs the handlers.
            services: What handlers use.
            clock: Where time comes from.
            limit_s: How long a run may take that says nothing itself.
            forget_s: For how long the place of a function is kept that is gone.
            may_run: Whether no other process runs functions of this project.
        """
        self._database = database
        self._events = log
        self._runs = runs
        self._workers = workers
        self._services = services
        self._clock = clock
        self._limit_s = limit_s
        self._may_run = may_run
        self._forget = timedelta(seconds=forget_s)
        self._wanted: tuple[Registry, Sequence[Task]] | None = None
        self._functions: dict[str, Function] = {}
        self._tasks: dict[str, Task] = {}
        self._missing: set[str] = set()
        """Tasks that wait for a function that there is not, and were told."""
        self._places = Places(log)
        self._lanes: dict[Lane, deque[Event]] = {}
        """Events in memory, of each record and function; the first one runs or is ready to."""
        self._ready: deque[Lane] = deque()
        self._blocked: set[Lane] = set()
        """Where something is parked; what comes after it is parked as well."""
        self._parks: list[Callable[[Transaction], None]] = []
        """What the next flush writes beside the places."""
        self._parked: list[tuple[str, int]] = []
        """Events that are done once that is written."""
        self._retried: list[Ended] = []
        self._handed = 0
        """Calls that have not come back."""
        self._ran: set[str] = set()
        """Functions that have run since the places were written."""
        self._suspicious = 0
        """Up to where events may have been running when the last process was killed."""
        self._is_alone = False
        """While an event runs that may end the process."""
        self._needs_quiet = False
        """While such an event waits for what runs to end."""
        self._results: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self._something = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._flush_at = 0.0
        self._look_at = 0.0
        self._fails = False
        self._is_recovered = False
        self._thread = threading.Thread(target=self._run, name="bakend-functions", daemon=True)

    # On any thread.

    def use(self, registry: Registry, tasks: Sequence[Task] = ()) -> None:
        """Let these functions and tasks run from now on; what runs already comes to its end."""
        with self._lock:
            self._wanted = (registry, tasks)
        self.wake()

    def wake(self) -> None:
        """Say that there is more in the log."""
        self._something.set()

    def look_now(self) -> None:
        """Let the next step look for what is due, and write down how far everything is."""
        self._look_at = self._flush_at = 0.0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; the places are written once the workers have been drained."""
        self._stopped.set()
        self._something.set()
        if self._thread.is_alive():
            self._thread.join()

    def finish(self) -> None:
        """Write down how far everything is; after `stop`, when no worker runs any more."""
        if not self._is_recovered:
            return
        self._take_results()
        self._flush()
        self._is_recovered = False
        with self._database.write() as tx:
            for kind in KINDS:
                self._runs.release(tx, kind)
            tx.execute("DELETE FROM _bakend_meta WHERE key = ?", (RUNNING,))

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing runs and nothing waits for a worker."""
        return not (self._handed or self._ready or self._results.qsize())

    # On `bakend-functions`.

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._something.clear()
            try:
                self.step()
            except Exception as error:  # noqa: BLE001  the thread has to outlive a full disk
                self._complain(error)
                self._clock.wait(self._stopped, LOOK_S)
                continue
            if self._fails:
                _log.info("Functions go on")
                self._fails = False
            if self._results.empty() and not self._stopped.is_set():
                self._clock.wait(self._something, self._pause_s())

    def step(self) -> None:
        """Take in what has ended, write down what has to be, hand out what there is to do."""
        if not self._is_recovered:
            if not self._may_run():
                return
            self._recover()
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._adopt(*wanted)
        self._take_results()
        now = self._clock.monotonic()
        if self._parks or self._retried or (now >= self._flush_at and self._is_behind()):
            self._flush()
            self._flush_at = now + FLUSH_S
        if self._is_alone:
            return
        self._take_in()
        if self._parks:
            self._flush()
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            self._begin_due()
        self._hand_out()

    def _pause_s(self) -> float:
        if self._is_behind():
            return FLUSH_S
        return max(0.01, min(LOOK_S, self._look_at - self._clock.monotonic()))

    def _is_behind(self) -> bool:
        """Tell whether places should be written: something ran, or there were many events."""
        return any(
            self._places.place(name) - self._places.kept[name] >= 100 or name in self._ran
            for name in self._functions
        )

    def _recover(self) -> None:
        """Find out how the last process ended, and go on from there."""
        with self._database.write() as tx:
            was_killed = tx.one("SELECT 1 FROM _bakend_meta WHERE key = ?", (RUNNING,)) is not None
            if not was_killed:
                tx.execute("INSERT INTO _bakend_meta (key, value) VALUES (?, '1')", (RUNNING,))
            for kind in KINDS:
                for run in self._runs.recover(tx, kind, most=CRASHES_MAX):
                    _log.error("%s has failed: the process ended while it ran", run.name)
            end = self._events.end(tx)
        self._suspicious = end if was_killed else 0
        with self._database.read() as snapshot:
            self._blocked = self._runs.lanes(snapshot)
        self._is_recovered = True

    def _adopt(self, registry: Registry, tasks: Sequence[Task]) -> None:
        """Take other functions and tasks in the place of those of before."""
        functions = {each.name: each for each in registry.functions}
        self._take_results()
        self._flush()
        now = self._clock.now()
        with self._database.write() as tx:
            self._places.adopt(
                tx,
                functions,
                registry.errors,
                now=to_text(now),
                oldest=to_text(now - self._forget),
            )
            missing = self._runs.waiting_names(tx, "task") - {each.name for each in tasks}
        for name in sorted(missing - self._missing):
            _log.warning("Task %s waits: no file has a function of that name", name)
        self._missing |= missing
        self._tasks = {each.name: each for each in tasks}
        self._places.drop(self._functions.keys() - functions.keys())
        self._functions = functions
        self._look_at = 0.0

    def _take_in(self) -> None:
        """Read on in the log, as long as there is room for more."""
        live = [name for name in self._functions if name in self._places.taken]
        if not live or len(self._ready) >= BATCH:
            return
        cursor = min(self._places.taken[name] for name in live)
        if cursor - min(self._places.kept[name] for name in live) >= WINDOW:
            self._flush()
            if cursor - min(self._places.kept[name] for name in live) >= WINDOW:
                return  # something that runs holds its place
        with self._database.read() as snapshot:
            events = self._events.since(snapshot, cursor, limit=BATCH)
        for event in events:
            for name in live:
                if event.seq > self._places.taken[name]:
                    self._places.taken[name] = event.seq
                    if self._functions[name].mark.takes(event.type):
                        self._queue(self._functions[name], event)
        if len(events) == BATCH:
            self._something.set()

    def _queue(self, function: Function, event: Event) -> None:
        lane = (function.name, event.subject)
        self._places.open[function.name].add(event.seq)
        if event.seq <= self._suspicious:
            self._park(lane, event, next_at=to_text(self._clock.now()), crashes=1)
        elif lane in self._blocked:
            self._park(lane, event)
        elif lane in self._lanes:
            self._lanes[lane].append(event)
        else:
            self._lanes[lane] = deque([event])
            self._ready.append(lane)

    def _park(
        self,
        lane: Lane,
        event: Event,
        *,
        next_at: str | None = None,
        status: str = "waiting",
        **details: Any,
    ) -> None:
        """Let the next flush keep an event to be tried later, or as failed."""
        at = None if lane in self._blocked else next_at  # behind what is there
        if status == "waiting":
            self._blocked.add(lane)
        self._parked.append((lane[0], event.seq))
        self._parks.append(
            lambda tx: self._runs.park(tx, lane[0], event, next_at=at, status=status, **details)
        )

    def _hand_out(self) -> None:
        if self._needs_quiet:
            return
        while self._ready and self._workers.free() > 0 and not self._stopped.is_set():
            lane = self._ready.popleft()
            function = self._functions.get(lane[0])
            if function is None:  # gone, and its file with it
                for event in self._lanes.pop(lane):
                    self._places.open[lane[0]].discard(event.seq)
                continue
            self._submit(function, self._lanes[lane][0], None)

    def _submit(self, function: Function | Task, event: Event | None, run: Run | None) -> None:
        logger = Logger(function.name)
        limit_s = function.limit_s(self._limit_s)

        def perform(call: Call) -> None:
            if isinstance(function, Task):
                assert run is not None
                run_task(function, run, self._services, call, logger)
                return
            ctx = Context(self._services, call, logger, event=event)
            context.run(function.call, ctx, limit_s)

        def done(outcome: Outcome) -> None:
            lines = [*logger.lines, *([outcome.trace] if outcome.trace else [])]
            self._results.put(
                Ended(
                    function=function, event=event, run=run, outcome=outcome, log="\n".join(lines)
                )
            )
            self._something.set()

        if self._workers.submit(Call(function.name, perform, done, limit_s=limit_s)):
            self._handed += 1

    def _take_results(self) -> None:
        while True:
            try:
                ended = self._results.get_nowait()
            except queue.Empty:
                return
            self._handed -= 1
            if self._needs_quiet:
                self._look_at = 0.0
            if ended.outcome.error is not None:
                _log.error(
                    "%s failed for %s: %s%s",
                    ended.function.name,
                    ended.about,
                    ended.outcome.error,
                    f"\n{ended.outcome.trace}" if ended.outcome.trace else "",
                )
            if ended.run is not None:
                self._retried.append(ended)
            else:
                self._first_ended(ended)

    def _first_ended(self, ended: Ended) -> None:
        assert isinstance(ended.function, Function)
        assert ended.event is not None
        lane = (ended.function.name, ended.event.subject)
        waiting = self._lanes.pop(lane)
        waiting.popleft()
        self._ran.add(lane[0])
        if ended.outcome.error is None:
            self._places.open[lane[0]].discard(ended.event.seq)
            if waiting:
                self._lanes[lane] = waiting
                self._ready.append(lane)
            return
        has_failed = ended.function.attempts <= 1
        self._park(
            lane,
            ended.event,
            next_at=None if has_failed else next_attempt(self._clock, 1),
            attempts=1,
            error=ended.outcome.error,
            log=ended.log,
            status="failed" if has_failed else "waiting",
        )
        if has_failed:
            if waiting:
                self._lanes[lane] = waiting
                self._ready.append(lane)
            return
        for event in waiting:
            self._park(lane, event)

    def _flush(self) -> None:
        """Write down what was parked, how retries ended, and the places."""
        parks, parked, retried = self._parks, self._parked, self._retried
        moved = self._places.moved(parked)
        if not (parks or retried or moved):
            self._ran.clear()
            return
        with self._database.write() as tx:
            for park in parks:
                park(tx)
            for ended in retried:
                write_down(tx, self._runs, ended, self._clock)
            self._places.write(tx, moved)
            freed = [
                lane
                for lane in {each.lane for each in retried if each.lane is not None}
                if self._runs.is_lane_free(tx, *lane)
            ]
        self._parks, self._parked, self._retried = [], [], []
        self._places.written(moved, parked)
        self._ran.clear()
        self._blocked.difference_update(freed)
        if retried:
            self._is_alone = False
            # Many tasks do not keep functions waiting that are ready: these go first for a while.
            if not self._ready or any(
                each.run is not None and each.run.crashes for each in retried
            ):
                self._look_at = 0.0

    def _begin_due(self) -> None:
        """Try again what is to be tried by now, its attempt written down before it begins."""
        room = self._workers.free()
        names = [*self._functions, *self._tasks]
        if room <= 0 or not names or self._stopped.is_set():
            return
        with self._database.read() as snapshot:
            due = self._runs.due(snapshot, KINDS, names, limit=room)
        suspects = [run for run in due if run.crashes]
        self._needs_quiet = bool(suspects)
        if suspects:
            if self._handed:  # alone means alone: what runs comes to its end first
                return
            due, self._is_alone = suspects[:1], True
        if not due:
            return
        with self._database.write() as tx:
            for run in due:
                self._runs.begin(tx, run.id)
        for run in due:
            known = self._tasks if run.kind == TASK else self._functions
            self._submit(known[run.name], run.event, run)

    def _complain(self, error: Exception) -> None:
        if self._fails:
            return
        self._fails = True
        if isinstance(error, BakendError):
            hint = f" ({error.hint})" if error.hint else ""
            _log.warning("Functions wait, and will catch up: %s%s", error.message, hint)
        else:
            _log.error("Functions wait, and will try again", exc_info=error)
