"""Who tries too often is made to wait; who is right is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bakend.auth.throttle import Limit, Throttle, account_of, network_of
from bakend.database.connection import Database
from bakend.database.migrations import migrate
from bakend.errors import RateLimitedError
from bakend.testing import FakeClock

LIMITS = (Limit("few", 3, 60), Limit("many", 5, 600), Limit("off", 0, 60))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def throttle(clock: FakeClock) -> Throttle:
    return Throttle(clock, LIMITS)


@pytest.fixture
def database(tmp_path: Path, clock: FakeClock) -> Iterator[Database]:
    database = Database(tmp_path / "bakend.db", clock=clock)
    database.open()
    migrate(database, report=print, copies_to=None)
    yield database
    database.close()


def fill(throttle: Throttle, count: int, **who: str) -> None:
    for _ in range(count):
        throttle.begin(who)


def test_a_window_slides(throttle: Throttle, clock: FakeClock) -> None:
    """As soon as the oldest try has left it, there is room for one more."""
    fill(throttle, 2, few="a")
    clock.advance(20)
    fill(throttle, 1, few="a")

    with pytest.raises(RateLimitedError) as caught:
        throttle.begin({"few": "a"})

    assert caught.value.retry_after_s == 40
    clock.advance(40)
    fill(throttle, 2, few="a")
    with pytest.raises(RateLimitedError):
        throttle.begin({"few": "a"})


def test_others_are_not_touched(throttle: Throttle) -> None:
    """A window belongs to one address or account."""
    fill(throttle, 3, few="a")

    fill(throttle, 3, few="b")


def test_a_try_that_turns_out_well_does_not_count(throttle: Throttle) -> None:
    """Who knows his password may log in as often as he likes."""
    for _ in range(10):
        throttle.forgive(throttle.begin({"few": "a", "many": "a"}))

    fill(throttle, 3, few="a")


def test_a_refused_try_counts_nowhere(throttle: Throttle, clock: FakeClock) -> None:
    """Else whoever is refused by one window would fill the others."""
    fill(throttle, 3, few="a")
    for _ in range(10):
        with pytest.raises(RateLimitedError):
            throttle.begin({"few": "a", "many": "a"})

    fill(throttle, 5, many="a")


def test_the_fullest_window_says_how_long(throttle: Throttle) -> None:
    """Coming back earlier would only be refused by the next window."""
    fill(throttle, 3, few="a")
    fill(throttle, 5, many="a")

    with pytest.raises(RateLimitedError) as caught:
        throttle.begin({"few": "a", "many": "a"})

    assert caught.value.retry_after_s == 600


def test_zero_is_no_limit(throttle: Throttle) -> None:
    """A limit of nought is switched off."""
    fill(throttle, 1_000, off="a")


def test_a_restart_forgives_nothing(
    throttle: Throttle, clock: FakeClock, database: Database
) -> None:
    """What was counted is in the table, and counts on."""
    fill(throttle, 3, few="a")
    throttle.forgive(throttle.begin({"few": "b"}))
    with database.write() as tx:
        throttle.save(tx)
    assert throttle.is_saved()
    clock.advance(59)

    after = Throttle(clock, LIMITS)
    with database.read() as snapshot:
        after.load(snapshot)

    with pytest.raises(RateLimitedError) as caught:
        after.begin({"few": "a"})
    assert caught.value.retry_after_s == 1
    fill(after, 3, few="b")


def test_what_no_longer_counts_is_forgotten(
    throttle: Throttle, clock: FakeClock, database: Database
) -> None:
    """The table holds what may still refuse somebody, and no more."""
    fill(throttle, 3, few="a", many="a")
    with database.write() as tx:
        throttle.save(tx)
    clock.advance(61)

    with database.write() as tx:
        throttle.save(tx)

    with database.read() as snapshot:
        assert [row["key"] for row in snapshot.all("SELECT key FROM _throttle")] == ["many:a"]


def test_a_clock_set_back_does_not_lock_out(throttle: Throttle) -> None:
    """Tries of a time that has not come do not count."""
    fill(throttle, 3, few="a")
    throttle._clock = FakeClock(throttle._clock.now().replace(year=2020))

    fill(throttle, 3, few="a")


def test_memory_is_bounded(throttle: Throttle, monkeypatch: pytest.MonkeyPatch) -> None:
    """A million addresses do not fill the memory: the oldest are forgotten."""
    monkeypatch.setattr("bakend.auth.throttle.KEYS_MAX", 100)
    for number in range(1_000):
        throttle.begin({"few": str(number)})

    assert len(throttle._windows) == 100


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("nonsense", "nonsense"),
    ],
)
def test_what_one_customer_has_counts_as_one(address: str, network: str) -> None:
    """Of IPv6 everybody has a whole /64."""
    assert network_of(address) == network


def test_accounts_are_not_listed() -> None:
    """The table has no addresses of people in it."""
    assert "ada" not in account_of("ada@example.com")
    assert account_of("ada@example.com") != account_of("bob@example.com")
