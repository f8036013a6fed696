"""Builds the interpreter tarball: see the section of that name in packaging/README.md.

Three stages, each kept in the cache under the hash of all it is made from: the libraries, CPython,
and the tree that is packed. A changed check does not compile OpenSSL again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Final

from interpreter import cpython, gates, libraries, linking, sources, store, toolchains, tree
from interpreter.cpython import Options
from interpreter.progress import BuildError, say, step
from interpreter.toolchains import Toolchain
from interpreter.workshop import Workshop, workshops

HERE: Final = Path(__file__).parent
# What each stage's bytes depend on, of the files in this folder. Later stages add to earlier ones.
LIBRARIES_FILES: Final = ("libraries.py", "licences.py", "workshop.py")
PYTHON_FILES: Final = ("cpython.py", "licences.py", "workshop.py")
TREE_FILES: Final = (
    "tree.py",
    "linking.py",
    "gates.py",
    "build.py",
    "probe.py",
    "probe.c",
    "floor.c",
)
# Taken at the start: who edits these files while a build runs gets the build of before.
DIGESTS: Final = {
    name: store.file_digest(HERE / name)
    for name in (*LIBRARIES_FILES, *PYTHON_FILES, *TREE_FILES, cpython.TRAINING.name)
}


@dataclass(frozen=True, slots=True)
class Build:
    """One interpreter, and where its stages are."""

    toolchain: Toolchain
    options: Options
    cache: Path
    lock: sources.Lock

    @property
    def name(self) -> str:
        """The name of the tarball and of the folder in it."""
        return f"cpython-{self.lock.sources['cpython'].version}-{self.toolchain.target.name}"

    @property
    def folder(self) -> Path:
        """Where all interpreters are."""
        return self.cache / "interpreter"

    @property
    def for_this_machine(self) -> Build:
        """The plain build whose Python runs here; itself, unless it is a cross build."""
        if not self.toolchain.is_cross:
            return self
        build = self.toolchain.build
        native = toolchains.choose(
            build.name, self.cache, host_toolchain=self.toolchain.root is None
        )
        return Build(native, Options(pgo=False, lto=False), self.cache, self.lock)

    def inputs(self, *files: str) -> dict[str, object]:
        """Return what a stage is made from."""
        return {
            "files": {name: DIGESTS[name] for name in files},
            "date": self.lock.epoch,
            "target": dataclasses.asdict(self.toolchain.target),
            "toolchain": self.toolchain.identity(),
        }

    def pinned(self, *names: str) -> list[object]:
        """Return what the lock says of some sources."""
        # Not the lines of the lock file: another order of the sources changes nothing.
        return [
            [source.version, [place.sha256 for place in source.places]]
            for source in map(self.lock.sources.__getitem__, names)
        ]

    def libraries_stage(self) -> Path:
        """Where the libraries are."""
        inputs = self.inputs(*LIBRARIES_FILES)
        inputs["sources"] = self.pinned(*libraries.RECIPES)
        return self.folder / f"libraries-{self.toolchain.target.name}-{store.key_of(inputs)}"

    def python_stage(self) -> Path:
        """Where CPython is."""
        inputs = self.inputs(*PYTHON_FILES)
        inputs["libraries"] = self.libraries_stage().name
        inputs["sources"] = self.pinned("cpython")
        inputs["options"] = [self.options.pgo, self.options.lto]
        if self.options.pgo:
            inputs["training"] = DIGESTS[cpython.TRAINING.name]
        if self.toolchain.is_cross:
            inputs["build"] = self.for_this_machine.python_stage().name
        return self.folder / f"python-{self.toolchain.target.name}-{store.key_of(inputs)}"

    def tree_stage(self) -> Path:
        """Where the tree and the tarball are."""
        inputs = self.inputs(*TREE_FILES)
        inputs["stages"] = [self.libraries_stage().name, self.python_stage().name]
        return self.folder / f"tree-{self.toolchain.target.name}-{store.key_of(inputs)}"

    def workshop(self, name: str) -> Workshop:
        """Return an empty workshop; whoever asks holds the lock of the stage of that name."""
        folder = workshops(self.toolchain, self.cache) / name
        store.remove(folder)
        return Workshop(self.toolchain, folder, self.lock.epoch)

    def make_libraries(self) -> Path:
        """Return the finished libraries."""
        stage = self.libraries_stage()

        def make(out: Path) -> None:
            shop = self.workshop(stage.name)
            libraries.build_all(shop, self.lock, self.cache, out)
            store.remove(shop.folder)

        return store.make_once(stage, "the libraries", make)

    def make_python(self) -> Path:
        """Return the finished CPython."""
        stage = self.python_stage()

        def make(out: Path) -> None:
            built_libraries = self.make_libraries()
            build_python = self.for_this_machine.make_python() if self.toolchain.is_cross else None
            shop = self.workshop(stage.name)
            near = shop.folder / "libraries"
            shutil.copytree(built_libraries, near)
            if build_python:
                build_python = stand_up_python(build_python, shop.folder / "build-python")
            cpython.build(
                shop, self.lock, self.cache, out,
                libraries=near, options=self.options, build_python=build_python,
            )  # fmt: skip
            store.remove(shop.folder)

        return store.make_once(stage, "CPython", make)

    def make_tree(self) -> Path:
        """Return the folder with the finished tree and tarball, checked."""
        stage = self.tree_stage()

        def make(out: Path) -> None:
            built_libraries, built_python = self.make_libraries(), self.make_python()
            shop = self.workshop(stage.name)
            final = out / self.name
            near = shop.folder / self.name
            with step("put together"):
                tree.assemble(
                    shop, near,
                    libraries_stage=built_libraries, python_stage=built_python,
                    build_python_stage=self.for_this_machine.make_python(),
                    flags=libraries.FLAGS.split(),
                )  # fmt: skip
            with step("link and check"):
                self.describe_and_check(shop, near)
            with step("pack"):
                shutil.move(near, final)
                tree.pack(final, out / f"{self.name}.tar.gz", self.lock.epoch)
            store.remove(shop.folder)

        return store.make_once(stage, self.name, make)

    def describe_and_check(self, shop: Workshop, near: Path) -> None:
        """Link the probe with a tree, judge both, and write the tree's descriptions."""
        compiler = shop.run([self.toolchain.compiler, "--version"], cwd=shop.folder).splitlines()[0]
        version = self.lock.sources["cpython"].version
        link = linking.describe(self.toolchain, self.options, version, compiler)
        # What no product may name: the workshop under both its names, and whose home it was in.
        private = [shop.inside(shop.folder.parent), str(self.cache)]
        gates.require(
            gates.pyconfig(
                (near / f"include/python{cpython.SERIES}/pyconfig.h").read_text(),
                self.toolchain.target.system,
            ),
            *(
                gates.no_paths(str(file.relative_to(near)), file.read_bytes(), private)
                for file in sorted(near.rglob("*"))
                if file.is_file() and not self.keeps_its_folder(file)
            ),
        )
        head = linking.link_executable(shop, link, near, [HERE / "probe.c"])
        found = linking.check_executable(shop, link, head, private)
        found["probe"] = self.run_probe(shop, near, head)
        tree.write_json(near / "link.json", {**link, "python_symbols": found["python_symbols"]})
        tree.write_json(near / "build.json", self.description(compiler, found))

    def keeps_its_folder(self, file: Path) -> bool:
        """Tell whether a file holds where it was compiled, and nothing can be done about it.

        What GCC keeps in an archive for --lto begins with the folder it was called in. No linked
        executable holds it, and each is judged for that.
        """
        return self.options.lto and file.suffix == ".a"

    def run_probe(self, shop: Workshop, near: Path, head: Path) -> Any:
        """Run the probe by the new interpreter, if this machine can; return the versions it told.

        It runs on the machine itself, outside any tree: that is where executables run.
        """
        emulator: list[str] = []
        if self.toolchain.is_cross:
            name = f"qemu-{self.toolchain.target.machine}-static"
            if shutil.which(name) is None:
                say(f"  {name} is not here: the new interpreter was looked at, but not run")
                return None
            libc = (self.toolchain.root or Path("/")) / "usr" / self.toolchain.target.triplet
            emulator = [name, "-L", str(libc)]
        probe = shutil.copy(HERE / "probe.py", shop.folder)
        clean = ["/usr/bin/env", "-i", f"PATH={toolchains.SYSTEM_PATH}", f"PYTHONHOME={near}"]
        output = toolchains.run_quietly([*clean, *emulator, str(head), "-B", "-s", str(probe)])
        gates.require(gates.probe(output))
        return json.loads(output.strip().splitlines()[-1])["versions"]

    def description(self, compiler: str, found: dict[str, Any]) -> dict[str, Any]:
        """Return what build.json says."""
        return {
            "format": 1,
            "target": self.toolchain.target.name,
            "versions": {name: source.version for name, source in self.lock.sources.items()},
            "sources": {
                name: sorted({place.sha256 for place in source.places})
                for name, source in self.lock.sources.items()
            },
            "epoch": self.lock.epoch,
            "toolchain": {"kind": self.toolchain.kind, "compiler": compiler},
            "flags": {
                "libraries": libraries.FLAGS,
                "cpython": cpython.FLAGS,
                "pgo": self.options.pgo,
                "lto": self.options.lto,
                "sqlite": libraries.SQLITE_OPTIONS,
                "openssl": libraries.OPENSSL_OPTIONS,
            },
            "floor": self.toolchain.floor(),
            "found": found,
        }


def stand_up_python(stage: Path, folder: Path) -> Path:
    """Put an installed Python together so that it finds its library; return its executable."""
    shutil.copytree(stage / "installed", folder)
    shutil.copytree(stage / "bin", folder / "bin")
    return folder / "bin" / f"python{cpython.SERIES}"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="packaging/interpreter/build", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--target", choices=toolchains.TARGETS, help="default: this machine")
    parser.add_argument(
        "--host-toolchain",
        action="store_true",
        help="use this machine's compiler; the result needs a glibc as new as this machine's",
    )
    parser.add_argument(
        "--pgo", action="store_true", help="train it first (2 to 20 %% faster, 3 minutes more)"
    )
    parser.add_argument(
        "--lto",
        action="store_true",
        help="optimise when an executable is linked (5 to 10 %% faster; each link takes 80 s)",
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="default: BAKEND_CACHE, or bakend in the user's"
    )
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="put a copy of the tarball there"
    )
    parser.add_argument("--json", action="store_true", help="print where the result is, as JSON")
    return parser.parse_args(arguments)


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Build what was asked for, and tell where it is."""
    cache = (asked.cache or store.cache_folder(os.environ)).absolute()
    toolchain = toolchains.choose(asked.target, cache, host_toolchain=asked.host_toolchain)
    if asked.pgo and toolchain.is_cross:
        raise BuildError(
            f"--pgo trains by running what it built, and {toolchain.target.name} does not run here"
        )
    if toolchain.root is None:
        # Its key holds the compiler's version.
        toolchains.make_ready(toolchain)
    build = Build(toolchain, Options(asked.pgo, asked.lto), cache, sources.read_lock())
    stage = build.tree_stage()
    cached = store.is_made(stage)
    if not cached:
        for each in {toolchain, build.for_this_machine.toolchain}:
            toolchains.make_ready(each)
            store.sweep(build.folder, workshops(each, cache))
        say(f"Building {build.name} ({toolchain.kind}), floor {toolchain.floor()}, in {cache}")
        build.make_tree()
    tarball = stage / f"{build.name}.tar.gz"
    result = {
        "target": toolchain.target.name,
        "tarball": str(tarball),
        "sha256": store.file_digest(tarball),
        "tree": str(stage / build.name),
        "cached": cached,
    }
    if asked.output:
        asked.output.mkdir(parents=True, exist_ok=True)
        partial = asked.output / f".{tarball.name}.partial"
        shutil.copyfile(tarball, partial)
        copied = partial.rename(asked.output / tarball.name)
        result["tarball"] = str(copied.absolute())
    return result


def stop(number: int, _frame: FrameType | None) -> None:
    """End as by Ctrl-C, so that compilers are stopped too."""
    sys.exit(128 + number)


def main(arguments: Sequence[str]) -> int:
    """Build an interpreter."""
    asked = parse(arguments)
    signal.signal(signal.SIGTERM, stop)
    try:
        result = run(asked)
    except BuildError as error:
        say(f"\n{error}")
        return 1
    except OSError as error:
        say(f"The build could not read or write a file: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    sys.stdout.write((json.dumps(result) if asked.json else result["tarball"]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
