"""Which patterns may run inside the server: those that are fast on every text.

`re` tries one possibility after the other, and a text can be made for which some patterns try
billions. A pattern is plain when that cannot happen. It is taken apart into paths, one for each way
through its alternatives; all that `re` tries belongs to one of them. A path is cheap when

- it begins with `^`: otherwise it is tried from every place of the text; or it is short and nothing
  in it repeats;
- each repeat in it can end at one place only, because whatever may come next begins with a
  character that the repeat does not take. Giving one back then fails at once.

So a path costs at most its text once, and once again for each repeat and edge in it. Patterns
outside of these rules may be fast as well: they are only not known to be, and run in the helper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bakend.collections.pattern_syntax import (
    Char,
    CharSet,
    Choice,
    Edge,
    Group,
    Look,
    Node,
    Reference,
    Repeat,
    Series,
    overlap,
)
from bakend.structs import Struct

MAX_TEXT: Final = 10_000
"""UTF-16 units of a text that a plain pattern is tried on inside the server."""
MAX_STEPS: Final = 1_000_000
"""Characters that `re` may look at for one text; about 20 ms, measured with CPython 3.11."""

_MAX_PATHS: Final = 100
_MAX_ITEMS: Final = 10_000  # of all paths together: memory and time of this judgement


class _Item(Struct):
    """A run of characters, always taken whole, or (where it varies) several times or not at all."""

    node: Node
    first: CharSet
    """What it can begin with."""
    width: int
    varies: bool = False
    can_be_absent: bool = False


_Path = tuple[_Item | Edge, ...]


class Verdict(Struct):
    """What a pattern may cost, or which part of it makes that unknown."""

    steps: int
    """Most characters looked at; 0 where it is not known."""
    culprit: Node | None = None
    reason: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether the pattern is fast on every text of the given length."""
        return self.culprit is None


class _NotPlain(Exception):
    def __init__(self, culprit: Node, reason: str) -> None:
        super().__init__(reason)
        self.verdict = Verdict(0, culprit, reason)


def judge(root: Node, *, text_length: int = MAX_TEXT) -> Verdict:
    """Say whether a pattern is plain, for texts up to a length."""
    try:
        steps = sum(_cost(path, root, text_length) for path in _paths(root))
    except _NotPlain as answer:
        return answer.verdict
    if steps > MAX_STEPS:
        return Verdict(0, root, "may look at the text too often")
    return Verdict(steps)


def _paths(node: Node) -> list[_Path]:
    match node:
        case Char():
            return [(_Item(node, node.chars, 1),)]
        case Edge():
            return [(node,)]
        case Group():
            return _paths(node.body)
        case Reference(number=0):
            return [()]
        case Reference():
            raise _NotPlain(node, "refers back")
        case Look():
            raise _NotPlain(node, "looks around")
        case Repeat():
            return _repeat_paths(node)
        case Series():
            paths: list[_Path] = [()]
            for item in node.items:
                paths = _joined(paths, _paths(item), node)
            return paths
        case Choice():
            return _checked([path for branch in node.branches for path in _paths(branch)], node)
    raise TypeError(node)


def _repeat_paths(node: Repeat) -> list[_Path]:
    if node.most == 0:
        return [()]
    body = _paths(node.body)
    if all(not path for path in body):
        raise _NotPlain(node, "repeats nothing")  # and `re` counts how often
    if node.least == node.most:
        if isinstance(node.body, Char):
            return [(_Item(node, node.body.chars, node.least),)]
        paths: list[_Path] = [()]
        for _ in range(node.least):  # ends early: each round adds an item, and they are limited
            paths = _joined(paths, body, node)
        return paths
    if (node.least, node.most) == (0, 1) and not isinstance(node.body, Char):
        return _checked([(), *body], node)
    if len(body) > 1:
        raise _NotPlain(node, "repeats alternatives")
    items = [item for item in body[0] if isinstance(item, _Item) and not item.varies]
    if len(items) < len(body[0]):
        raise _NotPlain(node, "repeats what varies by itself")
    width = sum(item.width for item in items)
    return [(_Item(node, items[0].first, width, varies=True, can_be_absent=node.least == 0),)]


def _joined(left: Sequence[_Path], right: Sequence[_Path], node: Node) -> list[_Path]:
    if len(left) * len(right) > _MAX_PATHS:
        raise _NotPlain(node, "has too many alternatives")
    return _checked([one + other for one in left for other in right], node)


def _checked(paths: list[_Path], node: Node) -> list[_Path]:
    if len(paths) > _MAX_PATHS:
        raise _NotPlain(node, "has too many alternatives")
    if sum(len(path) for path in paths) > _MAX_ITEMS:
        raise _NotPlain(node, "is too long when its repeats are written out")
    return paths


def _cost(path: _Path, root: Node, text_length: int) -> int:
    """Return how many characters one path looks at, or raise why that is not known."""
    varying = [item for item in path if isinstance(item, _Item) and item.varies]
    width = sum(item.width for item in path if isinstance(item, _Item) and not item.varies)
    edges = sum(isinstance(item, Edge) for item in path)
    is_anchored = bool(path) and isinstance(path[0], Edge) and path[0].kind == "^"
    if not is_anchored:
        if varying:
            raise _NotPlain(root, "repeats something and may begin anywhere (no ^ at its start)")
        return (text_length + 1) * (1 + width + edges)
    for place, item in enumerate(path):
        if isinstance(item, _Item) and item.varies:
            _check_end(item, path[place + 1 :])
    if not varying:
        return text_length + width + edges  # `re` looks for the start of the text everywhere
    return (text_length + width) * (1 + len(varying) + edges)


def _check_end(repeat: _Item, rest: _Path) -> None:
    """Refuse a repeat that could end at several places."""
    for following in rest:
        if isinstance(following, Edge):
            if following.kind == "$":
                return
            continue
        if overlap(repeat.first, following.first):
            raise _NotPlain(repeat.node, "can take what comes after it as well")
        if not following.can_be_absent:
            return
