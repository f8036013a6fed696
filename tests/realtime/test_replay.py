"""Catching up, against a log that grows meanwhile: what comes is the log, in order, without a gap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bakend.access import Viewers
from bakend.realtime.channels import covering
from bakend.realtime.hub import Told
from bakend.realtime.replay import HELD_MAX, CatchingUp

KINDS = ("a.created", "b.created", "c.created")


def told(seq: int, kind: str) -> Told:
    return Told(seq, covering(kind), Viewers(everyone=True), str(seq))


@given(
    st.lists(st.sampled_from(KINDS), max_size=60),
    st.integers(0, 30),
    st.integers(0, 30),
    st.integers(1, 7),
    st.lists(st.integers(0, 4), max_size=40),
    st.integers(0, 6),
    st.integers(0, 5),
)
def test_catching_up_is_without_gap(
    log: list[str], since: int, live: int, size: int, growth: list[int], turn: int, back: int
) -> None:
    """A channel gets all behind its number, another all behind what it had, whatever comes meanwhile.

    A third one asks at some time while the others catch up.
    """
    began = position = min(live, len(log))
    since = min(since, position)
    late = None
    state = CatchingUp(["b.*"], position)
    state.ask("a.*", since, position)
    sent: list[int] = []

    is_complete = False
    while not is_complete:
        after = state.begin_page(position)
        page = [told(seq, log[seq - 1]) for seq in range(after + 1, position + 1)][:size]
        for step in range(1 + (growth.pop() if growth else 0)):  # the live stream goes on
            if step and position < len(log):
                position += 1
                if not set(covering(log[position - 1])).isdisjoint(state.positions):
                    state.hold(position, covering(log[position - 1]), str(position))
            turn -= 1
            if turn == 0:
                late = max(0, position - back)
                state.ask("c.*", late, position)
        sent += [each.seq for each in page if state.is_news(each.seq, each.channels)]
        state.reached = page[-1].seq if len(page) == size else state.upto
        state.end_page()
        is_complete = state.is_complete()
    sent += [int(text) for text in state.held()]

    begins = {"a.created": since, "b.created": began}
    if late is not None:
        begins["c.created"] = late
    for kind in KINDS:
        assert [seq for seq in sent if log[seq - 1] == kind] == [
            seq
            for seq in range(1, position + 1)
            if log[seq - 1] == kind and seq > begins.get(kind, position)
        ]
    if late is None:
        assert sent == sorted(sent)


def test_what_is_too_much_to_hold_is_read_again() -> None:
    """Then the replay is not complete, and another page begins where this one ended."""
    state = CatchingUp([], 10)
    state.ask("a.*", 10, 10)
    assert state.begin_page(10) == 10
    for seq in range(11, 12 + HELD_MAX):
        state.hold(seq, ("a.*",), "text")
    state.reached = 10
    state.end_page()

    assert not state.is_complete()
    assert state.begin_page(11 + HELD_MAX) == 10


def test_a_channel_that_asks_in_the_middle_of_a_page_waits_for_the_next() -> None:
    """The page was not read for it."""
    state = CatchingUp([], 10)
    state.ask("a.*", 5, 10)
    state.begin_page(10)
    state.ask("b.*", 2, 10)
    state.reached = 10

    assert not state.is_news(7, ("b.*",))
    state.end_page()
    assert state.positions == {"a.*": 10, "b.*": 2}
    assert not state.is_complete()
    assert state.begin_page(10) == 2


def test_what_was_trimmed_is_lost_for_whom_it_was_news() -> None:
    """Event 6 is the oldest: who has 5 misses none."""
    state = CatchingUp(["b.*"], 5)
    state.ask("a.*", 3, 5)

    assert state.lost(6) == ["a.*"]
    state.settle("a.*", 9)
    assert state.asked == []


def test_a_channel_that_is_left_gets_nothing_more() -> None:
    """Neither of the page nor of what is held."""
    state = CatchingUp([], 5)
    state.ask("a.*", 0, 5)
    state.begin_page(5)
    state.hold(6, ("a.*",), "six")
    state.leave("a.*")

    assert not state.is_news(3, ("a.*",))
    assert state.held() == []
    assert state.is_complete()
