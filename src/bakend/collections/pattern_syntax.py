"""JavaScript's regular expressions: read into a tree, written again for Python's `re`.

Read as a browser reads them without flags (ECMA-262 with its Annex B): over UTF-16 units, ASCII
classes, `{`, `}` and `]` literal where they end nothing. What Python cannot do is refused, with its
place. One known difference stays: when a repeat around a group goes on, JavaScript forgets what the
group took, and Python does not.
"""

from __future__ import annotations

import re
from typing import Final

from bakend.errors import PatternError
from bakend.structs import Struct

MAX_LENGTH: Final = 2_000
"""UTF-16 units of one pattern: longer ones are lists of words, which belong elsewhere."""
MAX_DEPTH: Final = 50
"""Groups inside each other; each costs a level of recursion, here and in `re`."""

CharSet = tuple[tuple[int, int], ...]
"""UTF-16 units as sorted ranges, both ends included, none touching another."""

_LAST: Final = 0xFFFF
# Python's `re` takes repeats up to 2**32 - 1; no text has as many characters as this.
_ENDLESS: Final = 2**31

_DIGIT: Final[CharSet] = ((0x30, 0x39),)
_WORD: Final[CharSet] = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
# ECMA-262, WhiteSpace and LineTerminator.
_SPACE: Final[CharSet] = (
    (0x09, 0x0D),
    (0x20, 0x20),
    (0xA0, 0xA0),
    (0x1680, 0x1680),
    (0x2000, 0x200A),
    (0x2028, 0x2029),
    (0x202F, 0x202F),
    (0x205F, 0x205F),
    (0x3000, 0x3000),
    (0xFEFF, 0xFEFF),
)
_LINE_END: Final[CharSet] = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
_CONTROLS: Final = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}

_QUANTIFIER: Final = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_NAME: Final = re.compile(r"<([^\W\d][\w$]*|\$[\w$]*)>")
_OCTAL: Final = re.compile(r"[0-3][0-7]{0,2}|[4-7][0-7]?")


class Node(Struct):
    """A part of a pattern, from `at` up to `end` in its UTF-16 units."""

    at: int
    end: int


class Char(Node):
    """One unit out of a set."""

    chars: CharSet


class Edge(Node):
    """A place: `^`, `$`, `b` or `B`."""

    kind: str


class Group(Node):
    """Parentheses; `number` is 0 where they capture nothing."""

    number: int
    body: Node


class Look(Node):
    """A look ahead or behind: `=`, `!`, `<=` or `<!`."""

    kind: str
    body: Node


class Reference(Node):
    """What a group took, or nothing where it took nothing; `number` 0 is always nothing."""

    number: int


class Repeat(Node):
    """From `least` to `most` times; None is endless."""

    body: Node
    least: int
    most: int | None
    is_lazy: bool


class Series(Node):
    """One after the other."""

    items: tuple[Node, ...]


class Choice(Node):
    """One of several, the first that leads to a match."""

    branches: tuple[Node, ...]


def units(text: str) -> str:
    """Write each character beyond U+FFFF as its two surrogates, as JavaScript counts them."""
    if text.isascii() or max(text) <= "\uffff":
        return text
    return "".join(
        character
        if character <= "\uffff"
        else chr(0xD7C0 + (ord(character) >> 10)) + chr(0xDC00 + (ord(character) & 0x3FF))
        for character in text
    )


def parse(source: str) -> Node:
    """Read a pattern.

    Raises:
        PatternError: It is not JavaScript, or not for Python.
    """
    source = units(source)
    if len(source) > MAX_LENGTH:
        raise PatternError(f"longer than {MAX_LENGTH:,} characters", MAX_LENGTH)
    return _Parser(source).pattern()


def to_python(node: Node) -> str:
    """Write a tree for `re`, to be searched for in `units(text)` with `re.ASCII`."""
    match node:
        case Char():
            return _write_set(node.chars)
        case Edge():
            # Python's \B differs from JavaScript's on an empty text, before 3.14.
            return {"^": "^", "$": r"\Z", "b": r"\b", "B": r"(?!\b)"}[node.kind]
        case Group():
            opening = f"(?P<g{node.number}>" if node.number else "(?:"
            return f"{opening}{to_python(node.body)})"
        case Look():
            return f"(?{node.kind}{to_python(node.body)})"
        case Reference():
            group = f"g{node.number}"
            return f"(?({group})(?P={group}))" if node.number else ""
        case Repeat():
            return _write_repeat(node)
        case Series():
            return "".join(to_python(item) for item in node.items)
        case Choice():
            return "|".join(to_python(branch) for branch in node.branches)
    raise TypeError(node)


def invert(chars: CharSet) -> CharSet:
    """Return every unit that is not in a set."""
    gaps: list[tuple[int, int]] = []
    start = 0
    for low, high in chars:
        if start < low:
            gaps.append((start, low - 1))
        start = high + 1
    if start <= _LAST:
        gaps.append((start, _LAST))
    return tuple(gaps)


def overlap(one: CharSet, other: CharSet) -> bool:
    """Say whether two sets have a unit in common."""
    return any(low <= high2 and low2 <= high for low, high in one for low2, high2 in other)


def _union(*sets: CharSet) -> CharSet:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(part for chars in sets for part in chars):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _write_set(chars: CharSet) -> str:
    if not chars:
        return "(?!)"
    if chars[0][0] == chars[0][1] and len(chars) == 1:
        return _write_char(chars[0][0])
    parts = (
        _write_char(low) + (f"-{_write_char(high)}" if high > low else "") for low, high in chars
    )
    return f"[{''.join(parts)}]"


def _write_char(unit: int) -> str:
    character = chr(unit)
    if character.isascii() and character.isalnum():
        return character
    return f"\\x{unit:02x}" if unit <= 0xFF else f"\\u{unit:04x}"


def _write_repeat(node: Repeat) -> str:
    body = to_python(node.body)
    if not isinstance(node.body, Char | Group) or not body:
        body = f"(?:{body})"
    least = min(node.least, _ENDLESS)
    most = "" if node.most is None else str(min(node.most, _ENDLESS))
    if str(least) == most:
        return f"{body}{{{least}}}"  # being lazy makes no difference
    times = {"0,": "*", "1,": "+", "0,1": "?"}.get(f"{least},{most}", f"{{{least},{most}}}")
    return f"{body}{times}{'?' if node.is_lazy else ''}"


class _Parser:
    """Reads one pattern from left to right, one level of recursion for each group."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0
        self._behind = 0
        """How many look-behinds are open."""
        self._opened = 0
        """How many capturing groups have begun; their numbers."""
        self._closed: set[int] = set()
        """Numbers of the capturing groups that have ended."""
        self._groups, self._names = _count_groups(source)

    def pattern(self) -> Node:
        tree = self._choice()
        if self._at < len(self._source):
            raise PatternError("a ) without its (", self._at)
        return tree

    def _peek(self, text: str) -> bool:
        return self._source.startswith(text, self._at)

    def _take(self, text: str) -> bool:
        if not self._peek(text):
            return False
        self._at += len(text)
        return True

    def _choice(self) -> Node:
        at = self._at
        branches = [self._series()]
        while self._take("|"):
            branches.append(self._series())
        return branches[0] if len(branches) == 1 else Choice(at, self._at, tuple(branches))

    def _series(self) -> Node:
        at = self._at
        items: list[Node] = []
        while self._at < len(self._source) and self._source[self._at] not in "|)":
            items.append(self._repeated())
        return items[0] if len(items) == 1 else Series(at, self._at, tuple(items))

    def _repeated(self) -> Node:
        at = self._at
        item = self._item()
        times = self._times()
        if times is None:
            return item
        if isinstance(item, Edge) or (isinstance(item, Look) and "<" in item.kind):
            raise PatternError("nothing to repeat", at)
        least, most = times
        if most is not None and most < least:
            raise PatternError("a repeat from more to less", at)
        is_lazy = self._take("?")
        return Repeat(at, self._at, item, least, most, is_lazy)

    def _times(self) -> tuple[int, int | None] | None:
        if self._take("*"):
            return 0, None
        if self._take("+"):
            return 1, None
        if self._take("?"):
            return 0, 1
        found = _QUANTIFIER.match(self._source, self._at)
        if found is None:
            return None
        self._at = found.end()
        least = int(found[1])
        if found[2] is None:
            return least, least
        return least, int(found[3]) if found[3] else None

    def _item(self) -> Node:
        at = self._at
        character = self._source[at]
        if character in "*+?" or _QUANTIFIER.match(self._source, at):
            raise PatternError("nothing to repeat", at)
        self._at += 1
        if character in "^$":
            return Edge(at, self._at, character)
        if character == "(":
            return self._group(at)
        if character == "\\":
            return self._escape(at)
        if character == "[":
            chars = self._set(at)
        elif character == ".":
            chars = invert(_LINE_END)
        else:
            chars = _single(ord(character))
        return Char(at, self._at, chars)

    def _group(self, at: int) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise PatternError(f"more than {MAX_DEPTH} groups inside each other", at)
        number = 0
        look = ""
        if not self._take("?"):
            number = self._open()
        elif not self._take(":"):
            look = next((kind for kind in ("=", "!", "<=", "<!") if self._take(kind)), "")
            if not look:
                name = _NAME.match(self._source, self._at)
                if name is None:
                    raise PatternError("an unknown kind of group", at)
                self._at = name.end()
                number = self._open()
        self._behind += "<" in look
        body = self._choice()
        self._behind -= "<" in look
        if not self._take(")"):
            raise PatternError("a ( without its )", at)
        self._depth -= 1
        if look:
            return Look(at, self._at, look, body)
        if number:
            self._closed.add(number)
        return Group(at, self._at, number, body)

    def _open(self) -> int:
        self._opened += 1
        return self._opened

    def _escape(self, at: int) -> Node:
        if self._take("b"):
            return Edge(at, self._at, "b")
        if self._take("B"):
            return Edge(at, self._at, "B")
        if self._names and self._take("k"):
            name = _NAME.match(self._source, self._at)
            if name is None or name[1] not in self._names:
                raise PatternError("a reference to an unknown group", at)
            self._at = name.end()
            return self._reference(at, self._names[name[1]])
        number = re.compile("[1-9][0-9]*").match(self._source, self._at)
        if number is not None and int(number[0]) <= self._groups:
            self._at = number.end()
            return self._reference(at, int(number[0]))
        chars = self._char_escape(at)
        return Char(at, self._at, chars)

    def _reference(self, at: int, number: int) -> Reference:
        if self._behind:
            raise PatternError("a reference inside a look-behind, which Python reads otherwise", at)
        # To a group that has not ended: it has taken nothing yet.
        return Reference(at, self._at, number if number in self._closed else 0)

    def _char_escape(self, at: int, *, in_set: bool = False) -> CharSet:
        """Read what follows a backslash where it stands for characters."""
        if self._at >= len(self._source):
            raise PatternError("a \\ with nothing after it", at)
        if self._peek("c"):
            return self._control(in_set=in_set)
        octal = _OCTAL.match(self._source, self._at)
        if octal is not None:
            self._at = octal.end()
            return _single(int(octal[0], 8))
        character = self._source[self._at]
        self._at += 1
        if character in _CONTROLS:
            return _single(_CONTROLS[character])
        if character in "dDwWsS":
            chars = {"d": _DIGIT, "w": _WORD, "s": _SPACE}[character.lower()]
            return chars if character.islower() else invert(chars)
        if character in "xu":
            length = 2 if character == "x" else 4
            digits = self._source[self._at : self._at + length]
            if re.fullmatch(f"[0-9A-Fa-f]{{{length}}}", digits):
                self._at += length
                return _single(int(digits, 16))
        return _single(ord(character))

    def _control(self, *, in_set: bool) -> CharSet:
        following = self._source[self._at + 1 : self._at + 2]
        is_control = following.isascii() and (
            following.isalpha() or (in_set and (following.isdigit() or following == "_"))
        )
        if not is_control:  # the backslash is a character then, and the c stands for itself
            return _single(ord("\\"))
        self._at += 2
        return _single(ord(following) % 32)

    def _set(self, at: int) -> CharSet:
        is_negated = self._take("^")
        sets: list[CharSet] = []
        while not self._take("]"):
            start_at = self._at
            first = self._set_char(at)
            if not self._peek("-") or self._source.startswith("-]", self._at):
                sets.append(first)
                continue
            self._at += 1
            last = self._set_char(at)
            if _size(first) != 1 or _size(last) != 1:  # [\w-x]: the dash is a character
                sets += [first, _single(ord("-")), last]
            elif last[0][0] < first[0][0]:
                raise PatternError("a range from high to low", start_at)
            else:
                sets.append(((first[0][0], last[0][0]),))
        chars = _union(*sets)
        return invert(chars) if is_negated else chars

    def _set_char(self, at: int) -> CharSet:
        if self._at >= len(self._source):
            raise PatternError("a [ without its ]", at)
        if self._take("\\"):
            if self._take("b"):
                return _single(0x08)
            return self._char_escape(at, in_set=True)
        self._at += 1
        return _single(ord(self._source[self._at - 1]))


def _single(unit: int) -> CharSet:
    return ((unit, unit),)


def _size(chars: CharSet) -> int:
    return sum(high - low + 1 for low, high in chars)


def _count_groups(source: str) -> tuple[int, dict[str, int]]:
    """Return how many groups capture, and the numbers of those with a name.

    Needed before reading: whether `\\2` is a reference depends on what comes after it.
    """
    count = 0
    names: dict[str, int] = {}
    for part in re.finditer(r"\\.|\[(?:\\.|[^\]\\])*\]?|\(\?<(?![=!])|\((?!\?)", source, re.DOTALL):
        if not part[0].startswith("("):
            continue
        count += 1
        if part[0] == "(":
            continue
        name = _NAME.match(source, part.start() + 2)
        if name is None:
            raise PatternError("a group without a proper name", part.start())
        if name[1] in names:
            raise PatternError("a second group of the same name", part.start())
        names[name[1]] = count
    return count, names
