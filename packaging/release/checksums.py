"""Checksums beside the assets, with bare names: `sha256sum -c` works where they were downloaded to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

ALL: Final = "SHA256SUMS"


def write_checksums(assets: Iterable[Path], output: Path) -> list[Path]:
    """Write `<asset>.sha256` for each asset, and `SHA256SUMS` of all; return what was written.

    Assets of other targets that SHA256SUMS names already stay in it: one release has several.
    """
    lines = {}
    total = output / ALL
    if total.exists():
        for line in total.read_text().splitlines():
            if (found := re.fullmatch(r"[0-9a-f]{64}  (\S+)", line)) and (
                output / found[1]
            ).exists():
                lines[found[1]] = line
    written = []
    for asset in assets:
        lines[asset.name] = f"{hashlib.sha256(asset.read_bytes()).hexdigest()}  {asset.name}"
        beside = output / f"{asset.name}.sha256"
        beside.write_text(lines[asset.name] + "\n")
        written.append(beside)
    total.write_text("".join(f"{lines[name]}\n" for name in sorted(lines)))
    return [*written, total]
