"""The house: which part may know which, and which door each outside thing has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

SOURCE: Final = Path(__file__).parent.parent / "src" / "bakend"

LAYERS: Final = (
    ("bedrock", ("structs",)),
    ("ground", ("version", "executable", "errors", "clock", "ids", "paths", "dashboard")),
    ("words", ("wire", "settings", "logs", "metrics", "events.event", "systemd")),
    ("data", ("database",)),
    ("log", ("events.log", "events.bus")),
    ("nouns", ("auth", "collections", "storage")),
    ("rules", ("access",)),
    ("rows", ("records",)),
    ("across", ("accounts", "backups", "housekeeping", "pruning")),
    ("guests", ("usercode",)),
    ("reactors", ("audit", "functions", "jobs", "realtime")),
    ("hosts", ("programs", "upgrade", "upkeep", "vitals")),
    ("edge", ("api",)),
    ("sockets", ("server",)),
    ("assembly", ("app",)),
    ("commands", ("cli", "testing")),
    ("entry", ("__main__",)),
)
"""A part imports from layers above its own, and from its own folder; siblings in a layer do not know
each other."""

DOORS: Final = {
    "sqlite3": ("database",),
    "flask": ("api", "testing"),
    "werkzeug": ("api",),
    "waitress": ("server",),
    "click": ("cli",),
    "websockets": ("realtime.loop",),
    "asyncio": ("realtime.loop", "usercode.context"),
    "dotenv": ("settings",),
    "time": ("clock",),
    "random": (),
    "secrets": ("ids",),
    "uuid": ("ids",),
    "subprocess": ("collections.patterns", "upgrade.programs", "usercode.packages.pip"),
    "ctypes": (
        "auth.bcrypt",
        "usercode.workers",  # raises the exception in a thread that takes too long
    ),
    "cronsim": ("jobs.schedule",),
    "zoneinfo": ("jobs.schedule",),
    "dataclasses": (),  # writes and compiles code, 0.6 ms a class at each start: structs
    "pip": ("usercode.packages.index_worker",),  # inside it only; the rest calls its command
    "signal": (
        "cli",
        "__main__",
        "collections.pattern_worker",
    ),  # the worker is a process of its own
}
"""Outside thing, to the parts that may import it."""

PURE: Final = (
    "structs",
    "errors",
    "wire",
    "events.event",
    "paths",
    "access",
    "api.cors",
    "auth.identity",
    "backups.manifest",
    "backups.names",
    "collections.ddl",
    "collections.definition",
    "collections.field_definition",
    "collections.fields",
    "collections.migration",
    "collections.pattern_judge",
    "collections.pattern_syntax",
    "database.sql",
    "jobs.schedule",
    "realtime.channels",
    "realtime.hub",
    "realtime.messages",
    "realtime.replay",
    "records.query",
    "records.validation",
    "storage.file",
    "storage.links",
    "storage.media",
    "storage.names",
)
"""No file, thread, clock, chance or log: tested with plain values."""

IMPURE: Final = {
    "os",
    "pathlib",
    "threading",
    "subprocess",
    "socket",
    "logging",
    "tempfile",
    "time",
}


def modules() -> dict[str, Path]:
    """Return every module by its name without `bakend.`; a folder's own file by the folder's name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES: Final = modules()


def imports(name: str) -> Iterator[str]:
    """Yield what a module imports, late and type-only imports included, as absolute names."""
    path = MODULES[name]
    is_folder = path.name == "__init__.py"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                folder = ["bakend", *name.split(".")]
                folder = folder[: len(folder) - node.level + (1 if is_folder else 0)]
                base = ".".join([*folder, *filter(None, [base])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield whole if whole.removeprefix("bakend.") in MODULES else base


def own_imports(name: str) -> set[str]:
    """Return the modules of ours that a module imports."""
    found = {each for each in imports(name) if each == "bakend" or each.startswith("bakend.")}
    return {each.removeprefix("bakend").removeprefix(".") for each in found}


def is_in(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def place(module: str) -> tuple[int, str] | None:
    """Return the layer of a module and its part."""
    for number, (_title, parts) in enumerate(LAYERS):
        for part in parts:
            if is_in(module, part):
                return number, part
    return None


@pytest.mark.parametrize("module", [name for name in MODULES if name not in ("", "events")])
def test_every_module_has_its_place(module: str) -> None:
    """A module that no layer names has no rule to follow."""
    assert place(module) is not None


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_up_only(module: str) -> None:
    """A module knows the layers above it and its own part, and nothing else of ours."""
    mine = place(module)
    if module == "":  # the front door: names for the user's code, each loaded on first use
        assert {place(each) for each in own_imports(module)} == {place("usercode"), place("errors")}
        return
    for imported in own_imports(module):
        theirs = place(imported)
        if mine is None or theirs is None:
            assert (module, imported) == (module, "nothing: the package itself knows no part")
            continue
        is_above = theirs[0] < mine[0]
        is_own = theirs[0] == mine[0] and theirs[1].split(".")[0] == mine[1].split(".")[0]
        assert is_above or is_own, f"{module} must not know {imported}"


@pytest.mark.parametrize("thing", DOORS)
def test_each_outside_thing_has_its_door(thing: str) -> None:
    """A library can be changed by editing one place."""
    users = {
        module
        for module in MODULES
        if any(name == thing or name.startswith(f"{thing}.") for name in imports(module))
    }

    assert {user for user in users if not any(is_in(user, door) for door in DOORS[thing])} == set()


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_touch_nothing(module: str) -> None:
    """What is computed from plain values needs nothing of the machine."""
    assert {name.split(".")[0] for name in imports(module)} & IMPURE == set()


def test_only_the_command_line_reads_the_environment() -> None:
    """Everything else is handed what it needs."""
    users = {
        module
        for module, path in MODULES.items()
        if "os.environ" in path.read_text(encoding="utf-8").replace("`os.environ`", "")
    }

    assert users <= {"cli.main"}


def test_no_ring_of_modules() -> None:
    """There is an order in which everything can be read."""
    left = {module: own_imports(module) - {module} for module in MODULES}
    while left:
        free = [module for module, needs in left.items() if not needs & left.keys()]
        assert free, f"these import each other: {sorted(left)}"
        for module in free:
            del left[module]


def test_names_enter_sql_only_quoted() -> None:
    """Where SQL is put together from parts, a name comes from `quote` or from this code."""
    for module, path in MODULES.items():
        if module.startswith(("database", "collections", "records")):
            continue  # these are the ones that may, and their tests try to break them
        text = path.read_text(encoding="utf-8")
        for word in ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM "):
            assert f'f"{word}' not in text, f"{module} puts SQL together"


def test_files_are_taken_in_at_one_sitting() -> None:
    """A file much longer than the others has more than one subject."""
    long = {
        module: lines
        for module, path in MODULES.items()
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 480
    }

    assert long == {}
