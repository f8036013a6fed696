"""Asks the package index which files a version has, through pip itself; runs as a child process.

Reads `{"numpy": "2.3.5", "pillow": null}` from stdin and prints, for each name, the hashes of all
wheels of that version and what else there is.

No command of pip tells the hashes of the wheels for *other* platforms, and asking the index by
ourselves would mean to do again what pip does about configuration, credentials, proxies and
certificates. So this one file reaches into pip: its list of links, before it is narrowed down to
this platform. Tried with pip 23.2 and 26.3. In a process of its own, because pip configures logging
and signals as it likes; nothing of Bakend is imported here, so that the text of this file can be
handed to `python -c`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from pathlib import Path
from typing import Any

from pip._internal.commands import create_command
from pip._internal.index.package_finder import LinkType
from pip._vendor.packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)
from pip._vendor.packaging.version import InvalidVersion, Version


class _AllLinks:
    """Stands in for pip's judge of links: notes each of them, and finds none acceptable."""

    def __init__(self, project_name: str) -> None:
        self.project_name = project_name
        self.links: list[Any] = []

    def evaluate_link(self, link: Any) -> tuple[LinkType, str]:
        self.links.append(link)
        return LinkType.format_unsupported, "only looked at"


class _Unanswered(logging.Handler):
    """Keeps what pip only mentions in its debug log: an index that gave no answer."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith("Could not fetch URL") and not re.search(r"\b404 \w+ Error", text):
            self.messages.append(text)


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    unanswered = _Unanswered()
    collector = logging.getLogger("pip._internal.index.collector")
    collector.setLevel(logging.DEBUG)
    collector.addHandler(unanswered)
    collector.propagate = False
    command: Any = create_command("download")
    options, _ = command.parse_args([])  # also reads pip's configuration and the environment
    answer: dict[str, Any] = {}
    with command.main_context():
        finder = command._build_package_finder(options, command.get_default_session(options))
        for name, version in asked.items():
            judge = _AllLinks(name)
            finder.make_link_evaluator = lambda _name, judge=judge: judge
            finder.find_all_candidates(name)
            answer[name] = _facts(name, judge.links, version)
    json.dump({"packages": answer, "unanswered": unanswered.messages}, sys.stdout)


def _facts(name: str, links: list[Any], version: str | None) -> dict[str, Any]:
    hashes: set[str] = set()
    wheels = others = 0
    for link in links:
        if link.filename.endswith(".whl"):
            try:
                found, its_version, _build, _tags = parse_wheel_filename(link.filename)
                is_asked = version is not None and its_version == Version(version)
            except (InvalidWheelFilename, InvalidVersion):
                continue
            if found != canonicalize_name(name):
                continue  # a plain folder of files has those of all packages
            wheels += 1
            digest = _digest(link) if is_asked else None
            if digest is not None:
                hashes.add(digest)
        elif link.filename.endswith((".tar.gz", ".zip", ".tar.bz2")):
            others += canonicalize_name(link.filename).startswith(f"{canonicalize_name(name)}-")
    return {"hashes": sorted(hashes), "wheels": wheels, "others": others}


def _digest(link: Any) -> str | None:
    for algorithm in ("sha256", "sha512", "sha384"):  # the ones that pip takes in a lock
        if algorithm in link._hashes:
            return f"{algorithm}:{link._hashes[algorithm].lower()}"
    if link.is_file:
        return f"sha256:{hashlib.sha256(Path(link.file_path).read_bytes()).hexdigest()}"
    return None


if __name__ == "__main__":
    main()
