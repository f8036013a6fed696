"""The documents say what the code does: nothing is missing in them, and nothing in them is gone."""

from __future__ import annotations

import inspect
import json
import re
import runpy
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final, get_args

import click
import pytest
from flask import Flask

from bakend import errors
from bakend.api.errors import STATUSES
from bakend.cli.failures import DAMAGED, EXIT_CODES, NEWER, NO_ANSWER, USAGE
from bakend.cli.main import bak
from bakend.collections import definition, migration
from bakend.collections.fields import TYPES
from bakend.events import event
from bakend.testing import TestProject

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "src" / "bakend"
REFERENCE: Final = ROOT / "docs" / "reference"

OUR_DOCUMENTS: Final = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(
        part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts
    )
)

_CODE: Final = re.compile(r"`([^`]+)`")
_LINK: Final = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCE: Final = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


# Reading documents


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    level = heading.partition(" ")[0]
    _before, found, rest = text.partition(f"\n{heading}\n")
    assert found, f"there is no heading {heading}"
    return re.split(rf"^#{{1,{len(level)}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def table(text: str) -> list[list[str]]:
    """Return the cells of the rows of all tables in a text, without their headings."""
    rows: list[list[str]] = []
    is_body = False
    for line in text.splitlines():
        if not line.startswith("|"):
            is_body = False
        elif set(line) <= set("|- "):
            is_body = True
        elif is_body:
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
    return rows


def codes(text: str) -> list[str]:
    """Return what stands between back quotes."""
    return _CODE.findall(text)


def slugs(text: str) -> set[str]:
    """Return the anchors that headings get."""
    without_code = _FENCE.sub("", text)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


# All documents


@pytest.mark.parametrize("path", OUR_DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """A link inside the repository names a file that is there, and a heading that is in it."""
    for target in _LINK.findall(_FENCE.sub("", text_of(path))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{target} is not there"
        assert ROOT in (file, *file.parents), f"{target} is outside of the repository"
        assert not anchor or anchor in slugs(text_of(file)), f"{target} has no such heading"


@pytest.mark.parametrize("path", OUR_DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_stand_alone(path: Path) -> None:
    """No document leans on what a reader of the repository does not have."""
    assert "../shared" not in text_of(path)


@pytest.mark.parametrize("path", OUR_DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_are_what_they_claim(path: Path) -> None:
    """JSON in an example is JSON, and a definition in it is taken."""
    if path.name == "settings.md":
        return  # shows several files in one block
    for language, content in _FENCE.findall(text_of(path)):
        if language != "json":
            continue
        data = json.loads(content)
        if "fields" in data:
            definition.parse(data, known=())


def test_every_document_is_in_the_index() -> None:
    """Whoever starts at docs/README.md finds all there is."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target).resolve() for target in _LINK.findall(text_of(index))}

    assert {path for path in OUR_DOCUMENTS if index.parent in path.parents} - linked == {index}


def test_decisions_are_numbered_and_complete() -> None:
    """A decision says why, what, what follows and whether it holds; no number is left out."""
    paths = sorted((ROOT / "docs" / "adr").glob("*.md"))

    assert [path.name[:5] for path in paths] == [f"{n:04}-" for n in range(1, len(paths) + 1)]
    for path in paths:
        parts = re.findall(r"^## (.+)$", text_of(path), re.MULTILINE)
        assert (path.name, parts) == (path.name, ["Context", "Decision", "Consequences", "Status"])


# docs/reference


def test_every_error_code_has_its_status() -> None:
    """errors.md has each code with its status, and no other."""
    kinds = [
        kind
        for _name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.BakendError)
    ]
    real = {
        (kind.code, next((STATUSES[each] for each in kind.__mro__ if each in STATUSES), 500))
        for kind in kinds
    }
    rows = table(section(text_of(REFERENCE / "errors.md"), "## Codes"))

    assert {(codes(row[0])[0], int(row[1])) for row in rows} == real


def drafts() -> Iterator[event.Draft]:
    """Call every function that makes an event."""
    record = {"id": "rec_1", "userId": "usr_1", "visibility": "public"}
    values = {"collection": "<collection>", "record": record, "before": record, "name": "notes"}
    values |= {"user": record, "user_id": "usr_1", "session_id": "ses_1", "file": record}
    values |= {"file_id": "fil_1", "steps": [], "message": "why"}
    values |= {"config": "bakend.json", "changes": {}}
    values |= dict.fromkeys(("trigger", "event_type", "file_path", "event_id"), "x")
    values |= dict.fromkeys(("schedule", "run_id"), "x")
    makers: list[Callable[..., event.Draft]] = [
        function
        for _name, function in inspect.getmembers(event, inspect.isfunction)
        if function.__annotations__.get("return") == "Draft"
        and not function.__name__.startswith("_")
    ]
    for maker in makers:
        needed = inspect.signature(maker).parameters
        given = {
            name: values[name]
            for name, each in needed.items()
            if name != "action" and each.default is each.empty and each.kind != each.VAR_KEYWORD
        }
        if "action" in needed:
            actions: tuple[str, ...] = ("created", "updated", "deleted")
            if maker.__name__.endswith("_ran"):
                actions = ("started", "completed", "failed")
            elif maker is event.backup_handled:
                actions = ("created", "deleted", "downloaded", "restored")
            for action in actions:
                yield maker(**given, action=action)
        else:
            yield maker(**given)


def test_every_event_is_described() -> None:
    """events.md has each kind of event with its source, and no other."""
    rows = table(section(text_of(REFERENCE / "events.md"), "## Kinds"))

    assert {(codes(row[0])[0], codes(row[1])[0]) for row in rows} == {
        (draft.type, draft.source) for draft in drafts()
    }


def test_the_log_of_events_is_described(project: TestProject) -> None:
    """events.md has each column of the log, and no other."""
    with project.app.database.read() as snapshot:
        columns = {row["name"] for row in snapshot.all("PRAGMA table_info(_events)")}
    rows = table(section(text_of(REFERENCE / "events.md"), "## The log: table `_events`"))

    assert set(chain.from_iterable(codes(row[0]) for row in rows)) == columns


PARAMETERS: Final = {
    "session_id": "session",
    "user_id": "id",
    "file_id": "id",
    "name": "collection",
    "record_id": "id",
    "backup": "name",
    "run_id": "run",
    "job": "job",
    "path": "path",
}
"""What the code calls a part of a path, to what its reader does."""


def test_every_route_is_described(project: TestProject) -> None:
    """http.md and admin.md have each route with its methods, and no other."""
    app = project.app.wsgi_app()
    assert isinstance(app, Flask)
    real: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: f"<{PARAMETERS[found[1]]}>", rule.rule)
        real.setdefault(path, set()).update(rule.methods or ())
    rows = [
        row
        for name in ("http.md", "admin.md")
        for row in table(section(text_of(REFERENCE / name), "## Routes"))
    ]

    assert {codes(row[0])[0]: set(codes(row[1])) for row in rows} == real


def commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for word in command.list_commands(ctx):
            inner = command.get_command(ctx, word)
            assert inner is not None
            yield from commands(inner, f"{name} {word}")


COMMANDS: Final = dict(commands(bak, "bak"))


def options(name: str) -> list[click.Option]:
    command = COMMANDS[name]
    ctx = click.Context(command, info_name=name, help_option_names=["-h", "--help"])
    return [each for each in command.get_params(ctx) if isinstance(each, click.Option)]


def test_every_command_is_described() -> None:
    """cli.md has a section for each command, and no other."""
    headings = re.findall(r"^## (bak.*)$", text_of(REFERENCE / "cli.md"), re.MULTILINE)

    assert sorted(headings) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_described(name: str) -> None:
    """The section of a command has each of its options, and no other."""
    rows = table(section(text_of(REFERENCE / "cli.md"), f"## {name}"))
    described = chain.from_iterable(codes(row[0]) for row in rows)

    assert {each.split()[0] for each in described if each.startswith("-")} == set(
        chain.from_iterable(option.opts for option in options(name))
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    """Whoever asks for help gets a sentence about everything that there is."""
    assert COMMANDS[name].help
    assert [option.name for option in options(name) if not option.help] == []


def test_every_exit_code_is_described() -> None:
    """cli.md has each exit code, and those of success and Ctrl-C."""
    rows = table(section(text_of(REFERENCE / "cli.md"), "## Exit codes"))

    assert {int(row[0]) for row in rows} == {
        *EXIT_CODES.values(),
        *(0, 1, USAGE, NEWER, NO_ANSWER, DAMAGED, 130),
    }


COLLECTIONS: Final = text_of(REFERENCE / "collections.md")


def test_every_field_type_is_described() -> None:
    """collections.md has each type with what a field of it may say, and no other."""
    rows = table(section(COLLECTIONS, "## Field types"))

    assert {codes(row[0])[0]: frozenset(codes(row[4])) for row in rows} == {
        name: each.options for name, each in TYPES.items()
    }


def test_every_reserved_name_is_described() -> None:
    """collections.md has each name and prefix that cannot be taken, and no other."""
    said = section(COLLECTIONS, "## Names")
    names, _, prefixes = said.partition("Reserved for collections")[2].partition("begin with")

    assert set(codes(names)) == definition.RESERVED_NAMES
    assert set(codes(prefixes)) == set(definition.RESERVED_PREFIXES)
    assert set(definition.SYSTEM_FIELDS) <= set(codes(said))


def test_every_kind_of_change_is_described() -> None:
    """collections.md has each kind of step, and which of them lose values."""
    rows = {codes(row[0])[0]: row for row in table(section(COLLECTIONS, "## Changes")) if row[2:]}

    assert set(rows) == set(get_args(migration.Kind))
    losing = {kind for kind, row in rows.items() if "loses values" in row[2]}
    assert losing == {"drop_collection", "drop_field"}


def test_every_change_of_type_is_described() -> None:
    """collections.md has each type that another one can become."""
    said: dict[str, set[str]] = {}
    for row in table(section(COLLECTIONS, "## Changes")):
        if len(row) == 2:
            for before in codes(row[0]):
                said[before] = set(codes(row[1]))

    assert said == {before: set(after) for before, after in migration.LOSSLESS.items()}


# ARCHITECTURE.md

ARCHITECTURE: Final = text_of(ROOT / "ARCHITECTURE.md")
HOUSE: Final[dict[str, Any]] = runpy.run_path(str(ROOT / "tests" / "test_architecture.py"))


def test_the_tree_is_that_of_the_package() -> None:
    """Each part stands in the tree, and each file that the tree names beside its folder exists."""
    tree = section(ARCHITECTURE, "## The tree").split("```")[1]
    parts = {name.partition(".")[0] for name in HOUSE["MODULES"] if name}
    named = {
        f"{folder}.{file}"
        for folder, files in re.findall(r"^  (\w+)/ +(\w.*)$", tree, re.MULTILINE)
        for file in files.split()
    }

    assert parts - set(re.findall(r"\w+", tree)) == set()
    assert named - HOUSE["MODULES"].keys() == set()


def test_the_layers_are_those_of_the_test() -> None:
    """The table of layers is the one that imports are held to."""
    rows = table(section(ARCHITECTURE, "## Layers"))

    assert [(row[0], set(codes(row[1]))) for row in rows] == [
        (title, set(parts)) for title, parts in HOUSE["LAYERS"]
    ]


def test_the_doors_are_those_of_the_test() -> None:
    """The table of doors is the one that imports are held to."""
    rows = table(section(ARCHITECTURE, "## Doors"))

    assert {codes(row[0])[0]: tuple(codes(row[1])) for row in rows} == HOUSE["DOORS"]


def test_what_one_looks_for_is_there() -> None:
    """Each file that the table of places names exists."""
    rows = table(section(ARCHITECTURE, "## Where is …?"))

    assert rows
    named = list(chain.from_iterable(codes(row[1]) for row in rows))
    assert [name for name in named if not (SOURCE / name).is_file()] == []


def test_what_always_holds_has_its_tests() -> None:
    """Each rule names tests, and these exist."""
    existing = set(
        chain.from_iterable(
            re.findall(r"^def (test_\w+)", text_of(path), re.MULTILINE)
            for path in (ROOT / "tests").rglob("test_*.py")
        )
    )

    for rule, named, *_ in table(section(ARCHITECTURE, "## What always holds")):
        assert codes(named), f'nothing proves "{rule}"'
        assert set(codes(named)) - existing == set(), rule
