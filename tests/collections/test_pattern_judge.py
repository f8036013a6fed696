"""Which patterns are known to be fast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bakend.collections.pattern_judge import judge
from bakend.collections.pattern_syntax import (
    Char,
    Choice,
    Edge,
    Group,
    Node,
    Repeat,
    Series,
    parse,
)
from bakend.errors import PatternError

PARTS = (
    *("a", "b", "[ab]", "[^a]", ".", "$", "|", "(", "(", ")", ")", "*", "+", "?", "{2}", "{0,3}"),
    *("(?:", "(?=", "\\b", "\\w", "-", "a*", "b+", "(a|b)", "(ab)*", "(a+)?", "^", "\\1", "*?"),
)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^$",
        "[A-Z]",
        "^[A-Z]",
        "draft|live",
        "^(draft|published|archived)$",
        "^[a-z0-9-]+$",
        "^[a-z][a-z0-9_]{0,31}$",
        r"^[^@\s]+@[^@\s]+$",
        r"^\+?[0-9]{7,15}$",
        r"^https?://\S+$",
        r"^\d{4}-\d{2}-\d{2}$",
        "^#(?:[0-9a-f]{3}){1,2}$",
        r"^-?\d+(\.\d+)?$",
        "^([0-9a-f]{2})+$",
        "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
        "^.*$",
    ],
)
def test_everyday_patterns_are_plain(pattern: str) -> None:
    """Patterns that cannot be slow need no helper."""
    assert judge(parse(pattern)).is_plain


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "^(a+)+$",
        "(a|aa)+$",
        "^(a|a){30}b",
        "^" + "(a|a)" * 30 + "b",
        "(a?){30}a{30}",
        "^(a?){30}a{30}$",
        "^" + "a?" * 30 + "a" * 30 + "$",
        r"^\s+|\s+$",
        r"\s+$",
        r"^(\w+\s?)*$",
        ".*a.*b.*c",
        "^.*a.*b.*c",
        "^.*.*=.*",
        "(x+x+)+y",
        "^a*b*a*$",
        "^a{0,1000}a{0,1000}$",
        "^(.*?,){11}P",
        r"^([a-zA-Z0-9])(([-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3}))$",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        "^(?:(?:a{0,50}){0,50}){0,50}$",
        "^(ab|a)*b$",
        "(a{1000}){1000}",
        r"(.)\1+",
        r"^(a)\1$",
        "(?=a+)b",
        "(?<=a)b",
        "(?:){1000000000}",
        "(?:(?:a?)*)*$",
        r"(?:\b)*a",
        r"\b" * 500,
    ],
)
def test_patterns_that_may_be_slow_are_not_plain(pattern: str) -> None:
    """A pattern that could hold the process, or that nobody vouches for, names its culprit."""
    verdict = judge(parse(pattern))

    assert not verdict.is_plain
    assert verdict.culprit is not None
    assert verdict.reason


def steps(root: Node, text: str, most: int) -> int:
    """Search as `re` does, by trying, and count how often it looks; stop beyond `most`."""
    count = 0

    def count_up() -> None:
        nonlocal count
        count += 1
        if count > most:
            raise OverflowError

    def ends(node: Node, at: int) -> Iterator[int]:
        match node:
            case Char():
                count_up()
                unit = ord(text[at]) if at < len(text) else -1
                if any(low <= unit <= high for low, high in node.chars):
                    yield at + 1
            case Edge():
                count_up()
                if node.kind not in "^$" or at == {"^": 0, "$": len(text)}[node.kind]:
                    yield at  # a word's edge: as if it were one everywhere, which costs the most
            case Group():
                yield from ends(node.body, at)
            case Series():
                yield from series(node.items, at)
            case Choice():
                for branch in node.branches:
                    yield from ends(branch, at)
            case Repeat():
                yield from repeated(node, at, 0)

    def series(items: tuple[Node, ...], at: int) -> Iterator[int]:
        if not items:
            yield at
            return
        for end in ends(items[0], at):
            yield from series(items[1:], end)

    def repeated(node: Repeat, at: int, times: int) -> Iterator[int]:
        if node.is_lazy and times >= node.least:
            yield at
        if node.most is None or times < node.most:
            for end in ends(node.body, at):
                yield from repeated(node, end, times + 1)
        if not node.is_lazy and times >= node.least:
            yield at

    with suppress(OverflowError):
        for start in range(len(text) + 1):
            if any(True for _ in ends(root, start)):
                break
    return count


TIMES = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,3}", "+?"])
TERMS = st.recursive(
    st.builds("{}{}".format, st.sampled_from(["a", "b", "[ab]", "[^a]", ".", "-"]), TIMES),
    lambda inner: st.builds(
        "({}){}".format,
        st.lists(st.lists(inner, max_size=3).map("".join), min_size=1, max_size=3).map("|".join),
        TIMES,
    ),
    max_leaves=4,
)
PATTERNS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["^", "^", "^", ""]),
    st.lists(TERMS, max_size=4).map("".join),
    st.sampled_from(["", "$", "-"]),
)


@given(PATTERNS, st.sampled_from(["a", "ab", "b", "-"]), st.sampled_from(["", "!", "b!", "a!"]))
@example("^a*[ab]*$", "a", "!")
@example("^a*b*a*$", "a", "!")
@example("^a*b?[ab]*-", "a", "!")
@example("^(a|b|ab|ba){9}-", "ab", "!")
@example("[ab]*-", "a", "!")
@example("^(a+)*$", "a", "!")
def test_a_plain_pattern_needs_few_steps_on_every_text(
    pattern: str, repeated: str, ending: str
) -> None:
    """Trying all ways looks at no more characters than the verdict says, or twice as many."""
    text = (repeated * 80)[:80] + ending
    root = parse(pattern)
    verdict = judge(root, text_length=len(text))
    if verdict.is_plain:
        most = 2 * verdict.steps
        assert steps(root, text, most) <= most


@given(st.lists(st.sampled_from(PARTS)).map("".join) | st.text())
def test_the_judge_never_raises(source: str) -> None:
    """Every pattern that can be read gets a verdict."""
    try:
        root = parse(source)
    except PatternError:
        return

    assert judge(root).steps >= 0
