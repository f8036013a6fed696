"""How backups are called (pure).

`bakend-backup-2026-11-25T21-00-00-000Z.tar.gz`, as the original; `bakend-scheduled-…` for those that the
server makes by itself, which are the only ones that it also removes. Before an upgrade of the schema
the database alone is copied to `before-schema-6-….db`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["backup", "scheduled"]

SUFFIX: Final = ".tar.gz"
UNFINISHED: Final = ".unfinished"

_NAME: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,180}\.tar\.gz"
_TIMED: Final = r"bakend-(backup|scheduled)-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z)\.tar\.gz"


def new_name(kind: Kind, moment: datetime) -> str:
    """Return the name of a backup that is begun at a moment."""
    return f"bakend-{kind}-{in_name(moment)}{SUFFIX}"


def in_name(moment: datetime) -> str:
    """Return a moment as a name has it: `2026-11-25T21-00-00-000Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return text.replace(":", "-").replace(".", "-")


def is_name(text: str) -> bool:
    """Tell whether a text names an archive in a folder, and cannot lead anywhere else."""
    return re.fullmatch(_NAME, text) is not None


def moment_of(name: str) -> datetime | None:
    """Return when a backup was begun, as its name says it; None for a name of other people's."""
    found = re.fullmatch(_TIMED, name)
    if found is None:
        return None
    try:
        return datetime.strptime(found[2], "%Y-%m-%dT%H-%M-%S-%fZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def is_scheduled(name: str) -> bool:
    """Tell whether the server has made it by itself."""
    return name.startswith("bakend-scheduled-") and moment_of(name) is not None
