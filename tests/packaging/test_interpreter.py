"""The parts of the interpreter build that can be judged without building anything."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
import tarfile
import threading
import urllib.parse
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).resolve().parents[2] / "packaging" / "interpreter"


def module(name: str) -> ModuleType:
    """Import one file of the build, which is no part of what is installed."""
    sys.path.insert(0, str(HERE.parent))
    try:
        return importlib.import_module(f"interpreter.{name}")
    finally:
        sys.path.remove(str(HERE.parent))


cpython = module("cpython")
gates = module("gates")
linking = module("linking")
progress = module("progress")
sources = module("sources")
store = module("store")
toolchains = module("toolchains")
tree = module("tree")

X64, ARM64 = toolchains.TARGETS["linux-x64"], toolchains.TARGETS["linux-arm64"]


@pytest.fixture
def lock() -> Any:
    """Return what the project's own lock file says."""
    return sources.read_lock()


def toolchain(kind: str, target: Any = X64, root: Path | None = None) -> Any:
    """Return a compiler on an x64 machine."""
    return toolchains.Toolchain(kind, target, X64, root)


# The lock file


def test_every_source_has_a_version_and_a_hash_per_place(lock: Any) -> None:
    """A source is pinned by version, and each place by the bytes it must give."""
    names = {"cpython", "openssl", "sqlite", "zlib", "bzip2", "xz", "libffi"}

    assert set(lock.sources) == names
    for source in lock.sources.values():
        assert source.places, source.name
        for place in source.places:
            assert re.fullmatch(r"[0-9a-f]{64}", place.sha256), place
            assert source.version in urllib.parse.unquote(place.address) or source.name == "sqlite"


def test_debian_has_no_address_in_the_build() -> None:
    """Where Debian's archive is comes from apt's configuration, never from a file of ours."""
    for file in HERE.iterdir():
        if file.is_file():
            addresses = re.findall(r"https?://[^/\s]+", file.read_text())
            assert not any("debian" in address for address in addresses), file


def test_every_source_is_in_the_pool_and_elsewhere(lock: Any) -> None:
    """A version that leaves Debian's pool can still be had."""
    for source in lock.sources.values():
        assert {place.in_pool for place in source.places} == {True, False}, source.name


def test_a_place_knows_its_line(lock: Any) -> None:
    """A failure can name the line of the lock file that has to change."""
    lines = sources.LOCK_FILE.read_text().splitlines()

    for source in lock.sources.values():
        for place in source.places:
            assert place.sha256 in lines[place.line - 1]


def test_a_broken_lock_is_a_sentence(tmp_path: Path) -> None:
    """A lock file that cannot be read is said by name."""
    broken = tmp_path / "sources.lock"
    broken.write_text('{"date": "2026-01-01T00:00:00Z"}')

    with pytest.raises(progress.BuildError, match=r"sources\.lock cannot be read"):
        sources.read_lock(broken)


# Downloads


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is asked for sources first; apt knows no archive."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    monkeypatch.setenv("BAKEND_SOURCE_MIRROR", str(folder))
    monkeypatch.setattr(sources, "archives", list)
    return folder


def source_of(content: bytes, tmp_path: Path) -> Any:
    """Return a source whose one place holds some bytes, in a pool nobody serves."""
    made = tmp_path / "made"
    made.write_bytes(content)
    place = sources.Place("main/t/thing_1.tar.gz", True, store.file_digest(made), 7)
    return sources.Source("thing", "1", (place,))


def test_a_mirror_serves_a_source(mirror: Path, tmp_path: Path) -> None:
    """A folder of our own serves every source, under the names of the lock file."""
    (mirror / "thing_1.tar.gz").write_bytes(b"pinned")

    file = sources.fetch(source_of(b"pinned", tmp_path), tmp_path / "cache")

    assert file == tmp_path / "cache" / "sources" / "thing_1.tar.gz"
    assert file.read_bytes() == b"pinned"


def test_a_source_is_fetched_once(mirror: Path, tmp_path: Path) -> None:
    """What is in the cache is not asked for again."""
    (mirror / "thing_1.tar.gz").write_bytes(b"pinned")
    first = sources.fetch(source_of(b"pinned", tmp_path), tmp_path / "cache")
    (mirror / "thing_1.tar.gz").unlink()

    assert sources.fetch(source_of(b"pinned", tmp_path), tmp_path / "cache") == first


def test_other_bytes_are_refused(mirror: Path, tmp_path: Path) -> None:
    """A file with another hash is never kept, and the failure names the line to change."""
    (mirror / "thing_1.tar.gz").write_bytes(b"changed")

    with pytest.raises(progress.BuildError, match=r"sources\.lock line 7: .*its sha256 is"):
        sources.fetch(source_of(b"pinned", tmp_path), tmp_path / "cache")

    kept = [file.name for file in (tmp_path / "cache" / "sources").iterdir()]
    assert kept == ["thing.lock"]


# The cache


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"BAKEND_CACHE": "/c", "XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/c"),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/bakend"),
        ({"HOME": "/h"}, "/h/.cache/bakend"),
    ],
)
def test_where_the_cache_is(environ: dict[str, str], folder: str) -> None:
    """The most particular setting says where the cache is."""
    assert store.cache_folder(environ) == Path(folder)


def test_without_a_home_the_cache_is_temporary(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a home there is still a cache, and a sentence says where."""
    folder = store.cache_folder({})

    assert str(folder) in capsys.readouterr().err


def test_a_failed_stage_leaves_nothing(tmp_path: Path) -> None:
    """A stage counts only when it is whole."""

    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise progress.BuildError("no")

    with pytest.raises(progress.BuildError):
        store.make_once(tmp_path / "stage", "it", fail)

    assert [path.name for path in tmp_path.iterdir()] == ["stage.lock"]


def test_two_builds_at_once_make_it_once(tmp_path: Path) -> None:
    """Who comes second waits, and takes what the first one made."""
    made: list[str] = []
    started = threading.Barrier(2, timeout=20)

    def build() -> None:
        started.wait()
        store.make_once(tmp_path / "stage", "it", lambda folder: made.append(folder.name))

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert made == ["stage.unfinished"]


def test_what_a_killed_build_left_is_swept(tmp_path: Path) -> None:
    """Leavings go, but not those of a build that still runs."""
    stages, workshops = tmp_path / "stages", tmp_path / "workshops"
    for folder in (stages / "dead.unfinished", stages / "alive.unfinished", workshops / "alive"):
        folder.mkdir(parents=True)
    for name in ("dead", f"link-{os.getpid()}", "link-999999999"):
        (workshops / name).mkdir()

    with store.alone(stages / "alive.lock", "it"):
        store.sweep(stages, workshops)

    left = {
        path.name for folder in (stages, workshops) for path in folder.iterdir() if path.is_dir()
    }
    assert left == {"alive.unfinished", "alive", f"link-{os.getpid()}"}


def test_any_input_changes_the_key() -> None:
    """The same inputs give the same key in any order, others another."""
    key = store.key_of({"a": 1, "b": [True, None]})

    assert key == store.key_of({"b": [True, None], "a": 1})
    assert key != store.key_of({"a": 1, "b": [False, None]})


# Gates

READELF_DYNAMIC = """
 0x0000000000000001 (NEEDED)             Shared library: [libm.so.6]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000000c (INIT)               0x1000
"""
READELF_SYMBOLS = """
Symbol table '.dynsym' contains 4 entries:
   Num:    Value          Size Type    Bind   Vis      Ndx Name
     0: 0000000000000000     0 NOTYPE  LOCAL  DEFAULT  UND
     1: 0000000000000000     0 FUNC    GLOBAL DEFAULT  UND exp@GLIBC_2.2.5 (2)
     2: 0000000000104050    47 FUNC    GLOBAL DEFAULT   14 PyList_New
     3: 0000000000504a30     8 OBJECT  GLOBAL DEFAULT   26 _PyRuntime
"""
SUMMARY = (
    "Checked 112 modules (89 built-in, 0 shared, 22 n/a on x, 1 disabled,"
    " {} missing, 0 failed on import)"
)


def sentence(verdict: Any) -> str:
    """Return what a gate complains of; nothing when it is content."""
    return "" if verdict is None else verdict.sentence


def test_a_build_with_all_modules_passes() -> None:
    """The summary of CPython's build is read among everything else make prints."""
    assert sentence(gates.modules(f"gcc\n{SUMMARY.format(0)}\nok\n")) == ""


def test_a_missing_module_is_named() -> None:
    """A green build without a module is a failed one."""
    text = (
        "The necessary bits to build these optional modules were not found:\n_ssl   _hashlib\n\n"
        + SUMMARY.format(2)
    )

    assert "2 missing" in sentence(gates.modules(text))
    assert sentence(gates.modules(text)).endswith(": _ssl _hashlib")


def test_a_build_that_says_nothing_fails() -> None:
    """A summary that is not there proves nothing."""
    assert "did not say" in sentence(gates.modules("all fine"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("#define HAVE_COMPUTED_GOTOS 1\n", ""),
        ("/* #undef HAVE_COMPUTED_GOTOS */\n", "HAVE_COMPUTED_GOTOS"),
        (
            "#define HAVE_COMPUTED_GOTOS 1\n#define POSIX_SEMAPHORES_NOT_ENABLED 1\n",
            "POSIX_SEMAPHORES_NOT_ENABLED",
        ),
    ],
)
def test_configure_answered_as_it_must(text: str, complaint: str) -> None:
    """Speed and multiprocessing are not lost in silence."""
    verdict = gates.pyconfig(text, "Linux")

    assert complaint in sentence(verdict)
    assert bool(complaint) == bool(verdict)


def test_the_floor_is_the_highest_version() -> None:
    """Versions are compared as numbers: 2.28 is newer than 2.4."""
    text = "Name: GLIBC_2.4 Name: GLIBC_2.28 Name: GLIBC_2.2.5 Name: GLIBC_PRIVATE"

    assert gates.highest_glibc(text) == "2.28"
    assert sentence(gates.floor(text, "2.28")) == ""
    assert "needs glibc 2.28; it must run on 2.17" in sentence(gates.floor(text, "2.17"))


def test_an_executable_without_versions_has_no_floor() -> None:
    """Nothing read is not the same as nothing needed."""
    assert "unknown" in sentence(gates.floor("", "2.28"))


def test_only_the_c_library_of_the_host_is_needed() -> None:
    """Any other library would have to be installed on every host."""
    assert gates.needed_libraries(READELF_DYNAMIC) == ["libm.so.6", "libc.so.6"]
    assert sentence(gates.needed(["libm.so.6", "libc.so.6"])) == ""
    assert "libssl.so.3" in sentence(gates.needed(["libc.so.6", "libssl.so.3"]))


def test_exported_symbols_are_those_it_defines() -> None:
    """What an executable asks for is not what it offers."""
    assert gates.exported_symbols(READELF_SYMBOLS) == ["PyList_New", "_PyRuntime"]


def test_wheels_need_pythons_symbols_and_nothing_else() -> None:
    """An executable without Py symbols loads no wheel; one with OpenSSL's collides with some."""
    names = [f"Py_{number}" for number in range(gates.LEAST_PYTHON_SYMBOLS)]

    assert sentence(gates.exports(names)) == ""
    assert "cannot load" in sentence(gates.exports(names[1:]))
    assert "EVP_Digest" in sentence(gates.exports([*names, "EVP_Digest"]))


def test_a_build_folder_in_a_product_is_found() -> None:
    """A product does not tell where it was made."""
    assert sentence(gates.no_paths("x", b"a\0/usr/lib\0", ["/root/work"])) == ""
    assert "/root/work" in sentence(gates.no_paths("x", b"a\0/root/work/a.c\0", ["/root/work"]))


def test_the_probe_is_judged() -> None:
    """Each answer of the new interpreter must be the known one."""
    good = {**gates.EXPECTED, "hashes": dict(gates.KNOWN_ANSWERS)}

    assert sentence(gates.probe("a warning\n" + json.dumps(good))) == ""
    assert "semaphores" in sentence(gates.probe(json.dumps({**good, "semaphores": False})))
    assert "cannot run" in sentence(gates.probe("Segmentation fault"))


def test_all_faults_are_told_at_once() -> None:
    """A person who repairs a build sees everything that is wrong."""
    with pytest.raises(progress.BuildError, match="one\ntwo"):
        gates.require(gates.Fault("one"), None, gates.Fault("two"))


# How things are built and linked


def test_a_cross_build_is_told_what_it_cannot_find_out() -> None:
    """Answers that would need a run on the target are given in advance."""
    plain = cpython.Options(pgo=False, lto=False)
    arguments = cpython.configure_arguments(toolchain("bullseye", ARM64), plain, "/l", "/python")

    assert "ac_cv_computed_gotos=yes" in arguments
    assert "--host=aarch64-linux-gnu" in arguments
    assert "--with-build-python=/python" in arguments


def test_only_the_low_floor_is_lowered() -> None:
    """floor.o belongs to bullseye's glibc; elsewhere the floor is what the host has."""
    plain = cpython.Options(pgo=False, lto=False)
    low = linking.linux_link_line(toolchain("bullseye"), plain)
    own = linking.linux_link_line(toolchain("host"), plain)

    assert "{tree}/lib/floor.o" in low
    assert "-Wl,--wrap=exp" in low
    assert not [word for word in own if "floor" in word or "wrap" in word]


def test_a_link_line_is_filled() -> None:
    """Every place in a line of link.json gets its value, the objects as many words."""
    line = ["-o", "{output}", "{objects}", "-Wl,--dynamic-list={tree}/lib/exports.list"]

    assert linking.fill(line, "/t", "head", ["a.o", "b.o"]) == [
        "-o", "head", "a.o", "b.o", "-Wl,--dynamic-list=/t/lib/exports.list",
    ]  # fmt: skip


def test_an_unknown_tree_is_refused(tmp_path: Path) -> None:
    """A folder that is no interpreter, or a newer one, is a sentence."""
    with pytest.raises(progress.BuildError, match="not an unpacked interpreter"):
        linking.read(tmp_path)
    (tmp_path / "link.json").write_text('{"format": 99}')
    with pytest.raises(progress.BuildError, match="has format 99"):
        linking.read(tmp_path)


def test_sysconfig_tells_nothing_of_the_build() -> None:
    """What pip reads on the host has no folder and no flag of the build."""
    text = (
        "build_time_vars = {'CFLAGS': '-g0 -O3 -I/w/dep/include', 'EXT_SUFFIX': '.so', 'N': 1,"
        " 'CONFIG_ARGS': \"'--prefix=/usr' 'LDFLAGS=-L/w/dep/lib' 'CFLAGS=-g0 -Os'\"}"
    )
    found: dict[str, Any] = {}

    exec(tree.clean_sysconfig(text, "/w", []), found)

    assert found["build_time_vars"] == {
        "CFLAGS": "-O3",
        "CONFIG_ARGS": "'--prefix=/usr'",
        "EXT_SUFFIX": ".so",
        "N": 1,
    }


@pytest.mark.parametrize(
    ("name", "dropped"),
    [
        ("test", True),
        ("asyncio/windows_events.py", True),
        ("json/__pycache__", True),
        ("config-3.13-x86_64-linux-gnu", True),
        ("_osx_support.py", True),
        ("unittest", False),
        ("asyncio/events.py", False),
        ("xml/etree", False),
    ],
)
def test_what_stays_of_the_standard_library(name: str, dropped: bool) -> None:
    """Only what cannot work in one file is left out."""
    assert tree.is_dropped(name, X64) == dropped


def test_a_mac_keeps_its_own_modules() -> None:
    """What sysconfig imports on a Mac is there on a Mac."""
    assert not tree.is_dropped("_osx_support.py", toolchains.TARGETS["darwin-arm64"])


def test_a_tarball_depends_on_the_content_only(tmp_path: Path) -> None:
    """Times, owners, modes and the order on disk leave no trace."""
    for place, names in (("a", ("one", "two")), ("b", ("two", "one"))):
        folder = tmp_path / place / "thing"
        (folder / "bin").mkdir(parents=True)
        for name in names:
            (folder / name).write_text(name)
            (folder / name).chmod(0o600 if place == "a" else 0o664)
        (folder / "bin" / "run").write_text("")
        tree.pack(folder, tmp_path / f"{place}.tar.gz", 1_700_000_000)

    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        modes = {member.name: member.mode for member in archive}
    assert modes == {
        "thing": 0o755,
        "thing/bin": 0o755,
        "thing/bin/run": 0o755,
        "thing/one": 0o644,
        "thing/two": 0o644,
    }
