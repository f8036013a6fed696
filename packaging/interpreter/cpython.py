"""CPython itself: configured without looking at the machine, built with every module inside."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interpreter import gates, sources
from interpreter.licences import read_licence
from interpreter.progress import BuildError, step
from interpreter.toolchains import Toolchain
from interpreter.workshop import Workshop, processors

SERIES: Final = "3.13"
FLAGS: Final = "-ffunction-sections -fdata-sections -g0"
TRAINING: Final = Path(__file__).with_name("train.py")

# Modules that need libraries we do not carry: terminals, other databases, NIS.
WITHOUT_MODULES: Final = (
    "_tkinter",
    "_curses",
    "_curses_panel",
    "readline",
    "_dbm",
    "_gdbm",
    "_uuid",
    "nis",
)

# Answers to what configure would find out by running a program or by looking around: a cross build
# cannot run one, and a chroot without /dev/shm answers wrongly, without an error. computed_gotos is
# speed of the interpreter, posix_semaphores is multiprocessing.
LINUX_ANSWERS: Final = """
    ac_cv_computed_gotos=yes ac_cv_pthread=yes ac_cv_pthread_system_supported=yes
    ac_cv_posix_semaphores_enabled=yes ac_cv_broken_sem_getvalue=no ac_cv_aligned_required=no
    ac_cv_buggy_getaddrinfo=no ac_cv_working_tzset=yes ac_cv_file__dev_ptmx=yes ac_cv_file__dev_ptc=no
    ac_cv_header_curses_h=no ac_cv_header_ncurses_h=no ac_cv_header_ncursesw_curses_h=no
    ac_cv_header_ncursesw_ncurses_h=no ac_cv_header_ncursesw_panel_h=no ac_cv_header_panel_h=no
    ac_cv_header_term_h=no ac_cv_header_uuid_uuid_h=no ac_cv_header_uuid_h=no
    ac_cv_lib_ncursesw_initscr=no
""".split()  # noqa: SIM905 - easier to read and to change than quoted words

# Symbols newer than the low floor that glibc of the host may have; without them the same pyconfig.h
# comes out everywhere.
FLOOR_ANSWERS: Final = ("ac_cv_func_close_range=no",)


@dataclass(frozen=True, slots=True)
class Options:
    """How much work goes into speed."""

    pgo: bool
    lto: bool


def dependencies(libraries: str) -> dict[str, str]:
    """Return the variables that tell configure where each library is."""
    include, lib = f"-I{libraries}/include", f"{libraries}/lib"
    archives = {
        "ZLIB": f"{lib}/libz.a",
        "BZIP2": f"{lib}/libbz2.a",
        "LIBLZMA": f"{lib}/liblzma.a",
        "LIBFFI": f"{lib}/libffi.a",
        "LIBSQLITE3": f"{lib}/libsqlite3.a -lm",
    }
    found = {"MODULE_BUILDTYPE": "static"}
    for name, libs in archives.items():
        found |= {f"{name}_CFLAGS": include, f"{name}_LIBS": libs}
    return found


def configure_arguments(
    toolchain: Toolchain, options: Options, libraries: str, build_python: str | None
) -> list[str]:
    """Return the arguments of CPython's configure."""
    arguments = [
        "--prefix=/usr",
        "--disable-test-modules",
        "--with-ensurepip=no",
        "--with-pkg-config=no",
        "--without-readline",
        "--with-dbmliborder=",
        f"--with-openssl={libraries}",
        # Without -L the probes link what this machine has, and the build is green without our library.
        f"CPPFLAGS=-I{libraries}/include",
        f"LDFLAGS=-L{libraries}/lib",
        f"CFLAGS={FLAGS}",
        *(f"py_cv_module_{module}=n/a" for module in WITHOUT_MODULES),
    ]
    if toolchain.target.system == "Linux":
        arguments += [*LINUX_ANSWERS, *FLOOR_ANSWERS]
    else:
        arguments += ["CC=clang", "MACOSX_DEPLOYMENT_TARGET=11.0"]
    if toolchain.is_cross:
        arguments += [
            f"--host={toolchain.target.triplet}",
            f"--build={toolchain.build.triplet}",
            f"--with-build-python={build_python}",
        ]
    if options.pgo:
        arguments.append("--enable-optimizations")
    if options.lto:
        arguments.append("--with-lto=full")
    return arguments


def build(
    shop: Workshop,
    lock: sources.Lock,
    cache: Path,
    out: Path,
    *,
    libraries: Path,
    options: Options,
    build_python: Path | None,
) -> None:
    """Build CPython, and leave what `make install` installs, and the archives, in a folder.

    Args:
        libraries: The finished libraries, in the workshop.
        build_python: A Python of the same version that runs here; only for a cross build.
    """
    source = lock.sources["cpython"]
    file = sources.fetch(source, cache)
    tree = shop.folder / "cpython"
    chain = shop.toolchain
    where = shop.inside(libraries)
    env = dependencies(where)
    with step(f"cpython {source.version}: configure"):
        sources.unpack(file, tree)
        python = shop.inside(build_python) if build_python else None
        arguments = configure_arguments(chain, options, where, python)
        shop.run(["./configure", *arguments], cwd=tree, env=env)
        if options.lto:
            keep_lto_for_the_head(tree / "Makefile")
    make = ["make", f"-j{processors()}"]
    if options.pgo:
        shutil.copy(TRAINING, tree)
        make.append(f"PROFILE_TASK={shop.inside(tree / TRAINING.name)}")
    with step(f"cpython {source.version}: make" + " with training" * options.pgo):
        gates.require(gates.modules(shop.run(make, cwd=tree, env=env)))
    staging = shop.folder / "installed"
    with step(f"cpython {source.version}: install"):
        shop.run(["make", "install", f"DESTDIR={shop.inside(staging)}"], cwd=tree, env=env)
    collect(tree, staging, out, chain)


def collect(tree: Path, staging: Path, out: Path, chain: Toolchain) -> None:
    """Keep of a build what later steps need."""
    for part in ("include", "lib"):
        shutil.copytree(staging / "usr" / part, out / "installed" / part, symlinks=True)
    if not chain.is_cross:
        (out / "bin").mkdir()
        shutil.copy(staging / f"usr/bin/python{SERIES}", out / "bin")
    (out / "lib").mkdir()
    for archive in ARCHIVES:
        shutil.copy(tree / archive, out / "lib")
    (out / "licences").mkdir()
    for name, file in LICENCES.items():
        text = read_licence(tree, file)
        (out / "licences" / f"{name}.txt").write_text(text, encoding="utf-8")


ARCHIVES: Final = (
    f"libpython{SERIES}.a",
    "Modules/_hacl/libHacl_Hash_SHA2.a",
    "Modules/_decimal/libmpdec/libmpdec.a",
    "Modules/expat/libexpat.a",
)
"""The archives of one build; what is in the first uses the others."""


LICENCES: Final[Mapping[str, str]] = {
    "cpython": "LICENSE",
    "expat": "Modules/expat/COPYING",
    "mpdecimal": "Modules/_decimal/libmpdec/mpdecimal.h",
    "hacl": "Modules/_hacl/Hacl_Hash_SHA2.h",
}
"""Where the licences of CPython and of what it carries of others are."""


def keep_lto_for_the_head(makefile: Path) -> None:
    """Link the programs of the build without LTO.

    The objects hold both forms, so only the executable that ships pays for it: the four programs
    of the build would take more than ten minutes on two cores.
    """
    text = makefile.read_text()
    changed, count = re.subn(
        r"^(CONFIGURE_LDFLAGS_NODIST=).*$", r"\1 -fno-lto", text, count=1, flags=re.MULTILINE
    )
    if not count:
        raise BuildError(f"{makefile} has no CONFIGURE_LDFLAGS_NODIST")
    makefile.write_text(changed)
