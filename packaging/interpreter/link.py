"""Links an executable with all of Python: see "Linking an executable" in packaging/README.md."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from interpreter import linking, sources, store, toolchains
from interpreter.build import stop
from interpreter.progress import BuildError, say
from interpreter.workshop import Workshop, workshops


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="packaging/interpreter/link", description=__doc__)
    parser.add_argument("--tree", type=Path, required=True, help="the unpacked interpreter")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="the executable to make"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="DIR", help="default: BAKEND_CACHE, or bakend in the user's"
    )
    parser.add_argument("--keep-symbols", action="store_true", help="do not strip, for a debugger")
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE.c")
    return parser.parse_args(arguments)


def run(asked: argparse.Namespace) -> None:
    """Compile, link, check, and only then put the executable where it was asked for."""
    cache = (asked.cache or store.cache_folder(os.environ)).absolute()
    link = linking.read(asked.tree)
    host = link["toolchain"]["kind"] == "host"
    toolchain = toolchains.choose(link["target"], cache, host_toolchain=host)
    toolchains.make_ready(toolchain)
    folder = workshops(toolchain, cache) / f"link-{os.getpid()}"
    try:
        shop = Workshop(toolchain, folder, sources.read_lock().epoch)
        near = folder / "tree"
        bring(asked.tree, near)
        head = linking.link_executable(
            shop,
            link,
            near,
            [file.absolute() for file in asked.sources],
            keep_symbols=asked.keep_symbols,
        )
        private = [shop.inside(folder), str(asked.tree.absolute()), str(cache)]
        private += [str(file.absolute().parent) for file in asked.sources]
        linking.check_executable(shop, link, head, private)
        asked.output.parent.mkdir(parents=True, exist_ok=True)
        partial = asked.output.with_name(f".{asked.output.name}.partial")
        shutil.copy(head, partial)
        partial.replace(asked.output)
    finally:
        store.remove(folder)


def bring(tree: Path, near: Path) -> None:
    """Copy what linking needs into the workshop: a compiler in a root of its own sees nothing else."""
    shutil.copytree(tree / "include", near / "include")
    (near / "lib").mkdir()
    for file in (tree / "lib").iterdir():
        if file.is_file():
            shutil.copy(file, near / "lib")


def main(arguments: Sequence[str]) -> int:
    """Link an executable."""
    asked = parse(arguments)
    signal.signal(signal.SIGTERM, stop)
    try:
        run(asked)
    except BuildError as error:
        say(str(error))
        return 1
    except OSError as error:
        say(f"Linking could not read or write a file: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
