"""Random bodies for a collection with all field types: JSON as no serialiser would write it.

The texts are written by hand, so that escapes, number forms, duplicate keys and faults occur that
`json.dumps` never makes. The same seed gives the same bodies.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

NUMBERS: Final = (
    *("0", "-0", "-0.0", "0.0", "1", "-1", "3.0", "1.5e3", "1E2", "1e-7", "-1.5", "0.1"),
    *("0.30000000000000004", "5e-324", "2.2250738585072014e-308", "1.7976931348623157e308"),
    *("9007199254740991", "9007199254740993", "1e18", "1e19", "1e21", "1e22", "123456789e-5"),
    *("9223372036854775807", "-9223372036854775808", "9223372036854775808", "-9223372036854775809"),
    *("18446744073709551616", "123456789012345678901234567890", "1" + "0" * 308, "1" + "0" * 309),
)
"""Where integers, doubles and JavaScript's safe range begin and end."""

DATES: Final = (
    *("2026-11-23T16:05:48.347Z", "2026-11-23", "2026-11-23 16:05", "2026-11-23T16:05:48.123456"),
    *("2026-11-23T16:05:48+02:00", "2024-02-29", "2026-11-23T16:05Z"),
)
NO_DATES: Final = (
    "2026-02-30",
    "1",
    "x 1",
    "",
    "2026-13-01",
    "2026-11-23T25:00",
    "\u0662026-01-01",
)

ALPHABETS: Final = (
    "abcdefghijklmnopqrstuvwxyz ABC 0123456789",
    "äöüß¿éñ ΑΒΓ абв אבג العربية",
    "漢字かな한국어\u2028\u2029\ufeff\ufffd\u200b\u0301",
    "😀🏳️‍🌈𝒳𐍈\U0010ffff",
    "'\";--%_*?[]{}\\/<>&$`|",
)
WORDS: Final = (
    "NaN",
    "Infinity",
    "-Infinity",
    "undefined",
    "nul",
    "True",
    "'a'",
    "01",
    "+1",
    ".5",
    "1.",
)
"""What some take for JSON, and is none."""

ODD: Final = (
    *NUMBERS,
    *WORDS,
    *(f'"{text}"' for text in (*DATES, *NO_DATES, "true", "rec_none", "\\u0000", "a\\u0000b")),
    *("null", "true", "false", "[]", "{}", "[null]", '{"": 0}', "[true, 1, 1.0, -0, -0.0, 1e2]"),
    *('"\\ud800"', '"\\udc00\\ud800"', '["\\udfff"]', '{"\\ud800": 1}', '"\\ud83d\\ude00"'),
    *("1e400", "-1e400", "[1e400]", "9" * 401, f"[{'9' * 401}]", "9" * 5_000, f"0.{'1' * 400}"),
    *("[" * depth + "]" * depth for depth in (62, 63, 64, 65, 1_000, 50_000)),
)
"""Values that are at the edge of some type, or beyond."""


def pairs(names: Iterable[str]) -> Iterator[bytes]:
    """Yield a body for each odd value under each name, one at a time."""
    for name in names:
        for value in ODD:
            yield f'{{"{name}": {value}}}'.encode()


class Bodies:
    """A series of bodies; a fixed share of them holds each kind of trouble."""

    def __init__(self, seed: int, targets: Sequence[str]) -> None:
        """Begin a series.

        Args:
            seed: Says which.
            targets: Ids that a relation may have.
        """
        self._random = random.Random(seed)
        self._targets = targets
        self._kinds: tuple[Callable[[], bytes], ...] = (
            *(self._plain,) * 6,
            *(self._with(self._lone_surrogate), self._with(self._nul)),
            *(self._with(self._huge_number), self._with(self._infinity)),
            *(self._with(self._deep), self._with(self._word)),
            *(self._wrong_types, self._raw_bytes, self._torn, self._long),
        )

    def make(self, number: int) -> bytes:
        """Return the body of a number; they have to be asked for in order."""
        return self._kinds[number % len(self._kinds)]()

    # Kinds of bodies.

    def _plain(self) -> bytes:
        return self._object(self._members()).encode()

    def _with(self, value: Callable[[], str]) -> Callable[[], bytes]:
        def make() -> bytes:
            members = self._members()
            names = ["a_string", "a_text", "an_integer", "a_float", "a_json", "unknown"]
            name = self._random.choice(names)
            text = value()
            if name == "a_json":
                text = self._random.choice(["[{}]", '{{"deeper": [1, {}]}}']).format(text)
            # Behind the others: of equal keys the last one holds.
            return self._object([*members, (name, text)]).encode()

        return make

    def _wrong_types(self) -> bytes:
        members = [(name, self._scalar()) for name, _text in self._members()]
        return self._object(members).encode()

    def _raw_bytes(self) -> bytes:
        body = self._plain()
        place = self._random.randrange(len(body) + 1)
        noise = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x00", b"\xf4\x90\x80\x80", b"\xe2\x82"]
        return self._random.choice(
            [
                b"\xef\xbb\xbf" + body,
                body[:place] + self._random.choice(noise) + body[place:],
                b'{"a_text": "' + self._random.choice(noise) + b'"}',
                body.decode().encode("utf-16"),
                body.decode().encode("latin-1", "replace"),
            ]
        )

    def _torn(self) -> bytes:
        body = self._plain()
        return self._random.choice(
            [
                body[: self._random.randrange(len(body))],
                body + self._random.choice([b"}", b"{}", b",", b"\x00", b"x", b" \r\n\t"]),
                b"[" + body + b"]",
                self._random.choice([b"", b" ", b"null", b"1", b'"{}"', b"[]", b"true", b"{,}"]),
                body.replace(b'": ', b'"; ', 1),
            ]
        )

    def _long(self) -> bytes:
        length = self._random.choice([1_000, 10_000, 100_000, 100_000, 1_100_000])
        return self._object([("a_text", f'"{"ab" * (length // 2)}"'), *self._members()]).encode()

    # Values that are trouble.

    def _lone_surrogate(self) -> str:
        lone = self._random.choice(
            ["\\ud800", "\\udfff", "\\uDC00\\uD800", "\\ud83d\\ud83d\\ude00"]
        )
        return f'"{self._characters()}{lone}{self._characters()}"'

    def _nul(self) -> str:
        return f'"{self._characters()}\\u0000{self._characters()}"'

    def _huge_number(self) -> str:
        digits = "".join(
            self._random.choices("123456789", k=self._random.choice([401, 2_000, 5_000]))
        )
        return self._random.choice(
            [digits, f"-{digits}", f"0.{digits}", f"1.{digits}e-3", f"1e{digits}"]
        )

    def _infinity(self) -> str:
        return self._random.choice(["1e400", "-1e400", "1E+309", "1.8e308", f"{'9' * 350}.0"])

    def _deep(self) -> str:
        depth = self._random.choice([10, 60, 61, 62, 63, 64, 65, 66, 200, 2_000, 50_000])
        opening, closing = self._random.choice([("[", "]"), ('{"a":', "}")])
        return opening * depth + "1" + closing * depth

    def _word(self) -> str:
        return self._random.choice(WORDS)

    # Parts.

    def _members(self) -> list[tuple[str, str]]:
        """Return some of the fields with values that mostly fit, and some other keys."""
        values: dict[str, Callable[[], str]] = {
            "a_string": self._string,
            "a_text": self._string,
            "an_integer": lambda: self._random.choice(["7", "3.0", "-0", "1.5e3", *NUMBERS[-9:-7]]),
            "a_float": self._number,
            "a_boolean": lambda: self._random.choice(["true", "false"]),
            "a_datetime": lambda: f'"{self._random.choice(DATES)}"',
            "a_json": lambda: self._random.choice([self._array, self._map])(3),
            "a_relation": lambda: f'"{self._random.choice([*self._targets, ""])}"',
            "a_file": lambda: '""',
            "unknown": self._scalar,
            "id": self._string,
            "createdAt": self._string,
        }
        names = self._random.sample(sorted(values), k=self._random.randint(0, len(values)))
        members = [(name, values[name]()) for name in names]
        if members and self._random.random() < 0.1:
            name = self._random.choice(names)
            members.append((name, values[name]()))  # twice
        if members and self._random.random() < 0.1:
            members.append((self._random.choice(names), self._scalar()))
        return members

    def _object(self, members: Sequence[tuple[str, str]]) -> str:
        blank = self._random.choice(["", " ", "\n\t", "\r\n  "])
        return "{" + f",{blank}".join(f'"{name}": {text}' for name, text in members) + blank + "}"

    def _scalar(self) -> str:
        values: tuple[Callable[[], str], ...] = (
            lambda: self._random.choice(["null", "true", "false", '""', "[]", "{}"]),
            lambda: self._random.choice(NUMBERS),
            self._number,
            self._string,
            lambda: f'"{self._random.choice([*DATES, *NO_DATES])}"',
            lambda: f'"rec_{self._random.getrandbits(64)}"',
        )
        return self._random.choice(values)()

    def _number(self) -> str:
        number = self._random
        forms: tuple[Callable[[], str], ...] = (
            lambda: number.choice(NUMBERS[:20]),
            lambda: str(number.getrandbits(number.choice([8, 31, 53]))),
            lambda: repr(number.uniform(-1e6, 1e6)),
            lambda: repr(number.uniform(-1, 1) * 10.0 ** number.randint(-300, 300)),
            lambda: f"{number.random():.25f}",
        )
        return number.choice(forms)()

    def _string(self) -> str:
        return f'"{self._characters()}"'

    def _characters(self) -> str:
        letters = self._random.choices(
            self._random.choice(ALPHABETS), k=self._random.randint(0, 30)
        )
        return "".join(self._character(letter) for letter in letters)

    def _character(self, letter: str) -> str:
        """Write one character: as it is, or by one of its escapes."""
        if letter in '"\\':
            return "\\" + letter
        if self._random.random() < 0.8:
            return letter
        if letter == "/":
            return "\\/"
        units = letter.encode("utf-16-be")
        form = self._random.choice(["\\u{:04x}", "\\u{:04X}"])
        return "".join(
            form.format(int.from_bytes(units[at : at + 2], "big")) for at in range(0, len(units), 2)
        )

    def _value(self, depth: int) -> str:
        if depth and self._random.random() < 0.4:
            return self._random.choice([self._array, self._map])(depth - 1)
        return self._random.choice([self._string, self._number, self._scalar])()

    def _array(self, depth: int) -> str:
        return f"[{','.join(self._value(depth) for _ in range(self._random.randint(0, 4)))}]"

    def _map(self, depth: int) -> str:
        count = self._random.randint(0, 4)
        return self._object([(self._characters(), self._value(depth)) for _ in range(count)])
