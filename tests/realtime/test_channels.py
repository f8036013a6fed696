"""Channels: their form, and what they cover."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bakend.realtime.channels import covering, is_valid

WORDS = st.lists(st.text("abc_-1", min_size=1, max_size=3), min_size=1, max_size=5)


@pytest.mark.parametrize(
    "channel", ["posts.created", "posts.*", "system.*", "posts.cre*", "posts", "A-b_9.x", "a" * 200]
)
def test_a_channel_has_this_form(channel: str) -> None:
    """Words with points between them; behind the first point also stars."""
    assert is_valid(channel)


@pytest.mark.parametrize(
    "channel", ["", "*", "*.created", "posts.", ".posts", "a..b", "a b", "ä.*", "a.*\n", "a" * 201]
)
def test_no_channel_has_this_form(channel: str) -> None:
    """Nothing else is a channel."""
    assert not is_valid(channel)


def test_a_star_covers_any_depth() -> None:
    """`system.*` covers what is two words deep; a bare word or half a word covers nothing."""
    assert covering("system.collection.created") == (
        "system.collection.created",
        "system.collection.*",
        "system.*",
    )
    assert covering("posts.created") == ("posts.created", "posts.*")


@given(WORDS, WORDS)
def test_what_covers_is_the_type_or_a_beginning_of_it(kind: list[str], other: list[str]) -> None:
    """A channel covers a type if it is the type, or ends in `.*` and the type begins like it."""
    name = ".".join(kind)
    for channel in (".".join(other), ".".join([*other, "*"])):
        covers = channel == name or (channel.endswith(".*") and name.startswith(channel[:-1]))
        assert (channel in covering(name)) == covers
