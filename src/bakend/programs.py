"""The project's own Python, running: its functions and jobs, loaded, started, changed and stopped.

One process of several runs them: whoever has the lease. The others ask for it again and again.
Routes answer in each process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bakend.clock import Clock
from bakend.database.connection import Database
from bakend.errors import NotFoundError
from bakend.events.event import Draft
from bakend.events.log import EventLog
from bakend.functions import registry
from bakend.functions.before import Before
from bakend.functions.engine import Engine
from bakend.functions.registry import Registry
from bakend.functions.routes import Route, Routes
from bakend.jobs import declare, scheduler
from bakend.jobs.declare import Jobs
from bakend.jobs.scheduler import Scheduler
from bakend.settings import Settings
from bakend.usercode import loader
from bakend.usercode.context import Services
from bakend.usercode.lease import Lease
from bakend.usercode.runs import Run, Runs
from bakend.usercode.workers import Workers

LOOK_S: Final = 0.05
"""Between two looks at a run that a command waits for."""

FOLDERS: Final = (registry.FOLDER, declare.FOLDER)

KINDS: Final = {"function": ("function", "task", "route"), "job": ("job",)}
"""Which runs are shown together."""

_log: Final = logging.getLogger("bakend.functions")


class Programs:
    """Functions and jobs of one project.

    Thread: `start`, `stop` on the main thread; `reload` on the watcher's; the rest on any.
    """

    def __init__(
        self,
        project: Path,
        database: Database,
        log: EventLog,
        runs: Runs,
        services: Services,
        *,
        clock: Clock,
        settings: Settings,
        tell: Callable[[Draft], None],
    ) -> None:
        """Take the parts; nothing is loaded yet.

        Args:
            project: The folder of `bakend.json`.
            database: Where runs and places are.
            log: What functions read.
            runs: What is kept of runs.
            services: What handlers use.
            clock: Where time comes from.
            settings: What is configured.
            tell: Told of each run as it begins and ends.
        """
        self._project = project
        self._database = database
        self._runs = runs
        self._clock = clock
        self._queue = services.tasks
        self._stop_timeout_s = settings.server_stop_timeout_s
        self._registry = Registry()
        self._jobs = Jobs()
        self._lease = Lease(settings.database)
        self.workers = Workers(settings.functions_workers, clock=clock)
        self.before = Before(
            database,
            runs,
            services,
            clock=clock,
            limit_s=settings.functions_before_timeout_s,
        )
        self.engine = Engine(
            database,
            log,
            runs,
            self.workers,
            services,
            clock=clock,
            limit_s=settings.functions_timeout_s,
            forget_s=settings.events_retention_s,
            max_rows=settings.events_max_rows,
            lease=self._lease,
            tell=tell,
        )
        self.scheduler = Scheduler(
            database,
            runs,
            self.workers,
            services,
            clock=clock,
            limit_s=settings.functions_timeout_s,
            may_run=self._lease.take,
            tell=tell,
        )
        self._queue.wake = self._wake_for_tasks
        self.routes = Routes(
            database,
            runs,
            services,
            clock=clock,
            server_threads=settings.server_threads,
            limit_s=settings.functions_timeout_s,
        )

    def load(self) -> None:
        """Load the files; those that do not load are named in the log."""
        self.look()
        self._take(self._registry, self._jobs)

    def look(self) -> None:
        """Load the files to show what is in them: nothing runs, and nothing is remembered."""
        for folder in FOLDERS:
            loader.warn_of_foreign(self._project, folder)
        self._registry = registry.load(self._project)
        self._jobs = declare.load(self._project, others=self._registry.tasks)

    def reload(self) -> None:
        """Load the files anew; of one that does not load, what ran before goes on."""
        functions = registry.load(self._project, self._registry)
        self._take(functions, declare.load(self._project, self._jobs, others=functions.tasks))
        loader.forget((*self._registry.files, *self._jobs.files))
        _log.info(
            "Functions: %d, routes: %d, tasks: %d, jobs: %d",
            len(self._registry.functions) + len(self._registry.hooks),
            len(self._registry.routes),
            len(self._queue.tasks),
            len(self._jobs.jobs),
        )

    def start(self) -> None:
        """Let functions and jobs run."""
        self.engine.start()
        self.scheduler.start()

    def stop(self) -> None:
        """Begin nothing more, wait for what runs, and write down how far everything is."""
        self.routes.stop()
        self.engine.stop()
        self.scheduler.stop()
        left = self.workers.drain(self._stop_timeout_s)
        for name in [*left, *self.before.stop()]:  # in this order: what runs on workers may write
            _log.warning("%s was still running at the stop and is given up", name)
        self.engine.finish()
        self.scheduler.finish()
        self._lease.give_back()

    @property
    def own_routes(self) -> tuple[Route, ...]:
        """The routes of the last load: the same object until there is another one."""
        return self._registry.routes

    # For administrators.

    @property
    def given_up(self) -> list[str]:
        """Names of runs that did not end."""
        return [*self.workers.given_up, *self.routes.given_up, *self.before.given_up]

    def functions(self) -> list[dict[str, Any]]:
        """Return the functions, and the files that do not load."""
        tasks = (*self._registry.tasks, *self._jobs.tasks)
        everything = self._registry.replaced(tasks=tasks)
        return registry.listed(everything, given_up=self.given_up)

    def jobs(self) -> list[dict[str, Any]]:
        """Return the jobs, and the files that do not load."""
        return scheduler.listed(self._jobs, self._clock.now())

    def runs(
        self, kind: str, *, name: str = "", status: str = "", limit: int, offset: int = 0
    ) -> tuple[list[Run], int]:
        """Return runs of functions or jobs, newest first, and how many there are."""
        with self._database.read() as snapshot:
            return self._runs.page(
                snapshot, KINDS[kind], name=name, status=status, limit=limit, offset=offset
            )

    def run(self, kind: str, run_id: str, *, name: str = "") -> Run:
        """Return one run.

        Raises:
            NotFoundError: There is none.
        """
        with self._database.read() as snapshot:
            run = self._runs.get(snapshot, run_id, KINDS[kind])
        if name and run.name != name:
            raise NotFoundError("Run not found")
        return run

    def retry(self, run_id: str) -> Run:
        """Let a failed run of a function be tried again from the beginning.

        Raises:
            NotFoundError: There is none.
            ConflictError: It has not failed, or answered a request.
        """
        with self._database.write() as tx:
            run = self._runs.retry(tx, run_id, KINDS["function"])
        self._wake_for_tasks()
        return run

    def request(self, name: str) -> Run:
        """Ask for a run of a job, now.

        Raises:
            NotFoundError: There is no such job.
        """
        scheduler.find(self._jobs, name)
        return self.run("job", self.scheduler.request(name))

    def run_now(self, name: str) -> Run:
        """Run a job to its end, here or in the process that has the lease, and return the run.

        Raises:
            NotFoundError: There is no such job.
        """
        job = scheduler.find(self._jobs, name)
        if self._lease.take():
            self.scheduler.use(Jobs(jobs=(job,)))
            self.scheduler.start()
        try:
            run = self.request(name)
            while run.status in ("waiting", "running"):
                self._clock.pause(LOOK_S)
                run = self.run("job", run.id)
            return run
        finally:
            self.stop()

    def require_job(self, name: str) -> None:
        """Raise NotFoundError where there is no such job, and never was one that ran."""
        if not self.runs("job", name=name, limit=1)[0]:
            scheduler.find(self._jobs, name)

    def _wake_for_tasks(self) -> None:
        self.engine.look_now()
        self.engine.wake()

    def _take(self, functions: Registry, jobs: Jobs) -> None:
        for error in {**functions.errors, **jobs.errors}.values():
            _log.error("Not loaded: %s", error)
        tasks = (*functions.tasks, *jobs.tasks)
        self._registry, self._jobs = functions, jobs
        self._queue.tasks = {each.name: each for each in tasks}
        self.before.use(functions)
        self.engine.use(functions, tasks)
        self.scheduler.use(jobs)
