"""What a start imports: every module costs each start, and each short command, for ever.

Not timed: what takes how long is measured by scripts/verify-release (start-time).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import bakend

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
PACKAGES = Path(bakend.__file__).parents[1]

LIBRARIES = (
    "click",
    "encodings.idna",
    "flask",
    "http.server",
    "sqlite3",
    "waitress",
    "waitress.server",
    "werkzeug.test",
)
"""What a server needs; what these import costs nothing more."""

OTHERS = {
    "_bak",  # whether the executable is whole
    "encodings.utf_8_sig",  # bakend.json, as Windows editors write it
    "fcntl",  # one `bak init` at a time
    "gc",  # not while importing
    "resource",  # how many files may be open
    "signal",  # SIGTERM, Ctrl-C
}
"""What else our modules import of others at a start. Whatever else a part needs only sometimes, it
imports where it needs it, with a word why; what every start needs is added here."""

NOT_OURS = {
    "bakend.auth.bcrypt",
    "bakend.backups.archive",
    "bakend.backups.backups",
    "bakend.backups.contents",
    "bakend.backups.keeper",
    "bakend.backups.manifest",
    "bakend.backups.restoring",
    "bakend.backups.verifying",
    "bakend.cli.backup",
    "bakend.cli.doctor",
    "bakend.cli.examination",
    "bakend.cli.functions",
    "bakend.cli.health",
    "bakend.cli.inspect",
    "bakend.cli.jobs",
    "bakend.cli.migrate",
    "bakend.cli.packages",
    "bakend.cli.replacing",
    "bakend.cli.service",
    "bakend.cli.storage",
    "bakend.cli.systemd",
    "bakend.cli.users",
    "bakend.collections.pattern_judge",
    "bakend.collections.pattern_syntax",
    "bakend.database.joined",
    "bakend.functions",
    "bakend.jobs",
    "bakend.programs",
    "bakend.realtime.channels",
    "bakend.realtime.desk",
    "bakend.realtime.hub",
    "bakend.realtime.loop",
    "bakend.realtime.messages",
    "bakend.realtime.replay",
    "bakend.settings.editing",
    "bakend.settings.show",
    "bakend.systemd",
    "bakend.testing",
    "bakend.usercode.context",
    "bakend.usercode.inside",
    "bakend.usercode.lease",
    "bakend.usercode.loader",
    "bakend.usercode.marks",
    "bakend.usercode.packages.lock",
    "bakend.usercode.packages.pip",
    "bakend.usercode.packages.requirements",
    "bakend.usercode.packages.user_packages",
    "bakend.usercode.reject",
    "bakend.usercode.watcher",
    "bakend.usercode.workers",
}
"""Of our own, what a start of an empty project does without."""


def modules(program: str) -> set[str]:
    """Return what is imported once a program is through."""
    code = f"import sys\n{program}\nprint(*sys.modules, sep='\\n')"
    command = [sys.executable, "-I", "-B", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def of_a_start(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return what is imported until the first answer, as the build asks for it."""
    folder = tmp_path_factory.mktemp("start")
    result = folder / "modules"
    script = ROOT / "packaging" / "fuse" / "start_modules.py"
    command = [sys.executable, "-I", "-B", str(script), str(PACKAGES), str(result)]
    subprocess.run(command, cwd=folder, capture_output=True, check=True)
    return {line.split()[0] for line in result.read_text().splitlines()}


def test_a_start_imports_little_of_others(of_a_start: set[str]) -> None:
    """Beside the libraries of a server, and what they import, it is a handful."""
    theirs = modules(f"import {', '.join(LIBRARIES)}")
    more = {name for name in of_a_start - theirs if not name.startswith("bakend")}

    assert more - OTHERS == set()


def test_a_start_imports_of_ours_what_it_needs(of_a_start: set[str]) -> None:
    """What only some commands, projects or faults need is imported when they come."""
    assert of_a_start & NOT_OURS == set()
    assert "bakend.records.store" in of_a_start


def test_version_imports_next_to_nothing() -> None:
    """`bak version` has no settings, no database and no server."""
    ran = modules("from bakend.cli.main import run; run(['version'])")
    parts = {name.split(".")[1] for name in ran if name.startswith("bakend.")}

    assert parts == {"cli", "errors", "executable", "structs", "version"}
    assert ran & {"flask", "sqlite3", "ssl", "tempfile", "waitress"} == set()
