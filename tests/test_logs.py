from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import re
import resource
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bakend.clock import SystemClock
from bakend.logs import RECENT_LINES, ROTATE_BYTES, Format, Level, Logs, configure, request_id

LOG = logging.getLogger("bakend.test")
LINE = re.compile(r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] (DEBUG|INFO|WARN|ERROR) .*")


class Clock(SystemClock):
    """A clock that stands until it is told to move."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 11, 23, 16, 5, 5, 853_000, UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Log:
    """A configured log whose stderr is a text."""

    def __init__(self, logs: Logs, stream: io.StringIO, clock: Clock) -> None:
        self.logs = logs
        self.stream = stream
        self.clock = clock

    def text(self) -> str:
        return self.stream.getvalue()


class Setup:
    """Makes logs and closes them."""

    def __init__(self) -> None:
        self.made: list[Logs] = []

    def __call__(
        self, level: Level = "INFO", log_file: Path | None = None, form: Format = "text"
    ) -> Log:
        stream, clock = io.StringIO(), Clock()
        logs = configure(level=level, clock=clock, log_file=log_file, stream=stream, form=form)
        self.made.append(logs)
        return Log(logs, stream, clock)


@pytest.fixture
def setup() -> Iterator[Setup]:
    made = Setup()
    yield made
    for logs in reversed(made.made):
        logs.close()


def test_line_has_time_level_and_message(setup: Setup) -> None:
    """A record is one line with the clock's time in milliseconds."""
    log = setup("DEBUG")

    LOG.debug("a")
    LOG.info("b %s", 1)
    log.clock.seconds = 1
    LOG.warning("c")
    LOG.error("d")
    LOG.critical("e")

    assert log.text() == (
        "[2026-11-23T16:05:05.853Z] DEBUG a\n"
        "[2026-11-23T16:05:05.853Z] INFO b 1\n"
        "[2026-11-23T16:05:06.853Z] WARN c\n"
        "[2026-11-23T16:05:06.853Z] ERROR d\n"
        "[2026-11-23T16:05:06.853Z] ERROR e\n"
    )


@pytest.mark.parametrize(
    ("level", "expected"),
    [("DEBUG", "diwe"), ("INFO", "iwe"), ("WARN", "we"), ("ERROR", "e")],
)
def test_threshold_holds_for_stderr_and_memory(setup: Setup, level: Level, expected: str) -> None:
    """What is below the level is neither written nor remembered."""
    log = setup(level)

    LOG.debug("d")
    LOG.info("i")
    LOG.warning("w")
    LOG.error("e")

    assert [line.message for line in log.logs.recent()] == list(expected)
    assert [line[-1] for line in log.text().splitlines()] == list(expected)


def test_recent_keeps_the_last_lines_oldest_first(setup: Setup) -> None:
    """The ring holds 500 lines; a limit takes the newest, a level the severe ones."""
    log = setup()

    for number in range(RECENT_LINES + 10):
        LOG.log(logging.WARNING if number % 100 == 0 else logging.INFO, "%d", number)

    kept = log.logs.recent(10_000)
    assert [line.message for line in kept] == [str(n) for n in range(10, RECENT_LINES + 10)]
    assert [line.message for line in log.logs.recent(2)] == ["508", "509"]
    assert [line.message for line in log.logs.recent(2, "WARN")] == ["400", "500"]
    assert log.logs.recent(0) == []


def test_lines_after_a_number_come_without_a_gap(setup: Setup) -> None:
    """Whoever goes on from the last line he has seen misses none, however few he takes at once."""
    log = setup()
    for number in range(5):
        LOG.info("%d", number)

    seen, after = [], 0
    while lines := log.logs.recent(2, after=after):
        seen += [line.message for line in lines]
        after = lines[-1].seq

    assert seen == ["0", "1", "2", "3", "4"]


def test_numbers_of_lines_go_on_after_a_restart(setup: Setup) -> None:
    """A number of an earlier run is lower than each of the next one."""
    first = setup()
    LOG.info("a")
    LOG.info("b")
    first.logs.close()
    second = setup()
    second.clock.seconds = 1
    LOG.info("c")

    before, after = first.logs.recent()[-1].seq, second.logs.recent()[0].seq
    assert before < after


def test_lines_are_searched_whatever_their_case(setup: Setup) -> None:
    """A part of a message is enough, in a traceback as well; a limit counts what was found."""
    log = setup()
    LOG.info("Größe")
    LOG.info("other")
    try:
        raise ValueError("größer")
    except ValueError:
        LOG.exception("failed")

    found = log.logs.recent(search="GRÖSSE")

    assert [line.level for line in found] == ["INFO", "ERROR"]
    assert [line.level for line in log.logs.recent(1, search="grösse")] == ["ERROR"]
    assert log.logs.recent(search="nothing") == []


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("a\n[2026-11-23T16:05:05.853Z] ERROR b", "a\\n[2026-11-23T16:05:05.853Z] ERROR b"),
        ("a\r\tb", "a\\r\\tb"),
        ("\x1b[31mred\x00\x7f\x9b", "\\x1b[31mred\\x00\\x7f\\x9b"),
        ("a\u2028b\u2029c\x85d", "a\\u2028b\\u2029c\\x85d"),
        ("a\u202eb", "a\\u202eb"),
        ("\ud800", "\\ud800"),
        ("Grüße, 世界 🎉", "Grüße, 世界 🎉"),
    ],
)
def test_nobody_can_forge_a_line(setup: Setup, message: str, expected: str) -> None:
    """Control characters, separators and surrogates of a message are written as escapes."""
    log = setup()

    LOG.info("%s", message)

    assert log.text() == f"[2026-11-23T16:05:05.853Z] INFO {expected}\n"


def test_traceback_follows_indented(setup: Setup) -> None:
    """The lines of a traceback are indented, so that no text in it looks like a record."""
    log = setup()

    try:
        raise ValueError("x\n[2026-11-23T16:05:05.853Z] ERROR forged\rmore ?token=abc")
    except ValueError:
        LOG.exception("It failed")

    first, *rest = log.text().removesuffix("\n").split("\n")
    assert first == "[2026-11-23T16:05:05.853Z] ERROR It failed"
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1] == "    [2026-11-23T16:05:05.853Z] ERROR forged\\rmore ?token=***"
    assert len(log.logs.recent()) == 1


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("GET /realtime?token=a.b-c&x=1", "GET /realtime?token=***&x=1"),
        ("GET /r?x=1&TOKEN=abc 200", "GET /r?x=1&TOKEN=*** 200"),
        ("{'Authorization': 'Bearer a.b-c'}", "{'Authorization': 'Bearer ***'}"),
        ("bearer\nabc", "bearer\\n***"),
        ("/r?refresh_token=abc#d", "/r?refresh_token=***#d"),
        ("/r?tokens=2", "/r?tokens=2"),
    ],
)
def test_tokens_are_masked(setup: Setup, message: str, expected: str) -> None:
    """Access tokens in a URL or a header reach no line."""
    log = setup()

    LOG.info("%s", message)

    assert log.logs.recent()[0].message == expected
    assert log.text().endswith(f" {expected}\n")


def test_other_libraries_only_warn(setup: Setup) -> None:
    """Warnings of other libraries come with their name, their information does not come."""
    log = setup("DEBUG")

    logging.getLogger("elsewhere").info("quiet")
    logging.getLogger("elsewhere").warning("loud")
    logging.getLogger("bakendish").warning("loud")

    assert [line.message for line in log.logs.recent()] == ["elsewhere: loud", "bakendish: loud"]


def test_message_that_cannot_be_formatted_is_still_logged(setup: Setup) -> None:
    """A log call with wrong arguments, or one whose text fails, raises nothing."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no")

    log = setup()
    wrong: Any = "x"

    LOG.info("a %d", wrong)
    LOG.info("b %s", Broken())

    assert [line.message for line in log.logs.recent()] == [
        "'a %d' (its arguments do not fit)",
        "'b %s' (its arguments do not fit)",
    ]


def test_long_message_is_cut(setup: Setup) -> None:
    """A message cannot fill memory and disk."""
    log = setup()

    LOG.info("x" * 100_000)

    assert log.logs.recent()[0].message.endswith("x… (91808 more characters)")
    assert len(log.text()) < 10_000


def test_file_gets_the_same_lines(setup: Setup, tmp_path: Path) -> None:
    """The file's folder is made, and it holds what stderr got; others cannot read it."""
    path = tmp_path / "logs" / "deep" / "bakend.log"
    log = setup(log_file=path)

    LOG.info("Grüße")
    LOG.warning("b\nc")

    assert path.read_text(encoding="utf-8") == log.text()
    assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0


def test_file_turns_over(setup: Setup, tmp_path: Path) -> None:
    """At 5 MiB the file becomes .1 and .1 becomes .2; nothing older is kept."""
    path = tmp_path / "bakend.log"
    setup(log_file=path)
    parts = [path, tmp_path / "bakend.log.1", tmp_path / "bakend.log.2"]

    for name in ("first", "second", "third"):
        path.write_bytes(name.encode().ljust(ROTATE_BYTES - 1, b"."))
        LOG.info("%s is not yet full", name)
        assert path.stat().st_size > ROTATE_BYTES
        LOG.info("%s is full", name)

    assert path.read_text().endswith("third is full\n")
    assert parts[1].read_bytes().startswith(b"third.")
    assert parts[2].read_bytes().startswith(b"second.")
    assert sorted(tmp_path.iterdir()) == parts


def test_file_that_was_moved_away_is_made_again(setup: Setup, tmp_path: Path) -> None:
    """After another process moved the file, lines go on under its name."""
    path = tmp_path / "bakend.log"
    setup(log_file=path)
    LOG.info("before")
    path.rename(tmp_path / "moved")

    LOG.info("after")

    assert "after" in path.read_text()
    assert "after" not in (tmp_path / "moved").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_full_disk_is_told_once_a_minute(setup: Setup) -> None:
    """A file that cannot be written stops nobody; stderr says so, at most once a minute."""
    log = setup(log_file=Path("/dev/full"))
    complaint = "[2026-11-23T16:05:05.853Z] WARN Cannot write the log file /dev/full: No space"

    for _ in range(3):
        LOG.info("a")
    assert log.text().count("Cannot write") == 1
    assert complaint in log.text()
    assert log.text().count(" INFO a\n") == 3

    log.clock.seconds = 59
    LOG.info("a")
    assert log.text().count("Cannot write") == 1
    log.clock.seconds = 60
    LOG.info("a")
    assert log.text().count("Cannot write") == 2


def test_folder_that_cannot_be_made_reaches_nobody(setup: Setup, tmp_path: Path) -> None:
    """A log file in an impossible place costs a warning, not the start."""
    (tmp_path / "file").touch()
    log = setup(log_file=tmp_path / "file" / "bakend.log")

    LOG.info("a")

    assert [line.level for line in log.logs.recent()] == ["INFO", "WARN"]


def test_line_after_a_torn_one_starts_anew(setup: Setup, tmp_path: Path) -> None:
    """When the disk took half a line, the next one does not stick to it."""
    path = tmp_path / "bakend.log"
    log = setup(log_file=path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        LOG.info("torn")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    LOG.info("whole")

    assert path.read_text() == "[2026-11-2\n[2026-11-23T16:05:05.853Z] INFO whole\n"
    assert "WARN Cannot write the log file" in log.text()


def test_broken_stderr_kills_nobody() -> None:
    """A closed pipe at the other end of stderr raises nothing, and memory goes on."""
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    logs = configure(level="INFO", clock=Clock(), stream=stream)
    try:
        LOG.info("a")
        with contextlib.suppress(OSError):
            stream.close()
        LOG.info("b")
        assert [line.message for line in logs.recent()] == ["a", "b"]
    finally:
        logs.close()


def test_stderr_is_looked_up_for_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a stream the lines go to what stderr is at that time."""
    logs = configure(level="INFO", clock=Clock())
    try:
        LOG.info("a")
    finally:
        logs.close()

    assert capsys.readouterr().err == "[2026-11-23T16:05:05.853Z] INFO a\n"


def test_threads_do_not_mix_lines(setup: Setup, tmp_path: Path) -> None:
    """Lines of many threads are whole, and in one order everywhere."""
    path = tmp_path / "bakend.log"
    log = setup(log_file=path)
    barrier = threading.Barrier(8)

    def write(name: int) -> None:
        barrier.wait(10)
        for number in range(50):
            LOG.info("thread %d line %d", name, number)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    lines = log.text().splitlines()
    assert len(lines) == 400
    assert all(LINE.fullmatch(line) for line in lines)
    assert path.read_text() == log.text()
    assert [line.text for line in log.logs.recent(500)] == lines


def test_close_puts_everything_back(setup: Setup, tmp_path: Path) -> None:
    """After close the loggers are as before, and a second close changes nothing."""
    ours, others = logging.getLogger("bakend"), logging.getLogger()

    def state() -> tuple[object, ...]:
        return ours.level, ours.propagate, list(ours.handlers), list(others.handlers)

    before = state()
    first = setup("ERROR", tmp_path / "bakend.log")
    LOG.error("a")
    first.logs.close()
    assert state() == before
    second = setup("DEBUG")
    first.logs.close()
    LOG.debug("b")

    assert [line.message for line in second.logs.recent()] == ["b"]
    assert [line.message for line in first.logs.recent()] == ["a"]


def test_json_has_an_object_a_line(setup: Setup, tmp_path: Path) -> None:
    """With the logger and the request; a traceback breaks no line, nobody forges one."""
    log = setup(log_file=tmp_path / "log", form="json")
    LOG.info("hello\n%s Bearer abc.def", "x")
    token = request_id.set("req_1")
    try:
        raise ValueError("bad")
    except ValueError:
        LOG.exception("failed")
    finally:
        request_id.reset(token)

    first, second = (json.loads(line) for line in log.text().splitlines())
    assert first == {
        "time": "2026-11-23T16:05:05.853Z",
        "level": "INFO",
        "message": "hello\\nx Bearer ***",
        "logger": "bakend.test",
        "requestId": None,
    }
    assert (second["level"], second["requestId"]) == ("ERROR", "req_1")
    assert "ValueError: bad" in second["message"]
    assert (tmp_path / "log").read_text() == log.text()
