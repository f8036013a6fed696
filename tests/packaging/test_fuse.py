"""packaging/fuse and packaging/head: what is in the one file, and what it does with its arguments."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from fuse import archive, elf, licences
from fuse.bytecode import ROOT as SELF
from fuse.bytecode import compiled
from fuse.fuse import MAGIC, SECTION, SLOT, fuse
from fuse.payload import own_environment, packages, startup_modules, stored
from fuse.problems import FuseError

DAMAGED: Final = 70
ENTRIES: Final = {"b/c/module.py": b"x = 1\n" * 200, "a.txt": b"text", "b/data.bin": bytes(500)}


@pytest.fixture(scope="session")
def program() -> bytes:
    """Return a real ELF file."""
    found = Path("/bin/true").resolve().read_bytes()
    if not found.startswith(elf.ELF64_LITTLE_ENDIAN):
        pytest.skip("the programs of this machine are no ELF files of 64 bits")
    return found


def run(
    file: Path, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the executable with nothing in its environment but what is given."""
    return subprocess.run(
        [file, *arguments], cwd=cwd, env={"PATH": os.defpath, **(env or {})},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


# ---- the zip ----


def test_the_same_entries_give_the_same_zip() -> None:
    """Neither the order of the entries nor the clock is in it."""
    turned = dict(reversed(ENTRIES.items()))

    assert archive.build(ENTRIES, {"a.txt"}) == archive.build(turned, {"a.txt"})


def test_every_folder_has_an_entry() -> None:
    """Packages without __init__.py are found by the entry of their folder."""
    with zipfile.ZipFile(io.BytesIO(archive.build(ENTRIES, ()))) as file:
        assert file.namelist() == ["a.txt", "b/", "b/c/", "b/c/module.py", "b/data.bin"]


def test_what_a_start_reads_is_stored() -> None:
    """Only what is asked for lies uncompressed."""
    with zipfile.ZipFile(io.BytesIO(archive.build(ENTRIES, {"b/data.bin"}))) as file:
        kinds = {info.filename: info.compress_type for info in file.infolist() if info.file_size}

    assert kinds == {
        "a.txt": zipfile.ZIP_DEFLATED,
        "b/c/module.py": zipfile.ZIP_DEFLATED,
        "b/data.bin": zipfile.ZIP_STORED,
    }


# ---- the section ----


def test_a_section_is_added_and_found_again(program: bytes) -> None:
    """What goes in comes out, and what was there stays at its place."""
    whole = elf.add_section(program, ".extra", b"content")

    assert elf.section(whole, ".extra") == b"content"
    assert elf.section(program, ".extra") is None
    assert whole[elf.HEADER.size : len(program)] == program[elf.HEADER.size :]


def test_a_second_section_of_the_name_is_refused(program: bytes) -> None:
    """A file is fused once."""
    whole = elf.add_section(program, ".extra", b"content")

    with pytest.raises(FuseError, match="already"):
        elf.add_section(whole, ".extra", b"other")


def test_no_elf_file_is_refused() -> None:
    """A head for a Mac, or a script, gets a sentence."""
    with pytest.raises(FuseError, match="no ELF file"):
        elf.add_section(b"#!/bin/sh\n" * 100, ".extra", b"")


def test_strip_leaves_the_section_whole(program: bytes, tmp_path: Path) -> None:
    """Packagers strip programs; ours stays what it is, and runs."""
    strip = shutil.which("strip")
    if strip is None:
        pytest.skip("strip is not installed")
    file = tmp_path / "program"
    file.write_bytes(elf.add_section(program, ".extra", os.urandom(5000) + b"end"))
    file.chmod(0o755)

    subprocess.run([strip, "--strip-all", file], check=True)

    content = elf.section(file.read_bytes(), ".extra")
    assert content is not None
    assert (len(content), content[-3:]) == (5003, b"end")
    assert subprocess.run([file], check=False).returncode == 0


def test_the_head_learns_length_and_checksum(program: bytes) -> None:
    """The slot is filled; all else of the head is as it was."""
    head = program + MAGIC + bytes(SLOT.size - len(MAGIC))
    zipped = archive.build(ENTRIES, ())

    whole = fuse(head, zipped)

    magic, length, digest = SLOT.unpack_from(whole, len(program))
    assert (magic, length) == (MAGIC, len(zipped))
    assert digest.hex() == hashlib.sha256(zipped).hexdigest()
    assert elf.section(whole, SECTION) == zipped
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        assert file.testzip() is None


@pytest.mark.parametrize("slots", [0, 2])
def test_a_head_without_its_one_slot_is_refused(program: bytes, slots: int) -> None:
    """Another program is not taken for ours."""
    head = program + (MAGIC + bytes(SLOT.size - len(MAGIC))) * slots

    with pytest.raises(FuseError, match="slot"):
        fuse(head, b"")


# ---- the payload ----


def test_bytecode_knows_no_folder_of_the_build() -> None:
    """The name is absolute and lies in the file; the source is never compared."""
    first, second = (compiled(b"def f(): return {'a', 'b'}\n", "site-packages/m.py") for _ in "ab")

    assert first == second
    assert f"{SELF}/site-packages/m.py".encode() in first
    assert first[4] == 1


def test_packages_are_lean() -> None:
    """Binary modules, C, hints, tests, texts and sources stay out; data stays: certificates are read."""
    names = [
        "p/__init__.py", "p/fast.so", "p/fast.c", "p/py.typed", "p/x.pyi", "p/tests/test_p.py",
        "p/data.json", "p/page.js", "p/LICENSE.txt", "p/_vendor/certifi/cacert.pem",
        "p-1.dist-info/METADATA", "p-1.dist-info/RECORD", "p-1.dist-info/licenses/LICENSE",
    ]  # fmt: skip

    kept = packages({f"site-packages/{name}": b"" for name in names})

    assert sorted(kept) == [
        "site-packages/p-1.dist-info/METADATA",
        "site-packages/p/__init__.pyc",
        "site-packages/p/_vendor/certifi/cacert.pem",
        "site-packages/p/data.json",
    ]


def test_our_own_sources_stay() -> None:
    """Tracebacks show them, and the dashboard is read."""
    names = [f"site-packages/bakend/{name}" for name in ("app.py", "dashboard/status.js")]

    kept = packages(dict.fromkeys(names, b""))

    assert sorted(kept) == sorted([*names, "site-packages/bakend/app.pyc"])


def test_the_index_names_every_package(tmp_path: Path) -> None:
    """Names are normalized, as they are asked for."""
    metadata = "site-packages/Flask_Zip.Thing-3.1.3.dist-info/METADATA"

    found = startup_modules(tmp_path, {metadata: b"", "site-packages/flask/a.py": b""})

    assert (
        found["site-packages/_bak_index.py"]
        .decode()
        .endswith(
            'DISTRIBUTIONS = {\n    "flask_zip_thing": "Flask_Zip.Thing-3.1.3.dist-info",\n}\n'
        )
    )


def test_imported_files_are_found_in_the_zip() -> None:
    """Frozen and built-in modules are not read; what is missing from the zip is a fault."""
    entries = dict.fromkeys(
        [
            "lib/python3.13/json/__init__.pyc",
            "site-packages/_bak_import.pyc",
            "site-packages/_bak_start.pyc",
        ],
        b"",
    )
    modules = ["json /tree/json/__init__.py", "os frozen", "sys built-in"]
    roots = {"/tree/": "lib/python3.13/"}

    assert stored(modules, entries, roots) == set(entries)
    with pytest.raises(FuseError, match=r"lib/python3\.13/re\.pyc"):
        stored([*modules, "re /tree/re.py"], entries, roots)


def test_the_cache_of_another_build_is_not_found() -> None:
    """`python3.13 bak` extracts by this name."""
    one = {"environment.json": b'{"build_id": "x", "script": null}', "a": b"1"}

    ids = {json.loads(own_environment({**one, "a": each}))["build_id"] for each in (b"1", b"2")}

    assert len(ids) == 2


def test_unknown_terms_stop_the_build() -> None:
    """Nobody has said that we may pass such a part on."""
    part = licences.Component("part", "1", "GPL-3.0-only", "pkg:generic/part@1", "text")

    with pytest.raises(FuseError, match="GPL"):
        licences.checked(part)


def test_a_licence_without_its_text_stops_the_build() -> None:
    """Terms must go with the part."""
    part = licences.Component("part", "1", "MIT", "pkg:generic/part@1", " \n")

    with pytest.raises(FuseError, match="no text"):
        licences.checked(part)


# ---- the executable ----


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder whose name is no plain word."""
    folder = tmp_path / "a földer"
    folder.mkdir()
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["-c", "print(1)"], "1"),
        (["-I", "-S", "-c", "print(1)"], "1"),
        (["-Ic", "print(1)"], "1"),
        (["-X", "dev", "-Werror", "-c", "print(1)"], "1"),
        (["-m", "bakend", "version"], "0."),
        (["here.py"], "script"),
        (["folder/script"], "script"),
        (["/proc/self/exe/site-packages/pip", "--version"], "pip"),
        (["version"], "0."),
        (["--version"], "0."),
    ],
)
def test_the_form_of_the_arguments_chooses_the_mode(
    one_file: Path, place: Path, arguments: list[str], answer: str
) -> None:
    """Interpreter flags, -c, -m, scripts and paths are Python's; all else is ours."""
    (place / "folder").mkdir()
    for name in ("here.py", "folder/script"):
        (place / name).write_text("print('script')")

    done = run(one_file, *arguments, cwd=place)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(answer)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["no-command", "no/such/path", "-h"])
def test_other_words_are_commands(one_file: Path, place: Path, word: str) -> None:
    """A path that leads nowhere is no script."""
    done = run(one_file, word, cwd=place)

    assert "Usage: bak" in done.stdout


@pytest.mark.slow
def test_the_environment_chooses_no_code(one_file: Path, place: Path) -> None:
    """Commands of ours look neither at PYTHON* nor at SHIV_*; Python mode does look at PYTHONPATH."""
    for module in ("json", "sitecustomize"):
        (place / f"{module}.py").write_text("raise SystemExit('somebody else chose this')")
    env = {
        "PYTHONPATH": str(place), "PYTHONHOME": str(place), "PYTHONSTARTUP": str(place / "json.py"),
        "SHIV_ENTRY_POINT": "json", "SHIV_MODULE": "json",
    }  # fmt: skip

    ours = run(one_file, "version", "--json", cwd=place, env=env)
    python = run(one_file, "-c", "import json", env={"PYTHONPATH": str(place)})

    assert (ours.returncode, ours.stderr) == (0, "")
    assert "somebody else chose this" in python.stderr


def test_imports_are_those_of_zipimport(one_file: Path) -> None:
    """Of whatever kind: where a module says it comes from, its code, and what its loader can tell."""
    program = """
import importlib, importlib.resources, inspect, marshal, pkgutil, sys, zipimport
kinds = set()
for name in ("json", "json.decoder", "flask", "flask.app", "xml.dom.minidom", "xml", "bakend.testing"):
    module = importlib.import_module(name)
    spec, loader = module.__spec__, module.__loader__
    folder = spec.origin.removesuffix("/__init__.pyc").rpartition("/")[0]
    plain = zipimport.zipimporter(folder)
    same = plain.find_spec(name)
    for part in ("name", "origin", "cached", "has_location", "parent", "submodule_search_locations"):
        assert getattr(spec, part) == getattr(same, part), (name, part)
    assert module.__file__ == spec.origin == loader.get_filename(name), name
    assert marshal.dumps(loader.get_code(name)) == marshal.dumps(plain.get_code(name)), name
    assert loader.is_package(name) == hasattr(module, "__path__"), name
    assert loader.get_source(name) == plain.get_source(name), name
    assert isinstance(loader, zipimport.zipimporter) and type(loader) is not zipimport.zipimporter
    kinds.add(loader._stored(name) is None)
assert kinds == {True, False}, kinds
assert "class TestProject" in inspect.getsource(sys.modules["bakend.testing"])
assert "decoder" in [each.name for each in pkgutil.iter_modules(sys.modules["json"].__path__)]
assert importlib.resources.files("bakend").joinpath("build.json").read_text()
try:
    import json.nothing
except ModuleNotFoundError as error:
    print(error.name)
"""
    assert run(one_file, "-I", "-c", program).stdout == "json.nothing\n"


@pytest.mark.slow
def test_the_zip_is_a_place_for_packages(one_file: Path) -> None:
    """Versions, entry points and data are found, and the prefix is a place where nothing can be made."""
    program = """
import sys, importlib.metadata as m, importlib.resources as r, json, inspect, bakend.app
import multiprocessing.spawn as spawn
print(json.dumps([
    m.version("Werkzeug"), m.version("python-dotenv"), len(list(m.distributions())),
    [e.value for e in m.entry_points(group="console_scripts", name="bak")],
    sys.prefix, sys.base_exec_prefix, spawn.get_executable().decode(),
    (r.files("bakend.dashboard") / "index.html").is_file(), "def " in inspect.getsource(bakend.app)]))
"""
    done = run(one_file, "-I", "-c", program)

    assert done.stderr == ""
    werkzeug, dotenv, count, entry, prefix, exec_prefix, spawned, has_page, has_source = json.loads(
        done.stdout
    )
    assert werkzeug[0].isdigit()
    assert dotenv[0].isdigit()
    assert count > 10
    assert entry == ["bakend.__main__:main"]
    assert {prefix, exec_prefix, spawned} == {SELF}
    assert has_page
    assert has_source


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "has_config", "sees_it"),
    [([], True, True), ([], False, False), (["-I"], True, False), (["-P"], True, False)],
)
def test_a_program_in_a_project_sees_its_packages(
    one_file: Path, place: Path, flags: list[str], has_config: bool, sees_it: bool
) -> None:
    """`bak -c` in the folder of a bakend.json imports what `bak add` put there."""
    folder = place / ".bakend" / "packages-1"
    folder.mkdir(parents=True)
    (folder / "added_package.py").write_text("")
    (folder.parent / "site-packages").symlink_to("packages-1")
    if has_config:
        (place / "bakend.json").write_text("{}")

    done = run(one_file, *flags, "-c", "import added_package, sys; print(sys.path[-1])", cwd=place)

    assert (done.stdout.strip() == str(folder)) is sees_it
    assert ("No module named" in done.stderr) is not sees_it


@pytest.mark.slow
def test_children_of_multiprocessing_work(one_file: Path, place: Path) -> None:
    """Spawn and forkserver start the file as Python."""
    script = place / "work.py"
    script.write_text(
        "import multiprocessing as m\n"
        "if __name__ == '__main__':\n"
        "    for way in ('spawn', 'forkserver', 'fork'):\n"
        "        with m.get_context(way).Pool(1) as pool:\n"
        "            print(way, pool.apply(abs, (-7,)))\n"
    )

    done = run(one_file, str(script))

    assert done.stdout.split() == ["spawn", "7", "forkserver", "7", "fork", "7"]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["renamed", "link", "path"])
def test_it_finds_itself_under_any_name(one_file: Path, place: Path, way: str) -> None:
    """What counts is the file that runs, not how it was called."""
    file = place / "other näme"
    if way == "link":
        file.symlink_to(one_file)
    else:
        shutil.copy(one_file, file)

    if way == "path":
        done = subprocess.run(
            ["/usr/bin/env", "-i", f"PATH={place}", file.name, "version"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    else:
        done = run(file, "version")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_file_that_takes_its_place_changes_nothing(one_file: Path, place: Path) -> None:
    """Imports after an upgrade still come from the old file, and so do children."""
    file = place / "bak"
    shutil.copy(one_file, file)
    other = place / "other"
    other.write_text("#!/bin/sh\necho other\n")
    other.chmod(0o755)
    program = (
        f"import os; os.replace({str(other)!r}, {str(file)!r});"
        " import xml.dom.minidom, multiprocessing as m;"
        " print(m.get_context('spawn').Pool(1).apply(abs, (-7,)))"
    )

    done = run(file, "-I", "-c", program)

    assert (done.stdout, done.returncode) == ("7\n", 0)


@pytest.mark.slow
def test_a_plain_python_runs_it_as_a_zipapp(one_file: Path, place: Path) -> None:
    """The file is still what shiv made, for the Python that is inside; another one is told so."""
    if executable_is_sys(one_file):
        pytest.skip("the Python at hand is the executable itself")

    done = subprocess.run(
        [sys.executable, one_file, "version"], env={"SHIV_ROOT": str(place), "PATH": os.defpath},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    if sys.version_info[:2] == (3, 13):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == run(one_file, "version").stdout
    else:
        series = ".".join(map(str, sys.version_info[:2]))
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(
            f"bak: this file is not for Python {series}: run it by itself"
        )


def executable_is_sys(file: Path) -> bool:
    """Tell whether the tests run inside the file."""
    return file.samefile(sys.executable)


@pytest.mark.slow
def test_without_proc_it_goes_by_its_path(one_file: Path) -> None:
    """Some roots have no /proc: commands, Python mode and children still work."""
    program = "import sys, subprocess as s; s.run([sys.executable, '-c', 'print(7)'])"
    script = 'umount --lazy /proc && exec "$0" -c "$1"'

    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, one_file, program],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    if "unshare" in done.stderr or "umount" in done.stderr:
        pytest.skip(f"this user cannot take /proc away: {done.stderr.strip()}")
    assert (done.stdout, done.stderr) == ("7\n", "")


@pytest.mark.slow
def test_the_loader_is_not_taken_for_the_file(one_file: Path) -> None:
    """`ld.so bak` runs ld.so: the sentence names what has to be done."""
    loaders = sorted(Path("/lib64").glob("ld-linux-*")) if Path("/lib64").is_dir() else []
    if not loaders:
        pytest.skip("this machine has no /lib64/ld-linux-*")

    done = run(loaders[0], str(one_file), "version")

    assert done.returncode == DAMAGED
    assert "has to be started by itself" in done.stderr


# ---- damage ----


def payload_of(file: bytes) -> tuple[int, int]:
    """Return where the zip begins and ends."""
    row = elf.Sections.read(file).rows[-1]
    return row[4], row[4] + row[5]


def damaged(one_file: Path, folder: Path, content: bytes | bytearray) -> Path:
    """Write a copy of the file with other content."""
    file = folder / "bak"
    file.write_bytes(content)
    file.chmod(0o755)
    return file


@pytest.mark.slow
@pytest.mark.parametrize("command", ["start", "version"])
@pytest.mark.parametrize("missing", [1, 5000, 1_000_000])
def test_a_cut_file_says_so(one_file: Path, place: Path, command: str, missing: int) -> None:
    """A download that broke off in the zip ends in a sentence, whatever was asked for."""
    whole = one_file.read_bytes()
    _, end = payload_of(whole)

    done = run(damaged(one_file, place, whole[: end - missing]), command, cwd=place)

    assert done.returncode == DAMAGED
    assert done.stderr.count("\n") == 1
    assert "is damaged" in done.stderr


@pytest.mark.slow
def test_stripping_leaves_it_working(one_file: Path, place: Path) -> None:
    """The zip lies in a section, and the end record tells where it begins."""
    strip = shutil.which("strip")
    if strip is None:
        pytest.skip("strip is not installed")
    file = place / "bak"

    subprocess.run([strip, "-o", file, one_file], check=True)

    assert run(file, "verify").stdout == "whole\n"


PLACES: Final = (
    "lib/python3.13/encodings/__init__.pyc",
    "lib/python3.13/encodings/aliases.pyc",
    "lib/python3.13/enum.pyc",
    "site-packages/_bak_start.pyc",
    "site-packages/bakend/__main__.pyc",
    "site-packages/bakend/app.pyc",
    "site-packages/flask/app.pyc",
    "licences/index.json",
)


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("part", [0.1, 0.9])
def test_a_changed_byte_stops_a_start(one_file: Path, place: Path, name: str, part: float) -> None:
    """Whichever byte it is: one sentence, and never a traceback."""
    with zipfile.ZipFile(one_file) as file:
        entry = file.getinfo(name)
    content = bytearray(one_file.read_bytes())
    begin = entry.header_offset + 30 + len(name)
    content[begin + int(entry.compress_size * part)] ^= 0x10

    done = run(damaged(one_file, place, content), "start", "--port", "1", cwd=place)

    assert done.returncode == DAMAGED
    assert done.stderr.count("\n") == 1
    assert "is damaged" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", PLACES[:3])
def test_a_command_that_fails_for_a_changed_byte_says_so(
    one_file: Path, place: Path, name: str
) -> None:
    """Commands that check nothing before still tell a damaged file from a fault of Bakend."""
    with zipfile.ZipFile(one_file) as file:
        entry = file.getinfo(name)
    content = bytearray(one_file.read_bytes())
    content[entry.header_offset + 30 + len(name)] ^= 0xFF  # the magic of the bytecode

    done = run(damaged(one_file, place, content), "version", cwd=place)

    assert done.returncode == DAMAGED
    assert done.stderr.count("\n") == 1
    assert "is damaged" in done.stderr
