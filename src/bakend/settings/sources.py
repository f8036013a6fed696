"""Reads what people wrote: bakend.json and .env, as plain values with the place they stand at.

Both files are the user's: whatever is in them becomes a fault with a sentence, never a traceback.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from io import StringIO
from pathlib import Path
from typing import Final, NoReturn

from bakend.errors import SettingsError

from .values import shorten

# Real ones have less than a kilobyte; a wrong path must not read a disk image into memory.
_LARGEST_BYTES: Final = 1024 * 1024


def read_config(path: Path) -> dict[str, object] | None:
    """Return the object in a config file; None when there is no such file.

    Raises:
        SettingsError: It cannot be read, is no JSON, or no object.
    """
    text = _read(path, "config file")
    if text is None:
        return None
    try:
        root = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except RecursionError:
        raise _bad_json(path, "nested too deeply") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _bad_json(path, f"{where}: {error.msg}") from None
    except ValueError as error:
        raise _bad_json(path, str(error)) from None
    if not isinstance(root, dict):
        raise SettingsError([f"Invalid config: config root must be an object (in {path})"])
    return root


def read_dotenv(path: Path) -> dict[str, str]:
    """Return the variables of a `.env` file; none when there is no such file.

    `${NAME}` stays as it is written: expanding it would read the environment behind our back.

    Raises:
        SettingsError: It cannot be read, or a line makes no sense.
    """
    text = _read(path, "environment file")
    if text is None:
        return {}
    # Here, because most projects have no such file, and the library takes 5 ms of a start.
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    # dotenv_values only logs a line it cannot read, and a setting would be lost quietly.
    bad = [each.original.line for each in parse_stream(StringIO(text)) if each.error]
    if bad:
        raise SettingsError([f"Invalid line {line} in {path}" for line in bad])
    found = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value or "" for name, value in found.items()}


def flatten(
    root: dict[str, object], *, known: Collection[str], path_sections: Collection[str]
) -> Iterator[tuple[str, object]]:
    """Yield `(dotted key, value)` for each value in a config file.

    Sections may be objects, dotted keys or both: {"limits": {"jsonDepth": 8}} is the same as
    {"limits.jsonDepth": 8}. A key that leads nowhere is yielded as it stands, with what it holds.
    """
    sections = {key.rpartition(".")[0] for key in known} - {""} | set(path_sections)
    aliases = {f"{section}.path": section for section in path_sections}
    for key, value in root.items():
        if isinstance(value, dict) and key in sections:
            for inner, item in value.items():
                dotted = f"{key}.{inner}"
                yield aliases.get(dotted, dotted), item
        else:
            yield aliases.get(key, key), value


def _read(path: Path, what: str) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, what, error.strerror or str(error)) from None
    if len(content) > _LARGEST_BYTES:
        raise _unreadable(path, what, "it is larger than 1 MiB")
    try:
        return content.decode("utf-8-sig")  # Windows editors write a byte order mark
    except UnicodeDecodeError as error:
        raise _unreadable(path, what, f"byte {error.start} is not UTF-8") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'the key "{shorten(twice)}" is there twice')
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _bad_json(path: Path, reason: str) -> SettingsError:
    return SettingsError([f"Invalid JSON in config file at {path}: {reason}"])


def _unreadable(path: Path, what: str, reason: str) -> SettingsError:
    return SettingsError([f"Failed to read {what} at {path}: {reason}"])
