"""The libraries that are linked into Python, each built from its source as a static archive.

Every recipe leaves its archive in `lib` and its headers in `include` of one folder, and is checked by
that: an exit code of 0 alone proves nothing.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interpreter import sources
from interpreter.licences import read_licence
from interpreter.progress import BuildError, step
from interpreter.toolchains import BOOTSTRAP_PACKAGES, SYSTEM_PATH, install, run_quietly
from interpreter.workshop import Workshop, processors

# Sections of their own let the linker leave out what nobody calls (0.7 MB). Hidden symbols cannot
# collide with those of another OpenSSL or SQLite that comes with a binary wheel.
FLAGS: Final = "-O2 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections -g0"

LIBLTDL_MACROS: Final = Path("/usr/share/aclocal/ltdl.m4")

# Left out of OpenSSL: 1.0 MB of ciphers and protocols no HTTPS client or hashlib user of today needs.
# ML-KEM (key exchange of TLS) and scrypt stay. no-dso: else its libraries need -ldl in an order that
# CPython's configure does not give, before glibc 2.34. no-autoload-config: the openssl.cnf of a host
# does not change what runs.
OPENSSL_OPTIONS: Final = """
    no-shared no-tests no-docs no-apps no-legacy no-engine no-module no-dso no-autoload-config
    no-cms no-cmp no-ts no-ct no-srp no-gost no-sm2 no-sm3 no-sm4 no-aria no-camellia no-seed
    no-idea no-bf no-cast no-rc2 no-rc4 no-rc5 no-md4 no-mdc2 no-whirlpool no-dtls no-sctp no-quic
    no-ml-dsa no-slh-dsa no-ec2m no-rfc3779 no-siphash no-argon2 no-ocb no-siv
""".split()  # noqa: SIM905 - easier to read and to change than quoted words

SQLITE_OPTIONS: Final = """
    -DSQLITE_THREADSAFE=1 -DSQLITE_ENABLE_FTS3 -DSQLITE_ENABLE_FTS3_PARENTHESIS -DSQLITE_ENABLE_FTS4
    -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_RTREE -DSQLITE_ENABLE_GEOPOLY -DSQLITE_ENABLE_MATH_FUNCTIONS
    -DSQLITE_ENABLE_DBSTAT_VTAB -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_ENABLE_LOAD_EXTENSION=1
    -DHAVE_FDATASYNC -DHAVE_USLEEP -DHAVE_LOCALTIME_R -DHAVE_STRERROR_R
""".split()  # noqa: SIM905 - easier to read and to change than quoted words


@dataclass(frozen=True, slots=True)
class Bench:
    """What a recipe works with."""

    shop: Workshop
    source: Path
    """The unpacked source; a recipe builds in it."""
    prefix: Path
    """Where `lib` and `include` of all libraries are."""

    @property
    def lib(self) -> Path:
        """Where the archives go."""
        return self.prefix / "lib"

    @property
    def include(self) -> Path:
        """Where the headers go."""
        return self.prefix / "include"

    @property
    def host(self) -> list[str]:
        """The arguments that tell a GNU configure script what it builds for."""
        chain = self.shop.toolchain
        if not chain.is_cross:
            return []
        return [f"--host={chain.target.triplet}", f"--build={chain.build.triplet}"]

    def run(self, *command: str | Path, **env: str) -> None:
        """Run a command in the source, with variables of its own."""
        self.shop.run(command, cwd=self.source, env=env)

    def make(self, *arguments: str) -> None:
        """Run make on all processors."""
        self.run("make", f"-j{processors()}", *arguments)

    def take(self, archive: str, *headers: str) -> None:
        """Copy products to where the other builds find them."""
        shutil.copy(self.source / archive, self.lib)
        for header in headers:
            shutil.copy(self.source / header, self.include)


def build_zlib(bench: Bench) -> None:
    """Build libz.a."""
    chain = bench.shop.toolchain
    tools = {"CC": chain.compiler, "AR": chain.tool("ar"), "RANLIB": chain.tool("ranlib")}
    uname = [f"--uname={chain.target.system}"] if chain.is_cross else []
    bench.run("./configure", "--static", *uname, CFLAGS=FLAGS, **tools)
    bench.make("libz.a")
    bench.take("libz.a", "zlib.h", "zconf.h")


def build_bzip2(bench: Bench) -> None:
    """Build libbz2.a; its `install` would also run programs, so it is not used."""
    chain = bench.shop.toolchain
    bench.make(
        "libbz2.a",
        f"CC={chain.compiler}",
        f"AR={chain.tool('ar')}",
        f"RANLIB={chain.tool('ranlib')}",
        f"CFLAGS={FLAGS} -D_FILE_OFFSET_BITS=64",
    )
    bench.take("libbz2.a", "bzlib.h")


def build_xz(bench: Bench) -> None:
    """Build liblzma.a, without the programs around it."""
    programs = (
        "xz",
        "xzdec",
        "lzmadec",
        "lzmainfo",
        "lzma-links",
        "scripts",
        "doc",
        "nls",
        "shared",
    )
    bench.run(
        "./configure",
        *bench.host,
        f"--prefix={bench.shop.inside(bench.prefix)}",
        *(f"--disable-{program}" for program in programs),
        "--with-pic",
        f"CFLAGS={FLAGS}",
    )
    bench.make("install")


def build_libffi(bench: Bench) -> None:
    """Build libffi.a, after making the configure script that Debian's tarball lacks."""
    if not (bench.source / "configure").exists():
        bootstrap(bench.source)
    prefix = bench.shop.inside(bench.prefix)
    bench.run(
        "./configure",
        *bench.host,
        f"--prefix={prefix}",
        f"--libdir={prefix}/lib",
        "--disable-shared",
        "--with-pic",
        "--disable-docs",
        "--disable-multi-os-directory",
        f"CFLAGS={FLAGS}",
    )
    bench.make("install")


def bootstrap(source: Path) -> None:
    """Make a configure script on this machine, outside any older tree."""
    tools = (shutil.which(tool) for tool in ("autoreconf", "automake", "libtoolize"))
    # The macros of libltdl are a package of their own; on a Mac they come with libtool.
    if not all(tools) or not (sys.platform == "darwin" or LIBLTDL_MACROS.exists()):
        install(BOOTSTRAP_PACKAGES)
    run_quietly(
        [
            "/usr/bin/env",
            f"PATH={SYSTEM_PATH}",
            "sh",
            "-c",
            'cd "$0" && autoreconf -vfi',
            str(source),
        ]
    )


def build_sqlite(bench: Bench) -> None:
    """Build libsqlite3.a from the amalgamation, which is made first where the source has parts."""
    chain = bench.shop.toolchain
    if not (bench.source / "sqlite3.c").exists():
        bench.run(
            "./configure", *bench.host, "--disable-shared", "--disable-readline", CC_FOR_BUILD="cc"
        )
        bench.make("sqlite3.c")
    bench.run(chain.compiler, *FLAGS.split(), *SQLITE_OPTIONS, "-c", "sqlite3.c", "-o", "sqlite3.o")
    bench.run(chain.tool("ar"), "rcs", "libsqlite3.a", "sqlite3.o")
    bench.take("libsqlite3.a", "sqlite3.h", "sqlite3ext.h")


def build_openssl(bench: Bench) -> None:
    """Build libcrypto.a and libssl.a, which look for certificates where the host has them."""
    chain = bench.shop.toolchain
    cross = [f"--cross-compile-prefix={chain.prefix}"] if chain.is_cross else []
    certificates = "/etc/ssl" if chain.target.system == "Linux" else "/private/etc/ssl"
    bench.run(
        "perl",
        "./Configure",
        chain.target.openssl,
        *OPENSSL_OPTIONS,
        # The prefix is written into libcrypto, so it is not the folder of this build.
        "--prefix=/usr",
        "--libdir=lib",
        f"--openssldir={certificates}",
        *cross,
        *FLAGS.split(),
    )
    bench.make("build_libs")
    staging = bench.source / "staging"
    bench.make("install_dev", f"DESTDIR={bench.shop.inside(staging)}")
    for part in ("lib", "include"):
        shutil.copytree(staging / "usr" / part, bench.prefix / part, dirs_exist_ok=True)


RECIPES: Final[Mapping[str, tuple[Callable[[Bench], None], tuple[str, ...]]]] = {
    "zlib": (build_zlib, ("libz.a",)),
    "bzip2": (build_bzip2, ("libbz2.a",)),
    "xz": (build_xz, ("liblzma.a",)),
    "libffi": (build_libffi, ("libffi.a",)),
    "sqlite": (build_sqlite, ("libsqlite3.a",)),
    "openssl": (build_openssl, ("libssl.a", "libcrypto.a")),
}
"""How each source is built, in order, and the archives it must leave."""

ARCHIVES: Final = (
    "libssl.a",
    "libcrypto.a",
    "libsqlite3.a",
    "liblzma.a",
    "libbz2.a",
    "libz.a",
    "libffi.a",
)
"""All of them, in the order in which a linker wants them."""

LICENCES: Final[Mapping[str, tuple[str, ...]]] = {
    "zlib": ("LICENSE",),
    "bzip2": ("LICENSE",),
    # 0BSD is the licence of liblzma; the others are of programs that are not built.
    "xz": ("COPYING.0BSD",),
    "libffi": ("LICENSE",),
    # Upstream's amalgamation has it in the code only.
    "sqlite": ("LICENSE.md", "sqlite3.h"),
    "openssl": ("LICENSE.txt",),
}
"""Where the licence of a source is."""


def build_all(shop: Workshop, lock: sources.Lock, cache: Path, out: Path) -> None:
    """Build every library, and leave `lib`, `include` and `licences` in a folder."""
    prefix = shop.folder / "libraries"
    for part in ("lib", "include"):
        (prefix / part).mkdir(parents=True)
    (out / "licences").mkdir()
    for name, (recipe, archives) in RECIPES.items():
        source = lock.sources[name]
        file = sources.fetch(source, cache)
        bench = Bench(shop, shop.folder / name, prefix)
        with step(f"{name} {source.version}"):
            sources.unpack(file, bench.source)
            licence = read_licence(bench.source, *LICENCES[name])
            recipe(bench)
            for archive in archives:
                if not (bench.lib / archive).is_file():
                    raise BuildError(f"{name} was built, but left no {archive}: see {shop.log}")
        (out / "licences" / f"{name}.txt").write_text(licence, encoding="utf-8")
    for archive in ARCHIVES:
        (out / "lib").mkdir(exist_ok=True)
        shutil.copy(prefix / "lib" / archive, out / "lib")
    shutil.copytree(prefix / "include", out / "include")
