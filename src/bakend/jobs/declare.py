"""What the files in `jobs/` ask for: each job with its name, its schedule and its limits.

schedule = "0 3 * * *"        # of the module, with `run` or `main`,
def run(ctx): ...

@job("*/5 * * * *")           # or of each function
def sync(ctx): ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

from bakend.jobs.schedule import Schedule
from bakend.structs import Struct
from bakend.usercode import loader
from bakend.usercode.context import Context, bound
from bakend.usercode.loader import UserFile
from bakend.usercode.marks import JOB, MISSED, TASK, Handler
from bakend.usercode.tasks import Task, still_free, tasks_of

FOLDER: Final = "jobs"


class Job(Struct, kw_only=True):
    """One job."""

    name: str
    file: str
    line: int
    schedule: Schedule
    call: Callable[[Context], Any]
    attempts: int = 3
    retry_delay_s: float = 5.0
    timeout_s: float | None = None
    """`functions.timeout`, if there is none."""
    missed: str = "skip"


class Jobs(Struct, kw_only=True):
    """What one load of `jobs/` has found."""

    files: tuple[UserFile, ...] = ()
    jobs: tuple[Job, ...] = ()
    tasks: tuple[Task, ...] = ()

    @property
    def errors(self) -> dict[str, str]:
        """Return each file that does not load, and why."""
        return {file.path: file.error for file in self.files if file.error is not None}


def load(project: Path, before: Jobs | None = None, *, others: Sequence[Task] = ()) -> Jobs:
    """Load all files.

    Args:
        project: The folder of `bakend.json`.
        before: What runs now: of a file that does not load any more, its jobs stay.
        others: Tasks of `functions/`, whose names are taken.
    """
    loaded = loader.load(project, FOLDER)
    stems = Counter(PurePosixPath(file.path).stem for file in loaded)
    old = {} if before is None else {file.path: file for file in before.files}
    files: list[UserFile] = []
    jobs: dict[str, Job] = {}
    taken = {one.name: one for one in others}
    tasks: dict[str, Task] = {}
    for each in loaded:
        file, found, asked = each, [], []
        if file.error is None:
            try:
                asked = tasks_of(file, {**taken, **tasks})
                found = jobs_of(file, is_only=stems[PurePosixPath(file.path).stem] == 1)
                twice = [one for one in found if one.name in jobs]
                if twice:
                    raise ValueError(
                        f'{file.path}:{twice[0].line}: "{twice[0].name}" is a job of'
                        f" {jobs[twice[0].name].file} already: give it another name"
                    )
            except (TypeError, ValueError) as error:
                file = UserFile(path=file.path, error=str(error))
                found, asked = [], []
        if file.error is not None and file.path in old and before is not None:
            file, found = (
                old[file.path].replaced(error=file.error),
                [one for one in before.jobs if one.file == file.path and one.name not in jobs],
            )
            asked = still_free(before.tasks, file.path, {**taken, **tasks})
        files.append(file)
        jobs.update({one.name: one for one in found})
        tasks.update({one.name: one for one in asked})
    return Jobs(files=tuple(files), jobs=tuple(jobs.values()), tasks=tuple(tasks.values()))


def jobs_of(file: UserFile, *, is_only: bool) -> list[Job]:
    """Return the jobs of a file.

    Args:
        file: Loaded.
        is_only: Whether no other file has its name.

    Raises:
        ValueError: Something about one is wrong; the sentence has the line.
    """
    path = PurePosixPath(file.path)
    own = path.stem if is_only else ".".join(path.relative_to(FOLDER).with_suffix("").parts)
    found = []
    for mark in file.marks:
        if mark.kind == TASK:
            continue
        if mark.kind != JOB:
            raise ValueError(f"{file.path}:{mark.line}: functions belong into the folder functions")
        word = getattr(mark.handler, "__name__", own)
        name = str(mark.options.get("name", word))
        found.append(_job(file, mark.line, name, mark.handler, mark.options))
    names = Counter(one.name for one in found)
    if any(number > 1 for number in names.values()):
        twice = next(one for one in found if names[one.name] > 1)
        raise ValueError(f'{file.path}:{twice.line}: "{twice.name}" is there twice')
    if found:
        return found
    handler = file.names.get("run", file.names.get("main"))
    if "schedule" not in file.names and any(mark.kind == TASK for mark in file.marks):
        return []  # tasks need no schedule
    if not isinstance(file.names.get("schedule"), str):
        raise ValueError(f"{file.path}: no function is marked by @job, and there is no `schedule`")
    if not callable(handler):
        raise ValueError(f"{file.path}: there is a `schedule`, and no function `run` or `main`")
    options: dict[str, Any] = {
        word: file.names[word]
        for word in ("schedule", "attempts", "retry_delay", "timeout", "timezone", "missed")
        if word in file.names
    }
    return [_job(file, 1, own, handler, options)]


def _job(file: UserFile, line: int, name: str, handler: Handler, options: Mapping[str, Any]) -> Job:
    if options.get("missed", "skip") not in MISSED:
        raise ValueError(f"{file.path}:{line}: missed is one of {', '.join(MISSED)}")
    if not name or any(character in name for character in "/?#%"):
        raise ValueError(f'{file.path}:{line}: "{name}" cannot be the name of a job')
    try:
        return Job(
            name=name,
            file=file.path,
            line=line,
            schedule=Schedule(str(options["schedule"]), options.get("timezone")),
            call=bound(handler),
            attempts=int(options.get("attempts", 3)),
            retry_delay_s=float(options.get("retry_delay", 5)),
            timeout_s=options.get("timeout"),
            missed=options.get("missed", "skip"),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"{file.path}:{line}: {name}: {error}") from error
