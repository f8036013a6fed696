"""Threads that run the user's code, each call with a limit of time.

At its limit an exception is raised in the thread: `TimeLimitReached`, which `except Exception`
does not catch. It is held back while the thread is inside Bakend, where it would leave a
transaction half-way, and comes when the call returns. A thread that does not heed it for
`GRACE_S`, because it waits for something outside of Python, is left behind: what its context could
do is refused from then on, another thread takes its place, and the log names it.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from bakend.clock import Clock
from bakend.errors import UserCodeError
from bakend.structs import Struct

INTERRUPTED_S: Final = 0.5
"""What a stop gives to those that it has interrupted."""

GRACE_S: Final = 5.0
"""Between the exception at the limit and giving the thread up."""

_OURS: Final = __file__.rpartition("usercode")[0]

_log: Final = logging.getLogger("bakend.functions")


class TimeLimitReached(BaseException):
    """Raised in a handler that takes longer than it may."""


class Outcome(Struct, kw_only=True):
    """How a call ended."""

    error: str | None = None
    """None when it returned."""
    trace: str = ""
    """The lines of the traceback."""


class Call:
    """One call of a handler: what is to be run, and how far it is.

    Thread: made by any, run by a worker, watched by `bakend-worker-watch`.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Call], object],
        done: Callable[[Outcome], None],
        *,
        limit_s: float,
    ) -> None:
        """Describe it.

        Args:
            name: For the log.
            run: Called with this on a worker.
            done: Called once with how it ended, on the worker or, where that was given up, on
                the watch.
            limit_s: How long it may take.
        """
        self.name = name
        self.limit_s = limit_s
        self._run = run
        self._done = done
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._shields = 0
        # Others change these while a method runs, which mypy does not expect of a plain bool.
        self._is_late: bool | object = False
        self._is_interrupted = False
        self._is_over = False
        self.ends_at = 0.0

    @contextmanager
    def shielded(self) -> Iterator[None]:
        """Do something inside Bakend that must not be interrupted half-way.

        Raises:
            UserCodeError: The call is over, or was given up.
        """
        with self._lock:
            if self._is_over:
                raise UserCodeError(f"{self.name} has ended, and its context with it")
            if self._is_late:
                self._withdraw()
                raise TimeLimitReached
            self._shields += 1
        try:
            yield
        finally:
            with self._lock:
                self._shields -= 1
                is_late = self._is_late and not self._shields and not self._is_over
            if is_late:
                raise TimeLimitReached

    def perform(self, begun_at: float) -> None:
        """Run it, on this thread."""
        self.ends_at = begun_at + self.limit_s
        self._thread = threading.current_thread()
        outcome = Outcome(error=f"took longer than {self.limit_s:g} s")
        is_first = False
        try:
            try:
                self._run(self)
            finally:
                is_first = self._finish() or is_first
        except TimeLimitReached:  # also one that came while the end was noted
            is_first = self._finish() or is_first
        except BaseException as error:  # noqa: BLE001  it is theirs; SystemExit ends no server
            outcome = Outcome(error=f"{type(error).__name__}: {error}", trace=trace_of(error))
        else:
            outcome = Outcome()
        if is_first:
            self._done(outcome)

    def interrupt(self) -> None:
        """Raise the exception in its thread, now or when it leaves Bakend."""
        import ctypes  # only for handlers that take too long

        with self._lock:
            if self._is_over or self._is_late:
                return
            self._is_late = True
            if self._shields == 0 and self._thread is not None and self._thread.ident is not None:
                self._is_interrupted = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread.ident), ctypes.py_object(TimeLimitReached)
                )

    def give_up(self) -> bool:
        """Leave it behind; return False when it has ended by itself."""
        if not self._finish(withdraws=False):
            return False
        self._done(
            Outcome(error=f"took longer than {self.limit_s:g} s, did not end and was given up")
        )
        return True

    def _finish(self, *, withdraws: bool = True) -> bool:
        """Note the end; return whether it was not noted before."""
        with self._lock:
            if withdraws:
                self._withdraw()
            was_over, self._is_over = self._is_over, True
            return not was_over

    def _withdraw(self) -> None:
        """Take back an exception that has not arrived yet."""
        if self._is_interrupted and self._thread is not None and self._thread.ident is not None:
            import ctypes

            self._is_interrupted = False
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread.ident), None)


def trace_of(error: BaseException) -> str:
    """Return the traceback of an error, without the frames of ours that lead to the handler."""
    lines = traceback.format_exception(type(error), error, theirs(error))
    return "".join(lines)[-4_000:]


def theirs(error: BaseException) -> TracebackType | None:
    """Return the part of an error's traceback that begins in the handler."""
    at = error.__traceback__
    while at is not None and at.tb_next and at.tb_frame.f_code.co_filename.startswith(_OURS):
        at = at.tb_next
    return at


class Workers:
    """A few threads, and what waits for them.

    Thread: `submit`, `free` and `drain` on any; calls run on `bakend-worker-N`, and
    `bakend-worker-watch` looks at their limits; or so with another name.
    """

    def __init__(self, count: int, *, clock: Clock, name: str = "bakend-worker") -> None:
        self._count = count
        self._name = name
        self._clock = clock
        self._condition = threading.Condition()
        self._waiting: deque[Call] = deque()
        self._running: dict[threading.Thread, Call] = {}
        self._threads: list[threading.Thread] = []
        self._left_behind: list[threading.Thread] = []
        self._watch: threading.Thread | None = None
        self._changed = threading.Event()
        """There is a new limit to look at, or the end."""
        self._ended = threading.Event()
        """A call has ended."""
        self._is_stopping = False
        self._numbers = 0
        self.given_up: list[str] = []
        """Names of calls that did not end, oldest first."""

    def free(self) -> int:
        """Return how many calls would begin at once."""
        with self._condition:
            return self._count - len(self._running) - len(self._waiting)

    def busy(self) -> int:
        """Return how many calls run, or wait for a thread."""
        with self._condition:
            return len(self._running) + len(self._waiting)

    def left_behind(self) -> int:
        """Return how many threads were given up and still have not ended."""
        with self._condition:
            self._left_behind = [each for each in self._left_behind if each.is_alive()]
            return len(self._left_behind)

    def submit(self, call: Call) -> bool:
        """Let a call be run; False when the end has come and it will not be."""
        with self._condition:
            if self._is_stopping:
                return False
            self._waiting.append(call)
            if len(self._threads) < self._count and len(self._threads) < len(self._waiting) + len(
                self._running
            ):
                self._start_worker()
            if self._watch is None:
                self._watch = threading.Thread(
                    target=self._look, name=f"{self._name}-watch", daemon=True
                )
                self._watch.start()
            self._condition.notify_all()
            return True

    def drain(self, timeout_s: float) -> list[str]:
        """Begin nothing more, wait for what runs, and return what did not end in time."""
        with self._condition:
            self._is_stopping = True
            self._waiting.clear()
            self._condition.notify_all()
            self._changed.set()
        for call in self._wait_for_all(timeout_s).values():
            call.interrupt()
        stuck = self._wait_for_all(INTERRUPTED_S)
        with self._condition:
            threads = [each for each in self._threads if each not in stuck]
        names = []
        for thread, call in stuck.items():
            self._leave_behind(thread, call)
            names.append(call.name)
        for thread in threads:
            thread.join()
        if self._watch is not None:
            self._watch.join()
        return names

    def _wait_for_all(self, timeout_s: float) -> dict[threading.Thread, Call]:
        """Wait until nothing runs, and return what does all the same."""
        until = self._clock.monotonic() + timeout_s
        while True:
            with self._condition:
                self._ended.clear()
                running = dict(self._running)
            left_s = until - self._clock.monotonic()
            if not running or left_s <= 0:
                return running
            self._clock.wait(self._ended, left_s)

    def _start_worker(self) -> None:
        self._numbers += 1
        thread = threading.Thread(
            target=self._work, name=f"{self._name}-{self._numbers}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        me = threading.current_thread()
        while True:
            with self._condition:
                while not self._waiting and not self._is_stopping:
                    self._condition.wait()
                if self._is_stopping or me not in self._threads:
                    return
                call = self._waiting.popleft()
                call.ends_at = self._clock.monotonic() + call.limit_s
                self._running[me] = call
                self._changed.set()
            try:
                call.perform(self._clock.monotonic())
            except BaseException:  # noqa: BLE001  an exception that came behind the end
                _log.exception("%s ended oddly", call.name)
            with self._condition:
                if self._running.get(me) is call:
                    del self._running[me]
                self._ended.set()
                if me not in self._threads:  # given up, and it has come back
                    return

    def _look(self) -> None:
        interrupted: set[Call] = set()
        while True:
            with self._condition:
                if self._is_stopping:
                    return
                now = self._clock.monotonic()
                running = dict(self._running)
                interrupted &= set(running.values())
                times = [
                    call.ends_at + (GRACE_S if call in interrupted else 0)
                    for call in running.values()
                ]
                late = [
                    (thread, call)
                    for (thread, call), at in zip(running.items(), times, strict=True)
                    if at <= now
                ]
                self._changed.clear()
            if not late:
                self._clock.wait(self._changed, min([60.0, *(at - now for at in times)]))
                continue
            for thread, call in late:
                if call in interrupted:
                    self._leave_behind(thread, call)
                else:
                    interrupted.add(call)
                    call.interrupt()

    def _leave_behind(self, thread: threading.Thread, call: Call) -> None:
        if not call.give_up():
            return
        thread.name = f"given up: {call.name}"
        with self._condition:
            self.given_up.append(call.name)
            self._left_behind.append(thread)
            self._running.pop(thread, None)
            if thread in self._threads:
                self._threads.remove(thread)
            if not self._is_stopping and self._waiting:
                self._start_worker()
            self._condition.notify_all()
        _log.error(
            "%s did not end after its limit of %g s and was given up; its thread is left behind",
            call.name,
            call.limit_s,
        )
