"""`packages.txt`: what was asked for, one requirement a line, sorted, with the user's comments."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from bakend.errors import InvalidInputError
from bakend.structs import Struct

FILE: Final = "packages.txt"

_SEPARATORS: Final = re.compile(r"[-_.]+")
_VERSION: Final = r"(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+"
_REQUIREMENT: Final = re.compile(
    rf"""
    (?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)
    \s*(?P<extras>\[[A-Za-z0-9._,\s-]*\])?
    \s*(?P<versions>\(?\s*{_VERSION}(?:\s*,\s*{_VERSION})*\s*\)?)?
    \s*(?:;[^\r\n]+)?
    """,
    re.VERBOSE | re.ASCII,
)
"""A name, extras, versions, a marker. The marker and the finer points are judged by pip."""


class Requirement(Struct):
    """One package that was asked for."""

    name: str
    """In normal form: `Foo.Bar` is `foo-bar`."""
    text: str
    """As it was written."""


def normal_name(name: str) -> str:
    """Return the form under which all spellings of a package's name are one."""
    return _SEPARATORS.sub("-", name).lower()


def parse(text: str) -> Requirement:
    """Return a requirement such as `numpy`, `pillow>=11` or `httpx[http2]~=0.28`.

    Raises:
        InvalidInputError: It is something else: an address, a path, an option.
    """
    text = text.strip()
    found = _REQUIREMENT.fullmatch(text)
    if found is None:
        raise InvalidInputError(
            f'"{text}" is not the name of a package with its versions',
            hint='write it as pillow, "numpy>=2,<3" or "httpx[http2]"; addresses, paths and '
            "options cannot be locked",
        )
    return Requirement(normal_name(found["name"]), text)


def read(text: str) -> dict[str, Requirement]:
    """Return what a `packages.txt` asks for, by name.

    Raises:
        InvalidInputError: A line of it is no requirement.
    """
    found = (_of_line(line) for line in text.splitlines())
    return {each.name: each for each in found if each is not None}


def change(text: str, *, add: Iterable[Requirement] = (), remove: Iterable[str] = ()) -> str:
    """Return a `packages.txt` with requirements added or replaced, and others taken out.

    Comments at its beginning stay there; each other comment stays above the line that it is above.
    """
    added = {each.name: each.text for each in add}
    gone = {*remove, *added}
    head, entries, tail = _entries(text)
    comments = {name: above for name, above, _line in entries}
    kept = [entry for entry in entries if entry[0] not in gone]
    kept += [(name, comments.get(name, []), line) for name, line in added.items()]
    lines = [*head]
    for _name, above, line in sorted(kept, key=lambda entry: entry[0]):
        lines += [*above, line]
    return "".join(f"{line}\n" for line in [*lines, *tail])


def _entries(text: str) -> tuple[list[str], list[tuple[str, list[str], str]], list[str]]:
    """Return the comments of the file's head, each requirement with those above it, and the rest."""
    head: list[str] = []
    above: list[str] = []
    entries: list[tuple[str, list[str], str]] = []
    for line in text.splitlines():
        requirement = _of_line(line)
        if requirement is not None:
            entries.append((requirement.name, above, line.strip()))
            above = []
        elif line.strip() == "" and not entries and not head:
            head, above = [*above, ""], []  # a block of comments with an empty line behind it
        else:
            above.append(line)
    return head, entries, above


def _of_line(line: str) -> Requirement | None:
    asked = re.split(r"(?:\A|\s)#", line, maxsplit=1)[0].strip()
    return parse(asked) if asked else None
