"""How a value is written in `bakend.json` or in a variable, and what it means (pure).

A `Kind` reads the text of a variable into what JSON would hold, and parses that into the value
the rest of Bakend works with: seconds, bytes, networks. `show` is the way back:
`parse(show(value)) == value`.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from bakend.structs import Struct

from .secret import Secret

T = TypeVar("T")

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Synchronous: TypeAlias = Literal["full", "normal"]
DeletedUserData: TypeAlias = Literal["keep", "delete"]
LogFormat: TypeAlias = Literal["text", "json"]
LogLevel: TypeAlias = Literal["DEBUG", "INFO", "WARN", "ERROR"]

# Longer than any sensible time, and far below where datetime arithmetic overflows.
LONGEST_S: Final = 36_500 * 86_400

_UNITS_S: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_UNITS_BYTES: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
# Texts, which `re` compiles when they are first used: at most starts only the first one is.
_DURATION: Final = r"([0-9]{1,12})(ms|s|m|h|d)"
_SIZE: Final = r"([0-9]{1,15}) ?([A-Za-z]*)"
_INTEGER: Final = r"[+-]?[0-9]{1,15}"
_HOST: Final = r"(?!-)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"


class Kind(Struct, Generic[T], kw_only=True):
    """What one sort of setting may hold.

    `read` and `parse` raise ValueError; its text, where there is one, replaces the usual words:
    for `read` the rest of "Invalid X environment variable: …", for `parse` those of `expected`.
    """

    # The end of the sentence "port must be …".
    expected: str
    parse: Callable[[object], T]
    read: Callable[[str], object]
    show: Callable[[T], object]
    # For the reference: one or two values as they stand in bakend.json.
    example: str


def integer(lowest: int, highest: int) -> Kind[int]:
    """Whole numbers in a range, both ends included."""

    def parse(raw: object) -> int:
        # JSON has one kind of number: 8080.0 is an integer there. True is none.
        if isinstance(raw, float) and raw.is_integer():
            raw = int(raw)
        if isinstance(raw, bool) or not isinstance(raw, int) or not lowest <= raw <= highest:
            raise ValueError
        return raw

    return Kind(
        expected=f"an integer between {lowest} and {highest}",
        parse=parse,
        read=_read_integer,
        show=_same,
        example=f"{lowest} to {highest}",
    )


def duration(lowest_s: float = 0, highest_s: float = LONGEST_S) -> Kind[float]:
    """Seconds, written with a unit: 500ms, 5s, 15m, 1h, 7d."""

    def parse(raw: object) -> float:
        found = re.fullmatch(_DURATION, raw) if isinstance(raw, str) else None
        if found is None:
            raise ValueError
        count, unit = int(found[1]), found[2]
        seconds = count / 1_000 if unit == "ms" else float(count * _UNITS_S[unit])
        _within(seconds, lowest_s, highest_s, write_duration)
        return seconds

    return Kind(
        expected='a duration like "500ms", "5s", or "15m"',
        parse=parse,
        read=_read_text,
        show=write_duration,
        example='`"500ms"`, `"5s"`, `"15m"`',
    )


def whole_seconds(lowest_s: int = 0, highest_s: int = LONGEST_S) -> Kind[int]:
    """Whole seconds, written with a unit: 15m, 1h, 7d."""

    def parse(raw: object) -> int:
        found = re.fullmatch(_DURATION, raw) if isinstance(raw, str) else None
        if found is None or found[2] == "ms":
            raise ValueError
        seconds = int(found[1]) * int(_UNITS_S[found[2]])
        _within(seconds, lowest_s, highest_s, write_duration)
        return seconds

    return Kind(
        expected='a duration like "15m", "1h", or "7d"',
        parse=parse,
        read=_read_text,
        show=write_duration,
        example='`"15m"`, `"1h"`, `"7d"`',
    )


def size(lowest: int, highest: int) -> Kind[int]:
    """Bytes, written as a plain number or with a unit: 65536, "64 KiB", "1MiB", "10 MB"."""

    def parse(raw: object) -> int:
        if isinstance(raw, str):
            found = re.fullmatch(_SIZE, raw)
            if found is None or found[2].lower() not in _UNITS_BYTES:
                raise ValueError
            raw = int(found[1]) * _UNITS_BYTES[found[2].lower()]
        if isinstance(raw, bool) or not isinstance(raw, int):
            raise ValueError
        _within(raw, lowest, highest, write_size)
        return raw

    return Kind(
        expected='a size like 65536, "64 KiB", or "10 MB"',
        parse=parse,
        read=_read_text,
        show=write_size,
        example='`65536`, `"64 KiB"`, `"10 MB"`',
    )


def _parse_boolean(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError
    return raw


def _read_boolean(text: str) -> object:
    if text not in ("true", "false"):
        raise ValueError("must be 'true' or 'false'")
    return text == "true"


def _parse_path(raw: object) -> Path:
    # The folder it is relative to is known to load.py only.
    return Path(_text(raw))


def _parse_database(raw: object) -> Path:
    text = _text(raw)
    if text.strip() == ":memory:":
        raise ValueError('a file, as every thread would see a ":memory:" database of its own')
    return Path(text)


def _parse_schedule(raw: object) -> str | None:
    # Whether it makes sense is found out by who knows cron, when a server starts.
    text = _text(raw).strip()
    if text == "off":
        return None
    if not text.startswith("@") and len(text.split()) != 5:
        raise ValueError
    return text


def _parse_format(raw: object) -> LogFormat:
    if raw not in ("text", "json"):
        raise ValueError
    return raw


def _parse_level(raw: object) -> LogLevel:
    if raw not in ("DEBUG", "INFO", "WARN", "ERROR"):
        raise ValueError
    return raw


def _read_level(text: str) -> object:
    try:
        return _parse_level(text)
    except ValueError:
        raise ValueError(shorten(text)) from None


def _parse_synchronous(raw: object) -> Synchronous:
    if raw not in ("full", "normal"):
        raise ValueError
    return raw


def _parse_deleted_user_data(raw: object) -> DeletedUserData:
    if raw not in ("keep", "delete"):
        raise ValueError
    return raw


def _parse_host(raw: object) -> str | None:
    text = _text(raw)
    if text == "*":
        return None
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        if re.fullmatch(_HOST, text) is None:
            raise ValueError from None
        return text.lower()


def _parse_secret(raw: object) -> Secret:
    text = _text(raw)
    text.encode()  # it signs as UTF-8; UnicodeEncodeError is a ValueError that quotes no secret
    return Secret(text)


def _parse_networks(raw: object) -> tuple[Network, ...]:
    networks: list[Network] = []
    for item in _texts(raw):
        try:
            network = ipaddress.ip_network(item)
        except ValueError as error:
            raise ValueError(f"a list of addresses and networks ({error})") from None
        if network not in networks:
            networks.append(network)
    return tuple(networks)


def _parse_origins(raw: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_parse_origin(item) for item in _texts(raw)))


def _parse_origin(text: str) -> str:
    """Return an origin as browsers send it: scheme and host in small letters, no usual port."""
    if text in ("*", "localhost"):
        return text
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError from None
    rest = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    if not re.fullmatch(r"[!-~]+", text) or not parts.scheme or not parts.hostname or rest:
        raise ValueError
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


def write_duration(seconds: float) -> str:
    """Write seconds in the largest unit that leaves a whole number: 900 is `15m`."""
    thousandths = round(seconds * 1_000)
    for unit, factor in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)):
        if thousandths % factor == 0 and (thousandths or unit == "s"):
            return f"{thousandths // factor}{unit}"
    return f"{thousandths}ms"


def write_size(size_bytes: int) -> object:
    """Write bytes in the largest binary unit that leaves a whole number: 1048576 is `1 MiB`."""
    for unit, factor in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size_bytes and size_bytes % factor == 0:
            return f"{size_bytes // factor} {unit}"
    return size_bytes


def shorten(text: str) -> str:
    """Return a given text so that it fits a message: one line, printable, not long."""
    plain = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text[:81])
    return plain if len(text) <= 80 else plain[:80] + "…"


def _text(raw: object) -> str:
    """Return a text that is not blank and that a file name and UTF-8 can hold."""
    if not isinstance(raw, str) or not raw.strip() or "\0" in raw:
        raise ValueError
    try:
        os.fsencode(raw)
    except UnicodeEncodeError:
        raise ValueError from None
    return raw


def _texts(raw: object) -> list[str]:
    if not isinstance(raw, list) or not all(isinstance(item, str) for item in raw):
        raise ValueError
    return raw


def _within(number: float, lowest: float, highest: float, write: Callable[[int], object]) -> None:
    """Raise when a duration or size was understood and is out of its range."""
    if not lowest <= number <= highest:
        raise ValueError(f"between {write(int(lowest))} and {write(int(highest))}")


def _read_text(text: str) -> object:
    if not text.strip():
        raise ValueError("must be non-empty")
    return text


def _read_integer(text: str) -> object:
    if re.fullmatch(_INTEGER, text.strip()) is None:
        raise ValueError(shorten(text))
    return int(text)


def _read_list(text: str) -> object:
    # A comma-separated variable; an empty one is a slip as everywhere, "none" is the empty list.
    if not text.strip():
        raise ValueError("must be non-empty")
    if text.strip() == "none":
        return []
    return [item.strip() for item in text.split(",")]


def _same(value: object) -> object:
    return value


BOOLEAN: Final = Kind(
    expected="a boolean",
    parse=_parse_boolean,
    read=_read_boolean,
    show=_same,
    example="`true`, `false`",
)
PATH: Final = Kind(
    expected="a non-empty string", parse=_parse_path, read=_read_text, show=str, example="a path"
)
DATABASE: Final = Kind(
    expected="a non-empty string",
    parse=_parse_database,
    read=_read_text,
    show=str,
    example="a path",
)
OPTIONAL_PATH: Final[Kind[Path | None]] = Kind(
    expected="a non-empty string when set",
    parse=_parse_path,
    read=_read_text,
    show=lambda path: None if path is None else str(path),
    example="a path",
)
LOG_LEVEL: Final = Kind(
    expected="one of DEBUG, INFO, WARN, ERROR",
    parse=_parse_level,
    read=_read_level,
    show=_same,
    example="`DEBUG`, `INFO`, `WARN`, `ERROR`",
)
SCHEDULE: Final[Kind[str | None]] = Kind(
    expected='a cron expression like "0 3 * * *", a word like "@daily", or "off"',
    parse=_parse_schedule,
    read=_read_text,
    show=lambda text: "off" if text is None else text,
    example='`"0 3 * * *"`, `"@daily"`, `"off"`',
)
LOG_FORMAT: Final = Kind(
    expected="one of text, json",
    parse=_parse_format,
    read=_read_text,
    show=_same,
    example="`text`, `json`",
)
SYNCHRONOUS: Final = Kind(
    expected="one of full, normal",
    parse=_parse_synchronous,
    read=_read_text,
    show=_same,
    example="`full`, `normal`",
)
DELETED_USER_DATA: Final = Kind(
    expected="one of keep, delete",
    parse=_parse_deleted_user_data,
    read=_read_text,
    show=_same,
    example="`keep`, `delete`",
)
TRIES: Final = integer(0, 1_000_000)
HOST: Final[Kind[str | None]] = Kind(
    expected='an address, a host name, or "*"',
    parse=_parse_host,
    read=_read_text,
    show=lambda host: "*" if host is None else host,
    example='`"127.0.0.1"`, `"::1"`, `"*"`',
)
SECRET: Final[Kind[Secret | None]] = Kind(
    expected="a non-empty string",
    parse=_parse_secret,
    read=_read_text,
    show=lambda secret: None if secret is None else str(secret),
    example="a text of at least 32 bytes",
)
NETWORKS: Final = Kind(
    expected='a list of addresses and networks like ["10.0.0.1", "172.16.0.0/12"]',
    parse=_parse_networks,
    read=_read_list,
    show=lambda networks: [str(network) for network in networks],
    example='`["10.0.0.1", "172.16.0.0/12"]`',
)
ORIGINS: Final = Kind(
    expected='a list of origins like ["https://app.example.com"], "localhost", or "*"',
    parse=_parse_origins,
    read=_read_list,
    show=list,
    example='`["https://app.example.com"]`, `["localhost"]`, `["*"]`',
)
