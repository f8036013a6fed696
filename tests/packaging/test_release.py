"""packaging/release: what is published beside the executable."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest
from release.checksums import write_checksums
from release.release import release
from release.sbom import bill_of_materials
from release.tarball import Member, tarball

PARTS: Final = [
    {"name": "flask", "version": "3.1.3", "licence": "BSD-3-Clause", "purl": "pkg:pypi/flask@3.1.3"},
    {"name": "hacl", "version": "", "licence": "MIT", "purl": "pkg:generic/hacl"},
    {
        "name": "pip-packaging", "version": "26.3", "licence": "Apache-2.0 OR BSD-2-Clause",
        "purl": "pkg:pypi/packaging@26.3",
    },
]  # fmt: skip

ABOUT: Final = {
    "version": "1.2.3",
    "commit": "c0ffee",
    "builtAt": "2026-11-23T21:43:13Z",
    "target": "linux-x64",
    "components": PARTS,
}


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Return a folder with everything that is published of a file with our manifest."""
    bak, zipapp = tmp_path / "bak", tmp_path / "bakend-v1.2.3.pyz"
    with zipfile.ZipFile(bak, "w") as file:
        file.writestr("bak.json", json.dumps(ABOUT))
        file.writestr("licences/THIRD_PARTY_LICENSES", "terms of others")
    zipapp.write_bytes(b"zipapp")
    for name in ("LICENSE", "example"):
        (tmp_path / name).write_text(name)
    release(bak, zipapp, tmp_path / "LICENSE", tmp_path / "example", tmp_path)
    return tmp_path


def test_the_tarball_holds_four_files(published: Path) -> None:
    """No folder around them, `bak` is a program, and all of them belong to root."""
    with tarfile.open(published / "bakend-v1.2.3-linux-x64.tar.gz") as file:
        rows = [(info.name, info.mode, info.uid, info.uname) for info in file]
        terms = file.extractfile("THIRD_PARTY_LICENSES")
        assert terms is not None
        assert terms.read() == b"terms of others"

    assert rows == [
        ("bak", 0o755, 0, "root"),
        ("LICENSE", 0o644, 0, "root"),
        ("THIRD_PARTY_LICENSES", 0o644, 0, "root"),
        ("bakend.json.example", 0o644, 0, "root"),
    ]


def test_the_alias_is_the_same_bytes(published: Path) -> None:
    """install.sh takes the newest by a name without a version."""
    named, alias = (
        (published / f"bakend-{name}-linux-x64.tar.gz").read_bytes()
        for name in ("v1.2.3", "latest")
    )

    assert named == alias


def test_the_same_files_give_the_same_tarball() -> None:
    """Neither the clock nor who builds is in it."""
    one, two = (tarball([Member("bak", b"x" * 99)], "2026-11-23T21:43:13Z") for _ in "ab")

    assert one == two
    with tarfile.open(fileobj=io.BytesIO(one)) as file:
        assert file.getmember("bak").mtime == 1_795_470_193


def test_checksums_are_checked_where_they_lie(published: Path) -> None:
    """`sha256sum -c` beside the downloads finds each of them, by its bare name."""
    assets = {"bakend-v1.2.3.cdx.json", "bakend-v1.2.3.pyz"}
    assets |= {f"bakend-{name}-linux-x64.tar.gz" for name in ("v1.2.3", "latest")}
    lines = (published / "SHA256SUMS").read_text().splitlines()

    assert {line.split("  ")[1] for line in lines} == assets
    for name in assets:
        digest = hashlib.sha256((published / name).read_bytes()).hexdigest()
        assert f"{digest}  {name}" in lines
        assert (published / f"{name}.sha256").read_text() == f"{digest}  {name}\n"
    if shutil.which("sha256sum"):
        done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=published, capture_output=True)
        assert done.returncode == 0


def test_checksums_of_other_targets_stay(tmp_path: Path) -> None:
    """One release has the files of several builds; one that is gone is named no more."""
    x64, arm64, old = (tmp_path / name for name in ("x64.tar.gz", "arm64.tar.gz", "old.tar.gz"))
    for file in (x64, arm64, old):
        file.write_bytes(file.name.encode())
    write_checksums([x64, old], tmp_path)
    old.unlink()

    write_checksums([arm64], tmp_path)

    names = [line.split("  ")[1] for line in (tmp_path / "SHA256SUMS").read_text().splitlines()]
    assert names == ["arm64.tar.gz", "x64.tar.gz"]


def test_the_bill_names_every_part() -> None:
    """Each with its terms; a choice of terms is an expression, and no version is no field."""
    bill: Any = json.loads(bill_of_materials(ABOUT))

    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["version"] == "1.2.3"
    assert [part.get("version") for part in bill["components"]] == ["3.1.3", None, "26.3"]
    assert [part["licenses"][0] for part in bill["components"]] == [
        {"license": {"id": "BSD-3-Clause"}},
        {"license": {"id": "MIT"}},
        {"expression": "Apache-2.0 OR BSD-2-Clause"},
    ]
    refs = [part["bom-ref"] for part in bill["components"]]
    assert sorted(bill["dependencies"][0]["dependsOn"]) == sorted(set(refs))


def test_the_bill_is_the_same_for_every_target() -> None:
    """There is one name for it in a release of several targets."""
    assert bill_of_materials(ABOUT) == bill_of_materials({**ABOUT, "target": "linux-arm64"})


@pytest.mark.slow
def test_the_manifest_is_true(one_file: Path) -> None:
    """bak.json holds the checksum of every other entry, and every part of it has its text."""
    with zipfile.ZipFile(one_file) as file:
        about = json.loads(file.read("bak.json"))
        names = {name for name in file.namelist() if not name.endswith("/")}
        sums = {name: hashlib.sha256(file.read(name)).hexdigest() for name in names - {"bak.json"}}

    assert about["files"] == sums
    assert {part["file"] for part in about["components"]} < names
    assert {"cpython", "openssl", "sqlite", "Flask", "waitress", "pip", "pip-certifi"} <= {
        part["name"] if part["name"] != "flask" else "Flask" for part in about["components"]
    }
