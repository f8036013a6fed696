"""What is restarted after the swap: a service of systemd, or whatever a command restarts."""

from __future__ import annotations

from typing import Protocol

from bakend.clock import Clock
from bakend.errors import UpgradeError
from bakend.upgrade.programs import Programs
from bakend.upgrade.service import Systemd
from bakend.upgrade.watching import Ask, wait_for_answer, wait_for_service


class Running(Protocol):
    """A server that can be restarted and waited for."""

    def restart(self) -> None:
        """Ask for a restart of what is in place now.

        Raises:
            UpgradeError: It is refused.
        """
        ...

    def wait(self, version: str) -> str | None:
        """Wait until it serves as a version; return what went wrong, None for nothing."""
        ...

    def end(self) -> None:
        """End what was started, at once."""
        ...

    def last_words(self) -> str:
        """Return the end of its log, empty where that is not known."""
        ...


class Service:
    """A unit of systemd."""

    def __init__(
        self, unit: str, systemd: Systemd, ask: Ask, clock: Clock, *, patience_s: float | None
    ) -> None:
        """Name the unit."""
        self._unit = unit
        self._systemd = systemd
        self._ask = ask
        self._clock = clock
        self._patience_s = patience_s
        self._before = ""

    def __str__(self) -> str:
        return self._unit

    def restart(self) -> None:
        """Have systemd do it; how often it has failed before does not count."""
        self._before = self._systemd.look(self._unit).invocation
        self._systemd.forget_failures(self._unit)
        self._systemd.restart(self._unit)

    def wait(self, version: str) -> str | None:
        """Wait, as long as there are signs of life."""
        return wait_for_service(
            lambda: self._systemd.look(self._unit),
            self._ask,
            version=version,
            before=self._before,
            clock=self._clock,
            patience_s=self._patience_s,
        )

    def end(self) -> None:
        """Kill it: it hangs, or has no time to lose. What ran before is left alone."""
        if self._systemd.look(self._unit).invocation != self._before:
            self._systemd.stop_at_once(self._unit)

    def last_words(self) -> str:
        """Ask the journal."""
        return self._systemd.last_words(self._unit)


class Command:
    """A command of the operator's."""

    def __init__(
        self, command: str, programs: Programs, ask: Ask, clock: Clock, *, patience_s: float | None
    ) -> None:
        """Take the text, for a shell."""
        self._command = command
        self._programs = programs
        self._ask = ask
        self._clock = clock
        self._patience_s = patience_s

    def __str__(self) -> str:
        return f"by {self._command!r}"

    def restart(self) -> None:
        """Run it."""
        answer = self._programs.run(["/bin/sh", "-c", self._command])
        if answer.code != 0:
            raise UpgradeError(
                f"{self._command!r} ended with exit code {answer.code}: {answer.error}"
            )

    def wait(self, version: str) -> str | None:
        """Ask until it answers."""
        return wait_for_answer(
            self._ask, version=version, clock=self._clock, patience_s=self._patience_s
        )

    def end(self) -> None:
        """Nothing is known of it; the restart ends it."""

    def last_words(self) -> str:
        """Nothing is known of it."""
        return ""
