"""Whose work is inside, and under which terms.

What has no text, or terms that we do not know, stops the build.
"""

from __future__ import annotations

import email
import email.message
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fuse.problems import FuseError

KNOWN: Final = frozenset(
    (
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0"),
        *("PSF-2.0", "ZPL-2.1", "Zlib", "blessing", "bzip2-1.0.6"),
    )
)
"""SPDX names of terms that allow what we do: pass it on unchanged, with the text."""

IN_INTERPRETER: Final[Mapping[str, str]] = {
    "bzip2": "bzip2-1.0.6",
    "cpython": "PSF-2.0",
    "expat": "MIT",
    "hacl": "MIT",
    "libffi": "MIT",
    "mpdecimal": "BSD-2-Clause",
    "openssl": "Apache-2.0",
    "sqlite": "blessing",
    "xz": "0BSD",
    "zlib": "Zlib",
}
"""The parts of the interpreter; none of them says it in a form that a program can read."""

IN_PIP: Final[Mapping[str, str]] = {
    "cachecontrol": "Apache-2.0",
    "certifi": "MPL-2.0",
    "distlib": "PSF-2.0",
    "distro": "Apache-2.0",
    "idna": "BSD-3-Clause",
    "msgpack": "Apache-2.0",
    "packaging": "Apache-2.0 OR BSD-2-Clause",
    "pkg_resources": "MIT",
    "platformdirs": "MIT",
    "pygments": "BSD-2-Clause",
    "pyproject_hooks": "MIT",
    "requests": "Apache-2.0",
    "resolvelib": "ISC",
    "rich": "MIT",
    "tomli": "MIT",
    "tomli_w": "MIT",
    "truststore": "MIT",
    "urllib3": "MIT",
}
"""What pip carries of others, by the folder in `pip/_vendor`."""

CLASSIFIERS: Final[Mapping[str, str]] = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Zope Public License": "ZPL-2.1",
}
"""For packages that are older than `License-Expression`."""

SUMMARY: Final = "licences/THIRD_PARTY_LICENSES"
"""Where all texts lie in the zip, each below the name of its part; there are no others beside it."""

IS_LICENCE: Final = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)[^/]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Component:
    """One part of the executable that has a name, terms and authors of its own."""

    name: str
    version: str
    """Empty for a part of another one, which has no version of its own."""
    licence: str
    purl: str
    text: str

    def row(self) -> dict[str, str]:
        """Return it as the index has it."""
        return {
            "name": self.name,
            "version": self.version,
            "licence": self.licence,
            "purl": self.purl,
            "file": SUMMARY,
        }


def checked(component: Component) -> Component:
    """Return a component whose terms are known and whose text is there."""
    terms = set(re.findall(r"[\w.-]+", component.licence)) - {"OR", "AND", "WITH"}
    if not terms or not terms <= KNOWN:
        raise FuseError(f'{component.name}: the licence "{component.licence}" is not a known one')
    if not component.text.strip():
        raise FuseError(f"{component.name}: its licence has no text")
    return component


def of_interpreter(folder: Path, build: Mapping[str, Any]) -> Iterator[Component]:
    """Yield the parts of the interpreter.

    Args:
        folder: One text per part.
        build: What the interpreter's build says of itself.
    """
    versions: Mapping[str, str] = build["versions"]
    for file in sorted(folder.glob("*.txt")):
        name = file.stem
        if name not in IN_INTERPRETER:
            raise FuseError(
                f"{name}: nobody wrote down the licence of this part of the interpreter"
            )
        version = versions.get(name, "")
        purl = f"pkg:generic/{name}@{version}" if version else f"pkg:generic/{name}"
        yield checked(Component(name, version, IN_INTERPRETER[name], purl, file.read_text("utf-8")))


def of_packages(files: Mapping[str, bytes]) -> Iterator[Component]:
    """Yield the packages among files, by the metadata in their `.dist-info`."""
    for path in sorted(files):
        folder, _, name = path.rpartition("/")
        if name != "METADATA" or not folder.endswith(".dist-info"):
            continue
        metadata = email.message_from_bytes(files[path])
        texts = [
            content.decode("utf-8", "replace")
            for other, content in sorted(files.items())
            if other.startswith(f"{folder}/")
            and IS_LICENCE.search(other)
            and "/_vendor/" not in other
        ]
        title, version = str(metadata["Name"]), str(metadata["Version"])
        purl = f"pkg:pypi/{normalized(title).replace('_', '-')}@{version}"
        yield checked(Component(title, version, terms_of(metadata), purl, joined(texts)))


def of_pip(files: Mapping[str, bytes]) -> Iterator[Component]:
    """Yield what pip carries of others."""
    listed = next(
        content for name, content in files.items() if name.endswith("pip/_vendor/vendor.txt")
    )
    versions = dict(line.split("==") for line in listed.decode().split())
    by_folder = {normalized(name): (name, version) for name, version in versions.items()}
    # pip takes one package of setuptools, and its folder is named after that.
    by_folder["pkg_resources"] = ("setuptools", versions["setuptools"])
    folders = {
        found[1]
        for name in files
        if (found := re.search(r"pip/_vendor/([^/]+)/", name)) and ".dist-info" not in name
    }
    for folder in sorted(folders):
        if folder not in IN_PIP:
            raise FuseError(f"{folder}: nobody wrote down the licence of this part of pip")
        name, version = by_folder[folder]
        texts = [
            content.decode("utf-8", "replace")
            for path, content in sorted(files.items())
            if IS_LICENCE.search(path) and f"/site-packages/pip/_vendor/{folder}/" in f"/{path}"
        ]
        purl = f"pkg:pypi/{normalized(name).replace('_', '-')}@{version}"
        yield checked(Component(f"pip-{name}", version, IN_PIP[folder], purl, joined(texts)))


def terms_of(metadata: email.message.Message) -> str:
    """Return what a package says of its terms, as an SPDX expression; empty when it does not."""
    if expression := metadata["License-Expression"]:
        return str(expression)
    if metadata["License"] in KNOWN:
        return str(metadata["License"])
    for classifier in metadata.get_all("Classifier", ()):
        if classifier in CLASSIFIERS:
            return CLASSIFIERS[classifier]
    return ""


def normalized(name: str) -> str:
    """Return a name as `importlib.metadata` compares it."""
    return re.sub(r"[-_.]+", "_", name).lower()


def joined(texts: Iterable[str]) -> str:
    """Return several texts as one, each of them once."""
    return "\n\n".join(dict.fromkeys(text.strip() for text in texts)) + "\n"


def summary(components: Iterable[Component]) -> str:
    """Return all of it as one text for people: a table, then each text."""
    components = list(components)
    rule = "=" * 78
    table = "\n".join(
        f"{part.name:<24} {part.version:<14} {part.licence}".rstrip() for part in components
    )
    texts = "\n".join(
        f"\n{rule}\n{part.name} {part.version}".rstrip() + f"\n{rule}\n\n{part.text.rstrip()}\n"
        for part in components
    )
    head = "bak contains, besides Bakend itself, the work of others, under these terms."
    return f"{head}\n\n{table}\n{texts}"
