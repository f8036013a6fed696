"""The licence texts of everything that is linked in, read from the sources they belong to."""

from __future__ import annotations

import re
from pathlib import Path

from interpreter.progress import BuildError


def read_licence(source: Path, *candidates: str) -> str:
    """Return a licence from the first file that is there; of C code, the comment it begins with."""
    for name in candidates:
        file = source / name
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            return leading_comment(text, file) if file.suffix in {".c", ".h"} else text
    raise BuildError(
        f"{source.name} has none of {', '.join(candidates)}, so its licence is not known"
    )


def leading_comment(text: str, file: Path) -> str:
    """Return the text of the comment a C file begins with."""
    found = re.match(r"\s*/\*(.*?)\*/", text, re.DOTALL)
    if found is None:
        raise BuildError(f"{file} does not begin with its licence")
    lines = (re.sub(r"^ ?\*+ ?", "", line).rstrip() for line in found[1].split("\n"))
    return "\n".join(lines).strip() + "\n"
