"""Lets jobs run when they are due.

Each run is a row in `_runs`, made before it begins: so an administrator or a command asks for one
by making such a row, and a second attempt is the same row again, later. One job never runs twice at
once; a time that comes while it runs is skipped, and said.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from bakend.clock import Clock, to_text
from bakend.database.connection import Database
from bakend.database.transaction import Transaction
from bakend.errors import NotFoundError
from bakend.events.event import Draft, job_ran
from bakend.jobs.declare import Job, Jobs
from bakend.structs import Struct
from bakend.usercode import context
from bakend.usercode.context import Context, Services
from bakend.usercode.logger import Logger
from bakend.usercode.runs import Run, Runs
from bakend.usercode.stepper import LOOK_S, Stepper
from bakend.usercode.workers import Call, Outcome, Workers

_log: Final = logging.getLogger("bakend.jobs")


class _Ended(Struct, kw_only=True):
    job: Job
    run: Run
    outcome: Outcome
    log: str


class Scheduler(Stepper):
    """Lets jobs run.

    Thread: `start`, `stop` on the main thread; `use`, `request`, `listed` on any; all else on
    `bakend-scheduler`, or on the caller of `step` where that thread was not started.
    """

    def __init__(
        self,
        database: Database,
        runs: Runs,
        workers: Workers,
        services: Services,
        *,
        clock: Clock,
        limit_s: float,
        may_run: Callable[[], bool],
        tell: Callable[[Draft], None],
    ) -> None:
        """Take the parts; nothing runs yet.

        Args:
            database: Where the runs are.
            runs: What is kept of them.
            workers: What runs the handlers.
            services: What handlers use.
            clock: Where time comes from.
            limit_s: How long an attempt may take, where the job does not say so.
            may_run: Whether no other process runs jobs of this project.
            tell: Told of each run as it begins and ends.
        """
        super().__init__(clock, name="bakend-scheduler", what="Jobs")
        self._database = database
        self._runs = runs
        self._workers = workers
        self._services = services
        self._limit_s = limit_s
        self._may_run = may_run
        self._tell = tell
        self._wanted: Jobs | None = None
        self._jobs: dict[str, Job] = {}
        self._next: dict[str, datetime] = {}
        self._active: set[str] = set()
        """Jobs that run, or wait for another attempt."""
        self._begun: dict[str, datetime] = {}
        """When each run of those had its first attempt."""
        self._handed = 0
        self._results: queue.SimpleQueue[_Ended] = queue.SimpleQueue()
        self._unwritten: list[_Ended] = []
        self._lock = threading.Lock()
        self._is_recovered = False

    # On any thread.

    def use(self, jobs: Jobs) -> None:
        """Let these jobs run from now on; what runs already comes to its end."""
        with self._lock:
            self._wanted = jobs
        self.wake()

    def request(self, name: str) -> str:
        """Ask for a run of a job, now; return the run's id."""
        with self._database.write() as tx:
            run_id = self._runs.request(tx, name)
        self.wake()
        return run_id

    def finish(self) -> None:
        """Write down how runs ended; after `stop`, when no worker runs any more."""
        if self._is_recovered:
            self._write_results()
            self._is_recovered = False
            with self._database.write() as tx:
                self._runs.release(tx, "job")

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing runs."""
        return not (self._handed or self._results.qsize() or self._unwritten)

    # On `bakend-scheduler`.

    def step(self) -> None:
        """Write down what has ended, and begin what is due."""
        if not self._is_recovered:
            if not self._may_run():
                return
            with self._database.write() as tx:
                for run in self._runs.recover(tx, "job", most=1):
                    _log.error("Job %s has failed: the process ended while it ran", run.name)
            self._is_recovered = True
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is not None:
            self._adopt(wanted)
        self._write_results()
        self._begin_due()
        self._begin_asked()

    def pause_s(self) -> float:
        if not self._next:
            return LOOK_S
        left = min(self._next.values()) - self._clock.now()
        return max(0.0, min(LOOK_S, left.total_seconds()))

    def _adopt(self, jobs: Jobs) -> None:
        now = self._clock.now()
        before = self._jobs
        self._jobs = {job.name: job for job in jobs.jobs}
        due: dict[str, datetime] = {}
        for name, job in self._jobs.items():
            old = before.get(name)
            same = old is not None and (old.schedule.text, old.schedule.timezone) == (
                job.schedule.text,
                job.schedule.timezone,
            )
            due[name] = self._next[name] if same and name in self._next else self._first(job, now)
        self._next = due

    def _first(self, job: Job, now: datetime) -> datetime:
        """Return when a job is due next; now, if it is to make up for a time that was missed."""
        if job.missed == "once":
            with self._database.read() as snapshot:
                last = self._runs.last_begun(snapshot, job.name)
            if last is not None and job.schedule.after(datetime.fromisoformat(last)) <= now:
                return now
        return job.schedule.after(now)

    def _begin_due(self) -> None:
        now = self._clock.now()
        for name, at in list(self._next.items()):
            if at > now or self.is_stopping:
                continue
            self._next[name] = self._jobs[name].schedule.after(now)
            if name in self._active:
                _log.info("Job %s was due and still runs: skipped", name)
            else:
                with self._database.write() as tx:
                    self._runs.request(tx, name)

    def _begin_asked(self) -> None:
        room = self._workers.free()
        if room <= 0 or self.is_stopping:
            return
        with self._database.read() as snapshot:
            asked = self._runs.due(snapshot, ("job",), [*self._jobs], limit=100)
        running: set[str] = set()
        for run in asked:
            is_again = run.attempts > 0
            if room <= 0 or run.name in running or (run.name in self._active and not is_again):
                continue
            running.add(run.name)
            self._active.add(run.name)
            room -= 1
            with self._database.write() as tx:
                self._runs.begin(tx, run.id)
            self._submit(self._jobs[run.name], run)

    def _submit(self, job: Job, run: Run) -> None:
        logger = Logger(f"job {job.name}")
        limit_s = job.timeout_s or self._limit_s

        def perform(call: Call) -> None:
            context.run(job.call, Context(self._services, call, logger), limit_s)

        def done(outcome: Outcome) -> None:
            lines = [*filter(None, [run.log]), *logger.lines, *filter(None, [outcome.trace])]
            self._results.put(_Ended(job=job, run=run, outcome=outcome, log="\n".join(lines)))
            self.wake()

        if self._workers.submit(Call(f"job {job.name}", perform, done, limit_s=limit_s)):
            self._handed += 1
            if run.id not in self._begun:
                self._begun[run.id] = self._clock.now()
                self._tell(_told("started", job, run))

    def _write_results(self) -> None:
        while True:
            try:
                ended = self._results.get_nowait()
            except queue.Empty:
                break
            self._handed -= 1
            self._unwritten.append(ended)
            if ended.outcome.error is not None:
                _log.error(
                    "Job %s failed: %s%s",
                    ended.job.name,
                    ended.outcome.error,
                    f"\n{ended.outcome.trace}" if ended.outcome.trace else "",
                )
        while self._unwritten:
            with self._database.write() as tx:
                is_over = self._write(tx, self._unwritten[0])
            ended = self._unwritten.pop(0)
            if is_over:
                self._active.discard(ended.job.name)
                self._tell_end(ended)

    def _write(self, tx: Transaction, ended: _Ended) -> bool:
        """Write down how an attempt ended; return whether it was the last one."""
        error, attempts = ended.outcome.error, ended.run.attempts + 1
        if error is not None and attempts < ended.job.attempts:
            at = self._clock.now() + timedelta(seconds=ended.job.retry_delay_s)
            self._runs.wait(tx, ended.run.id, next_at=to_text(at), error=error, log=ended.log)
            return False
        self._runs.end(tx, ended.run, error=error, log=ended.log)
        return True

    def _tell_end(self, ended: _Ended) -> None:
        took = self._clock.now() - self._begun.pop(ended.run.id)
        more: dict[str, Any] = {
            "durationMs": round(took.total_seconds() * 1_000),
            "attempt": ended.run.attempts + 1,
        }
        error = ended.outcome.error
        if error is None:
            self._tell(_told("completed", ended.job, ended.run, **more))
        else:
            self._tell(_told("failed", ended.job, ended.run, error=error, **more))


def _told(action: str, job: Job, run: Run, **more: Any) -> Draft:
    return job_ran(
        action,
        name=job.name,
        file_path=job.file,
        schedule=job.schedule.text,
        run_id=run.id,
        **more,
    )


def listed(jobs: Jobs, now: datetime) -> list[dict[str, Any]]:
    """Return the jobs and the files that do not load, as the API and `bak` show them."""
    errors = jobs.errors
    items: list[dict[str, Any]] = [
        {
            "name": job.name,
            "schedule": job.schedule.text,
            "timezone": job.schedule.timezone,
            "filePath": job.file,
            "nextRunAt": to_text(job.schedule.after(now)),
            "error": errors.get(job.file),
        }
        for job in jobs.jobs
    ]
    named = {job.file for job in jobs.jobs}
    items += [
        {
            "name": path,
            "schedule": "",
            "timezone": None,
            "filePath": path,
            "nextRunAt": None,
            "error": error,
        }
        for path, error in errors.items()
        if path not in named
    ]
    return items


def find(jobs: Jobs, name: str) -> Job:
    """Return a job by its name.

    Raises:
        NotFoundError: There is none.
    """
    for job in jobs.jobs:
        if job.name == name:
            return job
    raise NotFoundError(f'Job "{name}" does not exist')
