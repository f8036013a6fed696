"""What is published beside the executable; everything is read from the executable itself.

    python3.13 -s -S -P -B -m release.release EXECUTABLE ZIPAPP LICENCE EXAMPLE OUTPUT

Runs on the Python that the executable carries, as the fuse step does, and prints the names it wrote.
"""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path

from release.checksums import write_checksums
from release.sbom import bill_of_materials
from release.tarball import Member, tarball


def release(
    executable: Path, zipapp: Path, licence: Path, example: Path, output: Path
) -> list[Path]:
    """Write tarball, alias, bill of materials and checksums; return them and the zipapp."""
    with zipfile.ZipFile(executable) as inside:
        about = json.loads(inside.read("bak.json"))
        terms = inside.read("licences/THIRD_PARTY_LICENSES")
    version, target = about["version"], about["target"]

    packed = output / f"bakend-v{version}-{target}.tar.gz"
    packed.write_bytes(
        tarball(
            [
                Member("bak", executable.read_bytes(), is_program=True),
                Member("LICENSE", licence.read_bytes()),
                Member("THIRD_PARTY_LICENSES", terms),
                Member("bakend.json.example", example.read_bytes()),
            ],
            about["builtAt"],
        )
    )
    latest = output / f"bakend-latest-{target}.tar.gz"
    shutil.copyfile(packed, latest)
    bill = output / f"bakend-v{version}.cdx.json"
    bill.write_text(bill_of_materials(about))
    assets = [packed, latest, zipapp, bill]
    return [*assets, *write_checksums(assets, output)]


def main() -> int:
    """Do it, and print the names."""
    for file in release(*map(Path, sys.argv[1:])):
        sys.stdout.write(f"{file.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
