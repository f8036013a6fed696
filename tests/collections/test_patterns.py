"""Patterns, and the helper process for those that could hold the server."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bakend.collections.patterns import (
    Pattern,
    PatternRunner,
    compile_pattern,
    uncheckable,
)
from bakend.errors import PatternError

PATIENT_S = 20.0
"""A limit for what has to succeed, however busy the machine is."""


@pytest.fixture(name="runner")
def patient_runner() -> Iterator[PatternRunner]:
    runner = PatternRunner(limit_s=PATIENT_S)
    yield runner
    runner.close()


def children() -> set[int]:
    """Return the processes that this one started and has not buried yet."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):
            found |= {int(word) for word in (task / "children").read_text().split()}
    return found


def slow(source: str = "(a+)+$") -> Pattern:
    pattern = compile_pattern(source)
    assert not pattern.is_plain
    return pattern


def test_a_plain_pattern_needs_no_helper(runner: PatternRunner) -> None:
    """Everyday patterns run at once, in this process."""
    before = children()

    pattern = compile_pattern("^[A-Z]")

    assert (runner.matches(pattern, "Ab"), runner.matches(pattern, "ab")) == (True, False)
    assert children() == before


@pytest.mark.parametrize(
    ("text", "matches"),
    [("aaa", True), ("aab", False), ("", False), ("b\0\n\r😀\ud800 a", True), ("\0", False)],
)
def test_the_helper_answers_for_any_text(runner: PatternRunner, text: str, matches: bool) -> None:
    """Line ends, NUL and emoji reach the helper as they are."""
    assert runner.matches(slow(), text) is matches


def test_long_texts_go_to_the_helper(runner: PatternRunner) -> None:
    """Text beyond 10,000 units is matched elsewhere, also by a plain pattern."""
    before = children()

    assert runner.matches(compile_pattern("b$"), "a" * 300_000 + "b") is True
    assert len(children() - before) == 1


def test_characters_beyond_16_bits_count_twice(runner: PatternRunner) -> None:
    """A length in a pattern means what it means in JavaScript, here and in the helper."""
    for source in ("^.{2}$", "^(.)(?!x).$"):
        assert runner.matches(compile_pattern(source), "😀") is True


def test_a_slow_check_ends_without_an_answer_and_the_next_one_works() -> None:
    """After the limit the helper is killed; a new one serves the next check, and none is left."""
    runner = PatternRunner(limit_s=0.5)
    before = children()

    assert runner.matches(slow(), "a" * 50 + "b") is None
    assert children() == before
    assert runner.matches(slow(), "aaa") is True
    runner.close()
    assert children() == before


def test_a_helper_that_died_is_replaced(runner: PatternRunner) -> None:
    """Somebody ends the helper between two checks: nobody notices."""
    before = children()
    runner.matches(slow(), "a")
    (helper,) = children() - before
    os.kill(helper, signal.SIGKILL)
    os.waitid(os.P_PID, helper, os.WEXITED | os.WNOWAIT)

    assert runner.matches(slow(), "aaa") is True


def test_many_threads_share_one_helper(runner: PatternRunner) -> None:
    """Each thread gets the answer to its own question."""
    before = children()
    answers: dict[int, list[bool | None]] = {}

    def ask(number: int) -> None:
        answers[number] = [
            runner.matches(slow(f"(a+)+{number}$"), f"aa{other}") for other in range(8)
        ]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == {number: [other == number for other in range(8)] for number in range(8)}
    assert len(children() - before) == 1


def test_a_closed_runner_starts_nothing() -> None:
    """After close, which may come twice, no helper comes back; plain patterns still run."""
    runner = PatternRunner()
    before = children()
    runner.close()
    runner.close()

    assert runner.matches(slow(), "aaa") is None
    assert runner.matches(compile_pattern("^a"), "a") is True
    assert children() == before


def test_a_pattern_of_the_past_that_cannot_be_translated_is_never_answered(
    runner: PatternRunner,
) -> None:
    """What no one can check is not let through."""
    assert runner.matches(uncheckable("(?<=a*)b", "why"), "b") is None


def test_the_slow_part_is_named_with_its_place() -> None:
    """The author of a definition learns which part to change."""
    pattern = compile_pattern("^😀[a-z]*a+b$")

    assert pattern.slowness == '"[a-z]*" at character 4 can take what comes after it as well'


def test_what_only_python_refuses_is_a_pattern_error() -> None:
    """A look-behind of varying width is named as the reason."""
    with pytest.raises(
        PatternError, match=r"look-behind requires fixed-width pattern.*character 2"
    ):
        compile_pattern("a(?<=b*)c")
