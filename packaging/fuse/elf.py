"""The one thing that is done to an ELF file here: a section is added at its end.

What `objcopy --add-section` does, without it: the result depends on no version of binutils, and a file for
another processor needs no other tool. The section is not loaded, and `strip` leaves it whole.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from fuse.problems import FuseError

HEADER: Final = struct.Struct("<16sHHIQQQIHHHHHH")
SECTION: Final = struct.Struct("<IIQQQQIIQQ")
PROGBITS: Final = 1
ELF64_LITTLE_ENDIAN: Final = b"\x7fELF\x02\x01"


@dataclass(frozen=True, slots=True)
class Sections:
    """The table of sections of a file."""

    rows: tuple[tuple[int, ...], ...]
    names_at: int
    """Which of them holds the names."""

    @classmethod
    def read(cls, file: bytes) -> Sections:
        """Find the table.

        Raises:
            FuseError: It is not an ELF file of 64 bits, or has none.
        """
        if not file.startswith(ELF64_LITTLE_ENDIAN):
            raise FuseError("it is no ELF file of 64 bits, little-endian")
        *_, offset, _, _, _, _, size, count, names_at = HEADER.unpack_from(file)
        if not count or size != SECTION.size:
            raise FuseError("it has no table of sections")
        table = file[offset : offset + count * size]
        return cls(tuple(SECTION.iter_unpack(table)), names_at)

    def content(self, file: bytes, row: int) -> bytes:
        """Return what a section holds."""
        offset, size = self.rows[row][4:6]
        return file[offset : offset + size]

    def find(self, file: bytes, name: str) -> int | None:
        """Return the number of the section of that name."""
        names = self.content(file, self.names_at)
        for number, row in enumerate(self.rows):
            if names[row[0] : names.index(b"\0", row[0])] == name.encode():
                return number
        return None


def add_section(file: bytes, name: str, content: bytes) -> bytes:
    """Return the file with one section more, followed by nothing but the names and the table.

    Raises:
        FuseError: It is not what a linker leaves, or has such a section.
    """
    sections = Sections.read(file)
    if sections.find(file, name) is not None:
        raise FuseError(f"it has a section {name} already")
    names = sections.content(file, sections.names_at)

    # The old table stays where it is: nothing points to it any more.
    body = bytearray(file)
    content_at = _append(body, content, align=16)
    names_at = _append(body, names + name.encode() + b"\0", align=1)
    rows = list(sections.rows)
    old_names = list(rows[sections.names_at])
    old_names[4:6] = [names_at, len(names) + len(name) + 1]
    rows[sections.names_at] = tuple(old_names)
    rows.append((len(names), PROGBITS, 0, 0, content_at, len(content), 0, 0, 1, 0))
    table_at = _append(body, b"".join(SECTION.pack(*row) for row in rows), align=8)

    header = list(HEADER.unpack_from(body))
    header[6], header[12] = table_at, len(rows)
    HEADER.pack_into(body, 0, *header)
    return bytes(body)


def section(file: bytes, name: str) -> bytes | None:
    """Return what a section holds; None when there is none of that name."""
    sections = Sections.read(file)
    number = sections.find(file, name)
    return None if number is None else sections.content(file, number)


def _append(body: bytearray, content: bytes, *, align: int) -> int:
    body.extend(b"\0" * (-len(body) % align))
    offset = len(body)
    body.extend(content)
    return offset
