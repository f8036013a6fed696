"""Reads the event log and lets functions run: each event at least once, those of a record in order.

Each function has a place in the log, kept in `_functions`; it passes an event when its handler
has returned, or when the event is parked in `_runs` to be tried again. Places are written every
`FLUSH_S`: a crash repeats a little and loses nothing. What was handed out and is not done yet is
`open`; events of one record and function wait for each other in a lane.

What runs is noted in the file of the lease, where a kill leaves it. After one, these few events
are suspects: each is parked, and begins with its attempt written down, alone. One that ends the
process `CRASHES_MAX` times has failed, and the others go on.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.transaction import Transaction
from bakend.events.event import Draft, Event
from bakend.events.log import EventLog
from bakend.functions.attempts import Attempts, Ended
from bakend.functions.places import Places
from bakend.functions.registry import Function, Registry
from bakend.usercode.context import Services
from bakend.usercode.lease import Lease
from bakend.usercode.marks import TASK
from bakend.usercode.runs import Runs
from bakend.usercode.stepper import LOOK_S, Stepper
from bakend.usercode.tasks import Task
from bakend.usercode.workers import Workers

FLUSH_S: Final = 0.2
BATCH: Final = 500
WINDOW: Final = 5_000
"""How far a function may be ahead of its place that is written down."""

WARN_S: Final = 60.0
"""Between two looks for functions that keep the log from being trimmed."""

PAUSES_S: Final = (1, 5, 25, 125)
"""Before the second attempt, the third, …; the last one for all further ones."""

CRASHES_MAX: Final = 3

KINDS: Final = ("function", TASK)
"""Runs that are begun here."""

_log: Final = logging.getLogger("bakend.functions")

Lane = tuple[str, str]
"""Name of a function and what its events are about."""


class Engine(Stepper):
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
        max_rows: int,
        lease: Lease,
        tell: Callable[[Draft], None],
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
            max_rows: How many events the log should have.
            lease: Whether no other process runs functions of this project.
            tell: Told of each run as it begins and ends.
        """
        super().__init__(clock, name="bakend-functions", what="Functions")
        self._database = database
        self._events = log
        self._runs = runs
        self._attempts = Attempts(workers, services, limit_s=limit_s, tell=tell, wake=self.wake)
        self._lease = lease
        self._max_rows = max_rows
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
        self._ran: set[str] = set()
        """Functions that have run since the places were written."""
        self._running: set[tuple[str, int]] = set()
        """Functions and numbers of events whose first attempt was handed out."""
        self._suspects: set[int] = set()
        """Events that ran when the last process was killed, and are not passed yet."""
        self._is_alone = False
        """While an event runs that may end the process."""
        self._needs_quiet = False
        """While such an event waits for what runs to end."""
        self._lock = threading.Lock()
        self._flush_at = 0.0
        self._look_at = 0.0
        self._warn_at = 0.0
        self._behind: list[str] = []
        self._is_recovered = False

    # On any thread.

    def use(self, registry: Registry, tasks: Sequence[Task] = ()) -> None:
        """Let these functions and tasks run from now on; what runs already comes to its end."""
        with self._lock:
            self._wanted = (registry, tasks)
        self.wake()

    def look_now(self) -> None:
        """Let the next step look for what is due, and write down how far everything is."""
        self._look_at = self._flush_at = 0.0

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
        self._lease.note(())

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing runs and nothing waits for a worker."""
        return self._attempts.is_idle and not self._ready

    # On `bakend-functions`.

    def step(self) -> None:
        """Take in what has ended, write down what has to be, hand out what there is to do."""
        if not self._is_recovered:
            if not self._lease.take():
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
        if now >= self._warn_at:
            self._warn_at = now + WARN_S
            self._warn_of_those_behind()
        self._hand_out()

    def pause_s(self) -> float:
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
        self._suspects = self._lease.noted()
        with self._database.write() as tx:
            for kind in KINDS:
                for run in self._runs.recover(tx, kind, most=CRASHES_MAX):
                    _log.error("%s has failed: the process ended while it ran", run.name)
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
            missing = self._runs.waiting_names(tx, TASK) - {each.name for each in tasks}
        for name in sorted(missing - self._missing):
            _log.warning("Task %s waits: no file has a function of that name", name)
        self._missing |= missing
        self._tasks = {each.name: each for each in tasks}
        gone = self._functions.keys() - functions.keys()
        self._places.drop(gone)
        self._lanes = {lane: events for lane, events in self._lanes.items() if lane[0] not in gone}
        self._ready = deque(lane for lane in self._ready if lane[0] not in gone)
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
            self.wake()

    def _queue(self, function: Function, event: Event) -> None:
        lane = (function.name, event.subject)
        self._places.open[function.name].add(event.seq)
        if lane in self._blocked:
            self._park(lane, event)
        elif lane in self._lanes:
            self._lanes[lane].append(event)
        else:
            self._go_on(lane, deque([event]))

    def _go_on(self, lane: Lane, waiting: deque[Event]) -> None:
        """Let the first of these run next, if there is one; what comes before has ended."""
        if not waiting:
            return
        if waiting[0].seq in self._suspects:
            now = to_text(self._clock.now())
            for event in waiting:  # the first one as due, which blocks the lane for the others
                self._park(lane, event, next_at=now)
        else:
            self._lanes[lane] = waiting
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
        if event.seq in self._suspects:
            details["crashes"] = 1
        self._parked.append((lane[0], event.seq))
        self._parks.append(
            lambda tx: self._runs.park(tx, lane[0], event, next_at=at, status=status, **details)
        )

    def _hand_out(self) -> None:
        if self._needs_quiet:
            return
        while self._ready and self._attempts.free() > 0 and not self.is_stopping:
            lane = self._ready[0]
            event = self._lanes[lane][0]
            self._running.add((lane[0], event.seq))
            self._note()
            self._attempts.begin(self._functions[lane[0]], event, None)
            self._ready.popleft()

    def _note(self) -> None:
        """Note what runs, and what may have killed the last process and is not parked yet."""
        self._lease.note({seq for _name, seq in self._running} | self._suspects)

    def _take_results(self) -> None:
        for ended in self._attempts.ended():
            if self._needs_quiet:
                self._look_at = 0.0
            if ended.run is not None:
                self._retried.append(ended)
            else:
                self._first_ended(ended)

    def _first_ended(self, ended: Ended) -> None:
        assert isinstance(ended.function, Function)
        assert ended.event is not None
        lane = (ended.function.name, ended.event.subject)
        self._running.discard((lane[0], ended.event.seq))
        waiting = self._lanes.get(lane)
        if waiting is None or waiting[0].seq != ended.event.seq:
            return  # the function was taken away meanwhile; if it is back, the event has run again
        del self._lanes[lane]
        waiting.popleft()
        self._ran.add(lane[0])
        if ended.error is None:
            self._places.open[lane[0]].discard(ended.event.seq)
            self._go_on(lane, waiting)
            return
        has_failed = ended.function.attempts <= 1
        self._park(
            lane,
            ended.event,
            next_at=None if has_failed else self._next_at(1),
            attempts=1,
            error=ended.error,
            log=ended.log,
            status="failed" if has_failed else "waiting",
        )
        if has_failed:
            self._go_on(lane, waiting)
        else:
            for event in waiting:
                self._park(lane, event)

    def _next_at(self, attempts: int) -> str:
        pause_s = PAUSES_S[min(attempts, len(PAUSES_S)) - 1]
        return to_text(self._clock.now() + timedelta(seconds=pause_s))

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
                self._write_retried(tx, ended)
            self._places.write(tx, moved)
            freed = [
                lane
                for lane in {each.lane for each in retried if each.lane is not None}
                if self._runs.is_lane_free(tx, *lane)
            ]
        self._parks, self._parked, self._retried = [], [], []
        self._places.written(moved, parked)
        if self._suspects:
            slowest = min(self._places.kept.values(), default=0)
            self._suspects = {seq for seq in self._suspects if seq > slowest}
        self._ran.clear()
        self._blocked.difference_update(freed)
        if retried:
            self._is_alone = False
            # Many tasks do not keep functions waiting that are ready: these go first for a while.
            if not self._ready or any(
                each.run is not None and each.run.crashes for each in retried
            ):
                self._look_at = 0.0

    def _write_retried(self, tx: Transaction, ended: Ended) -> None:
        run, error = ended.run, ended.error
        assert run is not None
        attempts = run.attempts + 1
        if error is None or attempts >= ended.function.attempts:
            self._runs.end(tx, run, error=error, log=ended.log)
        else:
            self._runs.wait(tx, run.id, next_at=self._next_at(attempts), error=error, log=ended.log)

    def _begin_due(self) -> None:
        """Try again what is to be tried by now, its attempt written down before it begins."""
        room = self._attempts.free()
        names = [*self._functions, *self._tasks]
        if room <= 0 or not names or self.is_stopping:
            return
        with self._database.read() as snapshot:
            due = self._runs.due(snapshot, KINDS, names, limit=room)
        suspects = [run for run in due if run.crashes]
        self._needs_quiet = bool(suspects)
        if suspects:
            if self._attempts.handed:  # alone means alone: what runs comes to its end first
                return
            due, self._is_alone = suspects[:1], True
        if not due:
            return
        with self._database.write() as tx:
            for run in due:
                self._runs.begin(tx, run.id)
        for run in due:
            known = self._tasks if run.kind == TASK else self._functions
            self._attempts.begin(known[run.name], run.event, run)

    def _warn_of_those_behind(self) -> None:
        """Name those that keep the log long: one that is gone, does not load, or never catches up."""
        with self._database.read() as snapshot:
            behind = self._places.behind(snapshot, self._max_rows)
        for name in behind:
            if name not in self._behind:
                _log.warning(
                    "%s is more than %d events behind, which are kept for it", name, self._max_rows
                )
        self._behind = behind
