"""What is published beside the file: sizes, checksums, contents."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Final

from verify.catalog import full
from verify.hosts.debian import tool
from verify.lab import Lab
from verify.outcome import Failed, NotRun, expect

BAK_BUDGET: Final = 30_000_000
TARBALL_BUDGET: Final = 16_500_000
MEMBERS: Final = {
    "bak": 0o755,
    "LICENSE": 0o644,
    "THIRD_PARTY_LICENSES": 0o644,
    "bakend.json.example": 0o644,
}


@full
def sizes(lab: Lab) -> str:
    """The file has at most 30 MB, its tarball at most 16.5 MB."""
    packed = _tarball(lab)
    seen = []
    for file, budget in ((lab.bak, BAK_BUDGET), (packed, TARBALL_BUDGET)):
        size = file.stat().st_size
        expect(size <= budget, f"{file.name} has {size:,} bytes, more than {budget:,}")
        seen.append(f"{file.name} {size:,} bytes")
    return ", ".join(seen)


@full
def checksums(lab: Lab) -> str:
    """`sha256sum -c` agrees beside the downloads, and every asset is named in SHA256SUMS."""
    program = tool("sha256sum", "coreutils")
    lists = sorted(lab.dist.glob("*.sha256"))
    total = lab.dist / "SHA256SUMS"
    if not total.exists():
        raise NotRun(f"{lab.dist} has no SHA256SUMS")
    for each in (total, *lists):
        done = subprocess.run(
            [program, "--check", "--strict", each.name],
            cwd=lab.dist,
            capture_output=True,
            text=True,
            check=False,
        )
        expect(done.returncode == 0, f"{each.name}: {done.stdout}{done.stderr}")
    named = {line.split()[1] for line in total.read_text().splitlines()}
    assets = {file.name for file in lab.dist.glob("bakend-*") if file.suffix != ".sha256"}
    expect(named == assets, f"SHA256SUMS and the folder differ: {sorted(named ^ assets)}")
    beside = {file.name.removesuffix(".sha256") for file in lists}
    expect(beside == assets, f".sha256 files and the folder differ: {sorted(beside ^ assets)}")
    return f"{len(named)} assets"


@full
def tarball(lab: Lab) -> str:
    """The tarball holds that very file, the licences and an example, and `latest` is the same bytes."""
    packed = _tarball(lab)
    latest = packed.with_name(packed.name.replace(f"v{lab.about['version']}", "latest"))
    expect(latest.read_bytes() == packed.read_bytes(), f"{latest.name} is another file")
    with tarfile.open(packed) as archive:
        modes = {member.name: member.mode for member in archive}
        expect(modes == MEMBERS, f"{packed.name} holds {modes}")
        for member in archive:
            expect(member.uid == member.gid == 0, f"{member.name} belongs to {member.uid}")
        inside = archive.extractfile("bak")
        assert inside is not None
        digest = hashlib.file_digest(inside, "sha256").hexdigest()  # type: ignore[arg-type]
        own = hashlib.sha256(lab.bak.read_bytes()).hexdigest()
        expect(digest == own, "the bak inside is another file")
        example = archive.extractfile("bakend.json.example")
        assert example is not None
        json.load(example)
    plain = gzip.decompress(packed.read_bytes())
    tarfile.open(fileobj=io.BytesIO(plain)).close()
    return f"{packed.name}, sha256 {own[:12]}…"


@full
def licences(lab: Lab) -> str:
    """The text of each licence of what is inside is inside, and all of them are in the tarball."""
    with zipfile.ZipFile(lab.bak) as file:
        index = json.loads(file.read("licences/index.json"))
        names = set(file.namelist())
        summary = file.read("licences/THIRD_PARTY_LICENSES").decode()
    components = {row["name"].lower() for row in index}
    needed = {"cpython", "openssl", "sqlite", "zlib", "flask", "waitress", "pip"}
    expect(needed <= components, f"no licence of {sorted(needed - components)}")
    rule = "=" * 78
    for row in index:
        expect(row["file"] in names, f"{row['name']}: {row['file']} is not inside")
        heading = f"{row['name']} {row['version']}".rstrip()
        _, _, text = summary.partition(f"{rule}\n{heading}\n{rule}\n\n")
        has_text = text.strip() != "" and not text.lstrip().startswith(rule)
        expect(has_text, f"THIRD_PARTY_LICENSES has no text of {row['name']}")
    with tarfile.open(_tarball(lab)) as archive:
        member = archive.extractfile("THIRD_PARTY_LICENSES")
        assert member is not None
        expect(member.read().decode() == summary, "the tarball has other texts")
    return f"{len(index)} components, {len(summary):,} characters"


@full
def bill(lab: Lab) -> str:
    """The bill of materials is CycloneDX, and names what the file says is inside."""
    about = lab.about
    file = lab.dist / f"bakend-v{about['version']}.cdx.json"
    if not file.exists():
        raise NotRun(f"{lab.dist} has no {file.name}")
    found = json.loads(file.read_text())
    expect(found["bomFormat"] == "CycloneDX", f"bomFormat is {found['bomFormat']}")
    told = {(part["name"], part.get("version")) for part in found["components"]}
    inside = {(part["name"], part["version"] or None) for part in about["components"]}
    expect(told == inside, f"bill and file differ: {sorted(told ^ inside, key=str)[:4]}")
    commit = found["metadata"]["component"]["properties"][0]["value"]
    expect(commit == about["commit"], f"the bill is of commit {commit}")
    return f"{len(told)} components"


@full
def manifest(lab: Lab) -> str:
    """`bak.json` has the sha256 of every member, and the floor that the ELF file has."""
    about = lab.about
    with zipfile.ZipFile(lab.bak) as file:
        for name, wanted in about["files"].items():
            found = hashlib.sha256(file.read(name)).hexdigest()
            expect(found == wanted, f"{name} has another sha256 than bak.json says")
        files = {name for name in file.namelist() if not name.endswith("/")}
    unnamed = files - about["files"].keys() - {"bak.json"}
    expect(not unnamed, f"bak.json does not name {sorted(unnamed)[:4]}")
    floor = ""
    if lab.machine is not None:
        floor = _glibc(lab.bak)
        expect(
            _numbers(floor) <= _numbers(about["glibc"]),
            f"it needs glibc {floor}, bak.json says {about['glibc']}",
        )
    return f"{len(files)} members; commit {about['commit'][:12]}; needs glibc {floor or '-'}"


def _tarball(lab: Lab) -> Path:
    about = lab.about
    packed = lab.dist / f"bakend-v{about['version']}-{about['target']}.tar.gz"
    if not packed.exists():
        raise NotRun(f"{lab.dist} has no {packed.name}")
    return packed


def _glibc(file: Path) -> str:
    """Return the newest version of glibc that the file asks for."""
    readelf = tool("readelf", "binutils")
    said = subprocess.run(
        [readelf, "--version-info", "--wide", str(file)], capture_output=True, text=True, check=True
    ).stdout
    found = [word.split("_")[1] for word in said.split() if word.startswith("GLIBC_2.")]
    if not found:
        raise Failed("the file asks for no version of glibc")
    return max(found, key=_numbers)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
