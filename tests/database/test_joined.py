"""Taking part in somebody's transaction, until one is shut out."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bakend.clock import SystemClock
from bakend.database.connection import Database
from bakend.database.joined import Joined
from bakend.database.transaction import Transaction
from bakend.errors import UserCodeError, ValidationError
from bakend.events.event import Draft, file_uploaded


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    """An open transaction; what is in it is rolled back."""
    database = Database(tmp_path / "test.db", clock=SystemClock())
    database.open()
    with contextlib.suppress(InterruptedError), database.write() as opened:
        opened.execute("CREATE TABLE t (n INTEGER)")
        yield opened
        raise InterruptedError
    database.close()


def join(tx: Transaction) -> Joined:
    return Joined(tx, ends_at=0.0)


def numbers(tx: Transaction) -> list[int]:
    return [row[0] for row in tx.all("SELECT n FROM t ORDER BY n")]


def a_draft() -> Draft:
    return file_uploaded({"id": "fil_1"})


def test_a_block_that_fails_leaves_what_was_before(tx: Transaction) -> None:
    """At each depth, rows and events alike."""
    outer = join(tx)
    with outer.write() as part:
        part.execute("INSERT INTO t VALUES (1)")
        part.emit(a_draft())
        inner = join(outer)
        with contextlib.suppress(KeyError), inner.write() as deeper:
            deeper.execute("INSERT INTO t VALUES (2)")
            deeper.emit(a_draft())
            raise KeyError
        with inner.read() as snapshot:
            assert snapshot.value("SELECT count(*) FROM t") == 1

    assert (numbers(tx), len(tx.drafts)) == ([1], 1)


def test_nothing_passes_once_it_is_shut_out(tx: Transaction) -> None:
    """Not by it, nor by who joined it; the one who let it in goes on."""
    outer = join(tx)
    inner = join(outer)
    outer.shut_out()

    for part in (outer, inner):
        with pytest.raises(UserCodeError, match="has ended"):
            part.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(UserCodeError, match="has ended"):
            part.emit(a_draft())
        with pytest.raises(UserCodeError, match="has ended"), part.write():
            pass
    tx.execute("INSERT INTO t VALUES (2)")
    assert (numbers(tx), tx.drafts) == ([2], [])


def test_a_block_that_is_shut_out_half_way_is_the_outer_ones_to_undo(tx: Transaction) -> None:
    """It cannot take back events that were told after it."""
    outer, part = join(tx), None
    with contextlib.suppress(KeyError), outer.write():
        part = join(outer)
        with pytest.raises(KeyError), part.write() as deeper:
            deeper.execute("INSERT INTO t VALUES (1)")
            part.shut_out()
            tx.emit(a_draft())
            raise KeyError
        assert len(tx.drafts) == 1
        raise KeyError

    assert (numbers(tx), tx.drafts) == ([], [])


@pytest.mark.parametrize(
    "sql",
    [
        "COMMIT",
        " end transaction",
        "rollback",
        "ROLLBACK TO joined",
        "SAVEPOINT x",
        "RELEASE joined",
        "BEGIN",
        "; COMMIT",
        "-- why\nCOMMIT",
        "/* a */ /* b */COMMIT",
        "\ufeffCOMMIT",
    ],
)
def test_whoever_takes_part_cannot_end_it(tx: Transaction, sql: str) -> None:
    """However it is written."""
    part = join(tx)
    for call in (part.execute, part.all, part.one):
        with pytest.raises(UserCodeError, match="part of a transaction that others end"):
            call(sql)
    part.execute("INSERT INTO t VALUES (1)")
    assert numbers(tx) == [1]


@pytest.mark.parametrize("sql", ["SELECT 1 AS commits", "SELECT 'COMMIT'", "-- COMMIT\nSELECT 1"])
def test_words_in_other_places_are_no_harm(tx: Transaction, sql: str) -> None:
    """Only the first one says what a statement is."""
    assert len(join(tx).all(sql)) == 1


def test_a_statement_that_runs_is_broken_off(tx: Transaction) -> None:
    """`shut_out` returns, and the transaction can go on."""
    part, errors = join(tx), list[BaseException]()
    begun = threading.Event()

    def run() -> None:
        begun.set()
        try:
            part.all(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
                " SELECT count(*) FROM n"
            )
        except Exception as error:  # noqa: BLE001  which one is looked at below
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    part.shut_out()
    thread.join()

    assert len(errors) == 1
    tx.execute("INSERT INTO t VALUES (1)")
    assert numbers(tx) == [1]


def test_what_sqlite_took_back_is_lost_for_all(tx: Transaction) -> None:
    """Nothing more is done by anybody who takes part, at whatever depth."""
    outer = join(tx)
    inner = join(outer)
    inner.execute("CREATE UNIQUE INDEX i ON t (n)")
    inner.execute("INSERT INTO t VALUES (1)")

    with pytest.raises(ValidationError):
        inner.execute("INSERT OR ROLLBACK INTO t VALUES (1)")

    for part in (inner, outer):
        assert part.loss is not None
        with pytest.raises(UserCodeError, match="has ended"):
            part.execute("CREATE TABLE u (n)")
