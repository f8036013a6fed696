"""What must be true of a build, each as a sentence when it is not.

CPython's own build is green with `_ssl` missing, and a configure script that found another answer
than usual says nothing: so each property we rely on is looked at in the product. The functions here
judge text and bytes that others read, and return what they found; `Fault` says what is wrong.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from interpreter.progress import BuildError

# Fewer means that a whole part of Python's C interface is missing, and binary wheels cannot load.
LEAST_PYTHON_SYMBOLS: Final = 1700

# The families of glibc; libdl, libpthread, libutil and librt are part of libc since 2.34.
LIBC_FAMILY: Final = frozenset(
    """
    libc.so.6 libm.so.6 libdl.so.2 libpthread.so.0 libutil.so.1 librt.so.1
    ld-linux-x86-64.so.2 ld-linux-aarch64.so.1
    """.split()  # noqa: SIM905 - easier to read and to change than quoted words
)
MAC_LIBRARIES: Final = ("/usr/lib/libSystem", "/System/Library/Frameworks/")

# hashlib gives these, from other sources than the build: RFC 1321, FIPS 180-4, FIPS 202, RFC 7693 for
# "abc"; RFC 7914 section 12 for scrypt("password", "NaCl", 1024, 8, 16), section 11 for pbkdf2.
KNOWN_ANSWERS: Final[Mapping[str, str]] = {
    "md5": "900150983cd24fb0d6963f7d28e17f72",
    "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
    "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "sha512": "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    "sha3_256": "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
    "blake2s": "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982",
    "scrypt": "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
    "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640",
    "pbkdf2": "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is not as it must be."""

    sentence: str


Verdict = Fault | None


def require(*verdicts: Verdict) -> None:
    """Stop the build if anything is wrong.

    Raises:
        BuildError: All that is wrong, a sentence a line.
    """
    faults = [verdict.sentence for verdict in verdicts if verdict is not None]
    if faults:
        raise BuildError("\n".join(faults))


def modules(make_output: str) -> Verdict:
    """Judge what CPython's own check of its modules printed: all built in, none missing."""
    found = re.search(
        r"Checked \d+ modules \((\d+) built-in, (\d+) shared, .*?(\d+) missing, (\d+) failed on import\)",
        make_output,
        re.DOTALL,
    )
    if found is None:
        return Fault("CPython's build did not say which modules it has")
    built_in, shared, missing, failed = map(int, found.groups())
    if shared or missing or failed or not built_in:
        named = re.search(
            r"The necessary bits to build these optional modules.*?\n(.*?)\n\n",
            make_output,
            re.DOTALL,
        )
        which = f": {' '.join(named[1].split())}" if named else ""
        return Fault(
            f"CPython must have all modules built in; {shared} are shared, {missing} missing,"
            f" {failed} failed on import{which}"
        )
    return None


def pyconfig(text: str, system: str) -> Verdict:
    """Judge pyconfig.h: computed gotos (speed) and semaphores (multiprocessing) are there."""
    wanted = {"HAVE_COMPUTED_GOTOS": True, "POSIX_SEMAPHORES_NOT_ENABLED": False}
    if system == "Linux":
        # A Mac has no sem_getvalue.
        wanted["HAVE_BROKEN_SEM_GETVALUE"] = False
    for name, is_wanted in wanted.items():
        is_set = re.search(rf"^#define {name} 1$", text, re.MULTILINE) is not None
        if is_set != is_wanted:
            return Fault(f"pyconfig.h {'sets' if is_set else 'does not set'} {name}")
    return None


def highest_glibc(readelf_versions: str) -> str | None:
    """Return the newest glibc version in what `readelf --version-info` printed."""
    found = re.findall(r"\bGLIBC_(\d+(?:\.\d+)+)", readelf_versions)
    return max(found, key=version_key, default=None)


def version_key(version: str) -> tuple[int, ...]:
    """Return a version in a form that sorts as versions do."""
    return tuple(int(part) for part in version.split("."))


def floor(readelf_versions: str, wanted: str) -> Verdict:
    """Judge whether an executable runs on the glibc it shall run on."""
    highest = highest_glibc(readelf_versions)
    if highest is None:
        return Fault("The executable names no version of glibc, so its floor is unknown")
    if version_key(highest) > version_key(wanted):
        return Fault(f"The executable needs glibc {highest}; it must run on {wanted}")
    return None


def needed_libraries(readelf_dynamic: str) -> list[str]:
    """Return the libraries in what `readelf --dynamic` printed."""
    return re.findall(r"\(NEEDED\).*?\[(.+?)\]", readelf_dynamic)


def needed(libraries: Iterable[str]) -> Verdict:
    """Judge what an executable loads: nothing but the C library of the host."""
    foreign = [
        name for name in libraries if name not in LIBC_FAMILY and not name.startswith(MAC_LIBRARIES)
    ]
    return Fault(f"The executable needs {', '.join(foreign)} of the host") if foreign else None


def exported_symbols(readelf_symbols: str) -> list[str]:
    """Return the names an executable defines for others, from `readelf --dyn-syms --wide`."""
    names = []
    for line in readelf_symbols.splitlines():
        #    Num: Value Size Type Bind Vis Ndx Name
        words = line.split()
        if len(words) >= 8 and words[4] in {"GLOBAL", "WEAK"} and words[6] not in {"UND", "Ndx"}:
            names.append(words[7].partition("@")[0])
    return names


def python_symbols(names: Iterable[str]) -> int:
    """Count the symbols of Python's C interface."""
    return sum(1 for name in names if name.startswith(("Py", "_Py")))


def exports(names: Sequence[str]) -> Verdict:
    """Judge what an executable exports: all of Python's C interface, and no library inside it."""
    count = python_symbols(names)
    if count < LEAST_PYTHON_SYMBOLS:
        return Fault(f"The executable exports {count} Py symbols, so binary wheels cannot load")
    foreign = [
        name for name in names if name.startswith(("sqlite3_", "SSL_", "EVP_", "ffi_", "inflate"))
    ]
    if foreign:
        return Fault(f"The executable exports {foreign[0]}, which can collide with that of a wheel")
    return None


def no_paths(name: str, content: bytes, folders: Iterable[str]) -> Verdict:
    """Judge whether a product tells where it was built."""
    for folder in folders:
        if folder.encode() in content:
            return Fault(f"{name} holds the path of the build folder, {folder}")
    return None


def probe(output: str) -> Verdict:
    """Judge what the probe, run by the new interpreter, printed as its last line."""
    lines = output.strip().splitlines()
    try:
        answers = json.loads(lines[-1])
    except (IndexError, ValueError):
        return Fault(f"The new interpreter cannot run the probe:\n{output}")
    found = {**answers, **answers.get("hashes", {})}
    for name, value in {**EXPECTED, **KNOWN_ANSWERS}.items():
        if found.get(name) != value:
            return Fault(f"The new interpreter's {name} is {found.get(name)!r}, not {value!r}")
    return None


EXPECTED: Final[Mapping[str, object]] = {
    "hash_algorithm": "siphash13",
    "semaphores": True,
    "sqlite": {"fts5": 1, "json": "2", "rtree": 1, "math": 3.0, "threadsafe": 1},
    "tls": True,
    "callback": [1, 2, 3],
    "round_trips": ["bz2", "lzma", "zlib"],
    "decimal": "libmpdec",
    "xml": "b",
}
